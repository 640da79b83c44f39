// What went wrong at the server or on the way to it, as an error of a lock.
import { LockError, type LockErrorCode } from '../errors.js'
import type { ServerError } from './adapter.js'
import { SessionLost } from './session.js'

/** By SQLSTATE. The text says what to do. */
const REMEDIES: Readonly<Record<string, readonly [LockErrorCode, string]>> = {
  53200: [
    'ERR_LOCK_FULL',
    "the server's table of locks is full: release locks, or raise max_locks_per_transaction and restart the server",
  ],
  53300: [
    'ERR_LOCK_FULL',
    'the server has no connection left: lower maxSessions, or raise max_connections or the limit of the role or database',
  ],
  53100: ['ERR_LOCK_ACCESS', 'the disk of the server is full'],
  53400: ['ERR_LOCK_FULL', 'a limit of the server is reached'],
  42501: [
    'ERR_LOCK_ACCESS',
    'the role lacks privileges: let the owner of the schema run what `npx process-rwlock postgres grants ROLE` prints',
  ],
  '22P05': [
    'ERR_LOCK_ACCESS',
    'the database cannot store a character of the name or the label: use one that was created with encoding UTF8',
  ],
  '42P05': [
    'ERR_LOCK_ACCESS',
    'the connection pooler hands sessions on as the last client left them, perhaps with its locks: let it reset them ' +
      '(pgbouncer: server_reset_query = DISCARD ALL)',
  ],
  '3F000': ['ERR_LOCK_ACCESS', 'the schema is not installed in this database: call locks.migrate()'],
  '42P01': ['ERR_LOCK_ACCESS', 'the schema is not installed in this database: call locks.migrate()'],
  42883: ['ERR_LOCK_ACCESS', 'the schema is not that of this version: call locks.migrate()'],
  25006: ['ERR_LOCK_ACCESS', 'the server is read-only: connect to the primary server'],
  28000: ['ERR_LOCK_ACCESS', 'the server refuses the role: see its pg_hba.conf'],
  '28P01': ['ERR_LOCK_ACCESS', 'the password is wrong'],
  '3D000': ['ERR_LOCK_ACCESS', 'there is no such database'],
}

/** By the code of Node.js. */
const TLS_REMEDIES: readonly (readonly [RegExp, string])[] = [
  [
    /^ERR_TLS_CERT_ALTNAME/,
    'the certificate of the server is for another name: connect by a name that it has',
  ],
  [/^ERR_(TLS|SSL|OSSL)_/, 'the client and the server do not agree on TLS'],
  [
    /^(CERT|CRL|DEPTH_ZERO|ERROR_IN|INVALID|PATH|SELF_SIGNED|UNABLE_TO_(DECODE|DECRYPT|GET|VERIFY))_/,
    'the certificate of the server is not trusted: pass its authority as ssl: { ca }, or as sslrootcert in the connection string',
  ],
]

/** What no further attempt would mend. */
function remedyOf({ code = '', message }: ServerError): readonly [LockErrorCode, string] | undefined {
  if (code in REMEDIES) return REMEDIES[code]
  const remedy = message.startsWith('The server does not support SSL') // without a code
    ? 'the server takes no TLS connections: let it (ssl = on), or connect without TLS'
    : TLS_REMEDIES.find(([codes]) => codes.test(code))?.[1]
  return remedy === undefined ? undefined : ['ERR_LOCK_ACCESS', remedy]
}

/** An error that a statement failed with, for the lock or the database that `text` names. */
export function serverError(text: string, error: ServerError): LockError {
  if (error instanceof LockError) return error
  if (error instanceof SessionLost && error.why instanceof LockError) return error.why // it was closed
  if (error.code === 'P0002') return rowGoneError(text)
  const [code, remedy] = remedyOf(error) ?? ['ERR_LOCK_UNAVAILABLE', undefined]
  const message = remedy === undefined ? error.message : `${remedy} (${error.message})`
  return caused(new LockError(code, `${text}: ${message}`), error)
}

/** Why no connection could be made. */
export function connectError(place: string, error: ServerError): LockError {
  return serverError(`PostgreSQL at ${place}`, error)
}

/** Why the schema could not be brought up to date. */
export function migrateError(place: string, error: ServerError): LockError {
  if (error.code !== '42501') return connectError(place, error)
  const remedy = 'let one that may run what `npx process-rwlock postgres schema` prints'
  return caused(
    new LockError(
      'ERR_LOCK_ACCESS',
      `PostgreSQL at ${place}: the role may not create or change the schema: ${remedy} (${error.message})`,
    ),
    error,
  )
}

/** The row was deleted by a statement of somebody else: `remove()` refuses a lock that is held. */
export function rowGoneError(text: string): LockError {
  return new LockError(
    'ERR_LOCK_ACCESS',
    `${text}: its row was deleted while it was held: remove a lock by locks.remove(), which refuses that`,
  )
}

export function lostError(text: string, why: string, cause?: unknown): LockError {
  return caused(
    new LockError(
      'ERR_LOCK_LOST',
      `a hold of ${text} was lost, because the connection to the server that had it ended: ${why}. Another process ` +
        'may hold the lock now: let the resource refuse old tokens',
    ),
    cause,
  )
}

function caused(error: LockError, cause: unknown): LockError {
  if (cause !== undefined) {
    Object.defineProperty(error, 'cause', { value: cause, configurable: true, writable: true })
  }
  return error
}
