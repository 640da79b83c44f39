import './shared-memory/binding.js' // before any other: see there
import { check, checkSync } from './proper-lockfile/check.js'
import { lock, lockSync, unlock, unlockSync } from './proper-lockfile/lock.js'

export type { CheckOptions, LockOptions, RetryOptions, UnlockOptions } from './proper-lockfile/options.js'
export { check, checkSync, lock, lockSync, unlock, unlockSync }

export default lock as typeof lock & {
  lock: typeof lock
  lockSync: typeof lockSync
  unlock: typeof unlock
  unlockSync: typeof unlockSync
  check: typeof check
  checkSync: typeof checkSync
}

// As in proper-lockfile, what `require()` returns is a function, too.
module.exports = Object.assign(lock, exports)
