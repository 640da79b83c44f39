// Opens locks in PostgreSQL, in any process or thread of a contract test.
import { PostgresLocks } from '../../../dist/postgres.js'
import { sharedServer } from '../../helpers/postgres/shared.js'

// The children of a test have it in their environment: there the schema exists.
const isFirst = process.env.PROCESS_RWLOCK_TEST_POSTGRES === undefined
const locks = new PostgresLocks({ connectionString: await sharedServer() })
if (isFirst) await locks.migrate()

/**
 * @param {string} name
 * @param {any} [options]
 */
export const open = (name, options) => locks.open(name, options)

/**
 * @param {string} name
 * @param {any} options
 */
export const semaphore = (name, options) => locks.semaphore(name, options)
