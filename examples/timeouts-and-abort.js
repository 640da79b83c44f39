// How to limit a wait: a timeout, an AbortSignal, or a call that does not wait. None of them limits how long a hold lasts.
import { RWLock } from 'process-rwlock'

const lock = new RWLock()
const guard = await lock.acquireRead({ label: 'nightly export' })
const rebuild = () => console.log('never runs')

try {
  await lock.write(rebuild, { timeout: 50 })
} catch (error) {
  if (error.code !== 'ERR_LOCK_TIMEOUT') throw error
  console.log(error.message) // … held for read by this thread, pid … ('nightly export') for … ms. …
  console.log(error.holders[0].label) // nightly export
}

const controller = new AbortController()
setTimeout(() => controller.abort(new Error('the client has gone')), 50)
try {
  await lock.write(rebuild, { signal: controller.signal })
} catch (error) {
  console.log(error === controller.signal.reason) // true
}

console.log(lock.tryWrite()) // null
guard.release()
const writing = lock.tryWrite()
console.log(writing?.mode) // write
writing?.release()
