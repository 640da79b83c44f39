// The operations that are needed of a client for PostgreSQL, over `pg`.
import { createRequire } from 'node:module'
import { coded, LockError } from '../errors.js'

/** A statement, prepared under its name at its first use in a connection. */
export interface Statement {
  readonly name: string
  readonly text: string
}

/** The columns of all statements. */
type Column =
  | 'backend'
  | 'count'
  | 'died'
  | 'granted'
  | 'host'
  | 'key'
  | 'label'
  | 'max_readers'
  | 'mode'
  | 'ms'
  | 'name'
  | 'ok'
  | 'permit'
  | 'pid'
  | 'role'
  | 'standby'
  | 'state'
  | 'thread_id'
  | 'timeline'
  | 'token'
  | 'value'
  | 'value_token'
  | 'version'
  | 'writer'

/** Values as text, as the server sends them; `null` is NULL. */
export type Row = Readonly<Partial<Record<Column, string | null>>>

/** An error of the server has `code`, its SQLSTATE, and `severity`. */
export type ServerError = Error & { code?: string; severity?: string }

export interface Connection {
  /** The process id that the server announced. */
  readonly pid: number
  /** Sends a statement at once. The answers come in the order of the statements. */
  query(
    statement: Statement,
    values: readonly unknown[],
    done: (error: ServerError | null, rows: readonly Row[]) => void,
  ): void
  /** Calls `listener` once, when the connection has ended or failed. */
  lost(listener: (cause: Error) => void): void
  /** Ends it, at once or after the answers to what was sent. */
  end(atOnce: boolean): void
}

/** The part of `pg` that is used. */
export interface PgModule {
  Client: new (config: object) => PgClient
}

interface PgClient {
  readonly processID: number | null
  readonly host: string
  readonly port: number
  readonly database?: string
  /** Not in a client of `pg-native`. */
  readonly connection?: { stream: { destroy(): void } }
  readonly connectionParameters: { query_timeout?: unknown }
  binary: boolean
  connect(): Promise<unknown>
  query(config: object, done: (error: ServerError, result: { rows: Row[] }) => void): void
  query(text: string): Promise<unknown>
  on(event: 'error' | 'end', listener: (error?: Error) => void): void
  end(): Promise<void>
  unref(): void
}

/** `pg`, which the program has installed. */
export function loadPg(): PgModule {
  try {
    return createRequire(__filename)('pg')
  } catch (cause) {
    throw Object.assign(
      new LockError(
        'ERR_LOCK_UNSUPPORTED',
        'process-rwlock/postgres needs the package pg, version 8.23 or later: npm install pg',
      ),
      { cause },
    )
  }
}

/** No value is converted: a program may have changed the parsers of `pg`. */
const TEXT = { getTypeParser: () => (text: string) => text }

const AS_LIBRARY = { pipeline: true, types: TEXT, keepAlive: true }

/**
 * Where the locks are, as far as it is known without a connection.
 *
 * @throws `ERR_INVALID_ARG_VALUE`, `ERR_LOCK_UNSUPPORTED`
 */
export function placeOf(pg: PgModule, config: object): string {
  let client: PgClient
  try {
    client = new pg.Client(config)
  } catch (cause) {
    const { message } = cause as Error
    throw Object.assign(coded('ERR_INVALID_ARG_VALUE', `options: pg does not accept them: ${message}`), {
      cause,
    })
  }
  const { host, port, database, connection } = client
  if (connection === undefined) {
    throw new LockError(
      'ERR_LOCK_UNSUPPORTED',
      'process-rwlock/postgres needs the client of pg that is written in JavaScript, not that of pg-native: ' +
        'unset NODE_PG_FORCE_NATIVE, or pass { pg } with another one',
    )
  }
  return `${host}:${port}/${database ?? ''}`
}

/** `signal` aborts it, or loses the connection. */
export async function connect(pg: PgModule, config: object, signal: AbortSignal): Promise<Connection> {
  const client = new pg.Client({ ...config, ...AS_LIBRARY })
  // For the queries of the program: in its options, in the connection string or in `pg.defaults`.
  client.binary = false
  client.connectionParameters.query_timeout = 0
  const cut = () => client.connection?.stream.destroy()
  let cause: Error | undefined
  let ended = false
  let listener: ((cause: Error) => void) | undefined
  const lose = (error: Error) => {
    cause ??= error
    if (ended) return
    ended = true
    listener?.(cause)
  }
  client.on('error', (error) => lose(error as Error))
  client.on('end', () => lose(new Error('the connection has ended')))
  signal.addEventListener('abort', () => {
    lose(signal.reason)
    cut()
  })
  try {
    await client.connect()
  } catch (error) {
    cut()
    throw signal.aborted ? signal.reason : error
  }
  // What waits for an answer keeps the process alive, not the connection.
  client.unref()
  return {
    pid: client.processID as number,
    query(statement, values, done) {
      const config = { name: statement.name, text: statement.text, values, types: TEXT }
      client.query(config, (error, result) => done(error ?? null, result?.rows ?? []))
    },
    lost(given) {
      listener = given
      if (ended) given(cause as Error)
    },
    end(atOnce) {
      ended = true
      if (atOnce) cut()
      else client.end().catch(() => {})
    },
  }
}

/** Runs several statements without parameters, in a connection of its own. */
export async function runScript(pg: PgModule, config: object, text: string): Promise<void> {
  const client = new pg.Client(config)
  client.on('error', () => {}) // the call that fails has it, too
  await client.connect()
  try {
    await client.query(text)
  } finally {
    await client.end().catch(() => {})
  }
}
