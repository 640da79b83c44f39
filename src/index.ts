import './shared-memory/binding.js' // before any other: see there

export type { LockErrorCode } from './errors.js'
export { LockError } from './errors.js'
export { RWLock } from './rwlock.js'
export type {
  AcquireOptions,
  AsyncGuard,
  AsyncRWLock,
  Guard,
  Holder,
  LockSnapshot,
  OwnerDied,
  PruneOptions,
  RWLockOptions,
  RWLockRef,
  Waiter,
} from './types.js'
