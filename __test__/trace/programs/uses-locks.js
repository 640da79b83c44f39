// Uses a lock in several ways, for PROCESS_RWLOCK_TRACE to record.
//   node uses-locks.js NAME
import { threadId, Worker } from 'node:worker_threads'
import { RWLock } from 'process-rwlock'

const [name = ''] = process.argv.slice(2)
const lock = new RWLock(name)
if (threadId !== 0) {
  await lock.read(() => {}, { label: 'in a worker' })
} else {
  process.title = 'the user'
  const reader = lock.acquireReadSync({ label: 'a report' })
  lock.tryWrite()
  await lock.acquireWrite({ timeout: 20 }).catch(() => {})
  const upgradable = await lock.acquireUpgradable()
  const upgraded = upgradable.upgrade()
  reader.release()
  await upgraded
  upgradable.downgrade()
  upgradable.release()
  await new Promise((resolve) => new Worker(new URL(import.meta.url), { argv: [name] }).once('exit', resolve))
  await lock.acquireWrite()
  process.exit() // while it holds the lock
}
