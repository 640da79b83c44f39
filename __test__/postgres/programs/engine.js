// Opens locks at the server, and with the options, that the environment names: see `child.js`.
import { PostgresLocks } from 'process-rwlock/postgres'

const locks = new PostgresLocks({
  connectionString: process.env.PROCESS_RWLOCK_TEST_POSTGRES,
  ...JSON.parse(process.env.PROCESS_RWLOCK_TEST_POSTGRES_OPTIONS ?? '{}'),
})

/** @param {string} name @param {any} [options] */
export const open = (name, options) => locks.open(name, options)
