// Opens locks in PostgreSQL, in any process or thread of a contract test.
import { PostgresLocks } from '../../../dist/postgres.js'

/** @type {PostgresLocks | undefined} */
let locks

/**
 * @param {string} name
 * @param {any} [options]
 */
export function open(name, options) {
  locks ??= new PostgresLocks({ connectionString: process.env.PROCESS_RWLOCK_POSTGRES })
  return locks.open(name, options)
}
