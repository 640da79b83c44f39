// Uses the lock at argv[2] in every way, while another process damages it, until it receives a
// message. Reports the outcomes.
import { setImmediate } from 'node:timers/promises'
import { RWLock } from 'process-rwlock'

const lock = new RWLock({ path: process.argv[2] })
const timeout = { timeout: 20 }
const calls = [
  () => lock.tryRead(),
  () => lock.tryWrite(),
  () => lock.tryUpgradable(),
  () => lock.acquireRead(timeout),
  () => lock.acquireWrite(timeout),
  () => lock.acquireUpgradable(timeout),
  () => lock.acquireReadSync(timeout),
  () => lock.acquireWriteSync(timeout),
  async () => {
    const guard = await lock.acquireUpgradable(timeout)
    try {
      await guard.upgrade(timeout)
      guard.downgrade('upgradable')
      guard.downgrade()
    } finally {
      guard.release()
    }
    return guard
  },
  () => void lock.inspect(),
]

const ends = {}
let stopped = false
process.once('message', () => {
  stopped = true
})
process.send?.({ type: 'ready' })
for (let turn = 0; !stopped; turn++) {
  let end
  try {
    const guard = await calls[turn % calls.length]()
    guard?.release()
    end = guard === null ? 'null' : 'done'
  } catch (error) {
    end = error.code ?? String(error)
  }
  ends[end] = (ends[end] ?? 0) + 1
  if (turn % 100 === 0) await setImmediate()
}
lock.close()
process.send?.({ type: 'stopped', ends })
process.disconnect()
