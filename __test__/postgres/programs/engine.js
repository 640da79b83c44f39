// Opens locks in the schema that the variable names, in a child of a test.
import { PostgresLocks } from 'process-rwlock/postgres'

const { PROCESS_RWLOCK_TEST_POSTGRES: connectionString, PROCESS_RWLOCK_TEST_SCHEMA: schema } = process.env
const locks = new PostgresLocks({ connectionString, schema })

/** @param {string} name @param {any} [options] */
export const open = (name, options) => locks.open(name, options)
