// Uses a lock in several ways, for NODE_DEBUG=process-rwlock to print.
//   node prints-debug.js NAME
import { createRequire } from 'node:module'
import { threadId, Worker } from 'node:worker_threads'
import { RWLock } from 'process-rwlock'

const [name = ''] = process.argv.slice(2)
const lock = new RWLock(name, { label: 'printer' })
if (threadId !== 0) {
  lock.tryRead()?.release()
} else {
  // A second copy of the library in this thread: nothing is printed twice.
  const require = createRequire(import.meta.url)
  delete require.cache[require.resolve('process-rwlock')]
  for (const file of Object.keys(require.cache)) if (file.includes('dist')) delete require.cache[file]
  const other = require('process-rwlock')
  if (other.RWLock === RWLock) throw new Error('this is the same copy')

  const reader = lock.acquireReadSync({ label: 'a report' })
  lock.tryWrite()
  await lock.acquireWrite({ timeout: 20 }).catch(() => {})
  reader.release()
  await lock.upgradable(async (guard) => guard.upgrade())
  await new Promise((resolve) => new Worker(new URL(import.meta.url), { argv: [name] }).once('exit', resolve))
}
