// What the tests of faults share: locks at a server of their own, and children that use it.
import { PostgresLocks } from 'process-rwlock/postgres'
import { cleanUp } from '../helpers/cleanup.js'
import { spawnChild } from '../helpers/index.js'

/** @typedef {import('ava').ExecutionContext<any>} Test */
/** @typedef {import('process-rwlock/postgres').PostgresLocksOptions} Options */

const ENGINE = new URL('./programs/engine.js', import.meta.url)

/** Short, so that a loss is soon known: see `heartbeat`. */
export const HEARTBEAT = 200

let count = 0

/** A name that no other test has. */
export const newName = () => `fault/${process.pid}/${++count}`

/** @param {Test} t @param {{ url: () => string }} server @param {Options} [options] */
export async function locksAt(t, server, options) {
  const locks = new PostgresLocks({ connectionString: server.url(), heartbeat: HEARTBEAT, ...options })
  cleanUp(t, 'locks', () => locks.close())
  if (options?.connectionString === undefined) await locks.migrate()
  return locks
}

/** A child that takes commands, with locks at this server. @param {Test} t @param {{ url: () => string }} server @param {Options} [options] */
export function childAt(t, server, options) {
  return spawnChild(t, {
    engine: ENGINE,
    env: {
      PROCESS_RWLOCK_TEST_POSTGRES: server.url(),
      PROCESS_RWLOCK_TEST_POSTGRES_OPTIONS: JSON.stringify({ heartbeat: HEARTBEAT, ...options }),
    },
  })
}

/** Resolves with the code of the reason when a hold is lost. @param {import('process-rwlock').AsyncGuard} guard @returns {Promise<string>} */
export function lossOf({ signal }) {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(signal.reason.code)
    else signal.addEventListener('abort', () => resolve(signal.reason.code), { once: true })
  })
}
