export type { LockErrorCode } from './errors.js'
export { LockError } from './errors.js'
export { PostgresLocks } from './postgres/locks.js'
export type { OpenOptions, PostgresLocksOptions } from './postgres/options.js'
