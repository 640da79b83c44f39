import './shared-memory/binding.js' // before any other: see there

export type { Holder, LockErrorCode, Waiter } from './errors.js'
export { LockError } from './errors.js'
export type { Guard, OwnerDied } from './guard.js'
export type { AcquireOptions, PruneOptions, RWLockOptions, RWLockRef } from './options.js'
export type { LockSnapshot } from './rwlock.js'
export { RWLock } from './rwlock.js'
