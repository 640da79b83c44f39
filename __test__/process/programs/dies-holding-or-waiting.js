// A thread that is terminated while it holds or waits for a lock. Sends a message when it has
// begun.
import { setImmediate as tick } from 'node:timers/promises'
import { parentPort, workerData } from 'node:worker_threads'
import { RWLock } from 'process-rwlock'

const { ref, way } = workerData
const lock = new RWLock(ref)
const ways = {
  'holds read': () => lock.acquireRead(),
  'holds write': () => lock.acquireWrite(),
  'holds upgradable': () => lock.acquireUpgradable(),
  upgrades: async () => {
    const guard = await lock.acquireUpgradable()
    begun()
    for (;;) {
      await guard.upgrade()
      await tick()
      guard.downgrade('upgradable')
    }
  },
  // Repeatedly, so that the termination may also fall into a grant or a wake-up.
  'waits for read': () => again(() => lock.read(() => {})),
  'waits for write': () => again(() => lock.write(() => tick())),
  'waits for upgradable': () => again(() => lock.upgradable(() => tick())),
  'waits in many ways at once': () =>
    again(() =>
      Promise.all([
        lock.read(tick),
        lock.write(tick),
        lock.upgradable(tick),
        lock.read(tick),
        lock.write(tick),
      ]),
    ),
  'waits with timeouts': () => again(() => lock.write(tick, { timeout: 1 }).catch(() => {})),
  'blocks for read': () => again(() => lock.readSync(() => {})),
  'blocks for write': () => again(() => lock.writeSync(() => {})),
}
// No top-level await: Node.js 20 aborts if a thread is terminated at its beginning (nodejs/node#43182).
ways[way]().then((hold) => {
  begun()
  setInterval(() => hold, 10_000)
})

function begun() {
  parentPort?.postMessage('begun')
}

async function again(act) {
  begun()
  for (;;) {
    await act()
    await tick()
  }
}
