import './shared-memory/binding.js' // before any other: see there

export type {
  AcquireMessage,
  DeadlockMessage,
  DeadlockParty,
  DeadlockWait,
  LockMessage,
  OwnerDiedMessage,
  ReleaseMessage,
} from './diagnostics.js'
export type { LockErrorCode } from './errors.js'
export { LockError } from './errors.js'
export { local } from './local.js'
export type { AsyncGuardGroup, GuardGroup, GuardsOf, Want } from './lock-all.js'
export { acquireAll, lockAll } from './lock-all.js'
export type { Locked } from './locked.js'
export { locked } from './locked.js'
export type { AsyncPermit, AsyncSemaphore, SemaphoreSnapshot } from './permits.js'
export { RWLock } from './rwlock.js'
export type { Permit, SemaphoreOptions } from './semaphore.js'
export { Semaphore } from './semaphore.js'
export type {
  AcquireOptions,
  AsyncGuard,
  AsyncRWLock,
  Guard,
  Holder,
  LockSnapshot,
  NoticeOptions,
  OwnerDied,
  PruneOptions,
  RWLockOptions,
  RWLockRef,
  Waiter,
} from './types.js'
