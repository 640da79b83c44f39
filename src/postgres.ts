export { PostgresLocks } from './postgres/locks.js'
export type { PostgresLock } from './postgres/locks.js'
export type { OpenOptions, PostgresLocksOptions } from './postgres/options.js'
