import './shared-memory/binding.js' // before any other: see there

export type { AsyncLock, LockMode } from './async-lock.js'
export type { Holder, LockErrorCode, Waiter } from './errors.js'
export { LockError } from './errors.js'
export type { Guard, OwnerDied } from './guard.js'
export { local } from './local.js'
export type { GuardGroup, GuardsOf, Want } from './lock-all.js'
export { acquireAll, lockAll } from './lock-all.js'
export type { Locked } from './locked.js'
export { locked } from './locked.js'
export type { AcquireOptions, PruneOptions, RWLockOptions, RWLockRef } from './options.js'
export type { LockSnapshot } from './rwlock.js'
export { RWLock } from './rwlock.js'
