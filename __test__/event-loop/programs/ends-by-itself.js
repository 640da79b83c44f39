// Runs the scenario argv[2] with the lock argv[3], which another process holds, or argv[4], which
// is free. Then it ends by itself if nothing keeps it alive. It has no message listener, so the
// channel to its parent does not.
import { setTimeout } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { RWLock } from 'process-rwlock'

const [what = '', name = '', free = ''] = process.argv.slice(2)
const say = (type, value) => process.send?.({ type, value })
const lock = new RWLock(name)
/** Begins waits of every kind. */
const wait = () => {
  /** @type {Promise<unknown>[]} */
  const waits = Array.from({ length: 100 }, (_, n) =>
    n % 3 === 0 ? lock.acquireRead() : n % 3 === 1 ? lock.acquireWrite() : lock.acquireUpgradable(),
  )
  waits.push(
    lock.write(() => {}),
    lock.acquireWrite({ timeout: 600_000 }),
  )
  return waits
}

const whats = {
  async granted() {
    say('waiting')
    say('granted', (await lock.acquireWrite()).mode)
  },
  async 'timed out'() {
    const began = performance.now()
    await lock.acquireWrite({ timeout: 400 }).catch(({ code }) => say(code, performance.now() - began))
  },
  async upgrading() {
    // The lock is held for reading.
    const guard = await lock.acquireUpgradable()
    const began = performance.now()
    await guard.upgrade({ timeout: 400 }).catch(({ code }) => say(code, performance.now() - began))
  },
  idle() {},
  holding() {
    const other = new RWLock(free)
    other.tryWrite()
    globalThis.kept = other
  },
  async settled() {
    const ends = [AbortSignal.timeout(50), undefined].map((signal) =>
      lock.acquireWrite({ timeout: signal ? 5000 : 50, signal }).catch(() => {}),
    )
    await Promise.all(ends)
  },
  closed() {
    for (const pending of wait()) pending.catch(() => {})
    lock.close()
  },
  async exit() {
    wait()
    await setTimeout(50)
    say('leaving')
    process.exit(7)
  },
  async throw() {
    wait()
    await setTimeout(50)
    say('leaving')
    throw new Error('on purpose')
  },
  async terminate() {
    const library = import.meta.resolve('process-rwlock')
    const code = `
      const { parentPort, workerData } = require('node:worker_threads')
      import(workerData.library).then(({ RWLock }) => {
        const lock = new RWLock(workerData.name)
        for (let n = 0; n < 100; n++) lock.acquireWrite()
        parentPort.postMessage('waiting')
        if (workerData.sync) lock.acquireWriteSync()
      })`
    const times = {}
    for (const kind of ['waits', 'blocks']) {
      times[kind] = []
      for (let n = 0; n < 5; n++) {
        const worker = new Worker(code, {
          eval: true,
          workerData: { library, name, sync: kind === 'blocks' },
        })
        await new Promise((resolve) => worker.once('message', resolve))
        if (kind === 'blocks') await setTimeout(20)
        const began = performance.now()
        await worker.terminate()
        times[kind].push(performance.now() - began)
      }
    }
    say('terminated', times)
  },
}
await whats[what]()
