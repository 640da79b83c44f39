// Processes that share a lock for a second: two servers that read, one of them also in a worker
// thread; a job that rebuilds; and an import that is killed while it writes.
//   node scene.js ROLE NAME SECONDS

import { setTimeout as sleep } from 'node:timers/promises'
import { threadId, Worker } from 'node:worker_threads'
import { RWLock } from 'process-rwlock'

const [role = '', name = '', seconds = ''] = process.argv.slice(2)
if (threadId === 0) process.title = role
const lock = new RWLock(name)
const end = performance.now() + Number(seconds) * 1000
const between = (/** @type {number} */ least, /** @type {number} */ most) =>
  sleep(least + Math.random() * (most - least))

/** @type {Record<string, () => Promise<void>>} */
const ROLES = {
  async 'web 1'() {
    if (threadId !== 0) return serve()
    const worker = new Worker(new URL(import.meta.url), { argv: process.argv.slice(2) })
    await Promise.all([serve(), new Promise((resolve) => worker.once('exit', resolve))])
  },
  'web 2': serve,
  async rebuild() {
    while (performance.now() < end) {
      await between(80, 120)
      await lock.upgradable(
        async (guard) => {
          await between(20, 30)
          await guard.upgrade()
          await between(20, 40)
        },
        { label: 'rebuild' },
      )
    }
  },
  /** Holds it until it is killed. */
  async import() {
    await sleep(Number(seconds) * 500)
    await lock.acquireWrite({ label: 'import' })
    process.send?.('writes')
    await sleep(60_000)
  },
}

async function serve() {
  while (performance.now() < end) {
    await lock.read(() => between(10, 40), { label: 'GET /' })
    await lock.read(() => between(5, 10), { label: 'GET /style.css', timeout: 40 }).catch(() => {})
    await between(5, 40)
  }
}

process.send?.('ready')
process.once('disconnect', () => process.exit()) // nothing outlives the script
await ROLES[role]?.()
if (threadId === 0) process.disconnect?.()
