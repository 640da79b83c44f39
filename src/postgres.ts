export type { LockErrorCode } from './errors.js'
export { LockError } from './errors.js'
export { PostgresLocks } from './postgres/locks.js'
export type { OpenOptions, PostgresLocksOptions, SemaphoreOptions } from './postgres/options.js'
