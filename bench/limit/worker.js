// A process of bench/limit: opens locks, reads each once, and hands the first one over on command.
import { setTimeout as sleep } from 'node:timers/promises'
import { RWLock } from 'process-rwlock'

/** The duration of a hold in ns, and of the pause after it in ms: the other process waits, and sleeps. */
const HOLD = 2e6
const PAUSE = 1

const locks = JSON.parse(process.argv[2]).map((/** @type {any} */ ref) => new RWLock(ref))
for (const lock of locks) lock.tryRead()?.release()

process.on('message', async (/** @type {any} */ { mode, times }) => {
  const holds = []
  for (let n = 0; n < times; n++) {
    const asked = now()
    const guard = await (mode === 'write' ? locks[0].acquireWrite() : locks[0].acquireRead())
    const start = now()
    while (now() < start + HOLD);
    holds.push([asked, start, now()])
    guard.release()
    await sleep(PAUSE)
  }
  process.send?.(holds)
})
process.send?.('ready')

/** Of the clock that all processes share. */
function now() {
  return Number(process.hrtime.bigint())
}
