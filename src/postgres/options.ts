import { hostname } from 'node:os'
import { coded, invalidType, invalidValue } from '../errors.js'
import { checkBoolean, checkCount, checkLabel, checkMs, checkObject } from '../options.js'
import { loadPg, type PgModule } from './adapter.js'

/** Where the locks are, and how to connect. */
export interface PostgresLocksOptions {
  /** As for `pg`. Without it, the other options of `pg` and the variables `PGHOST`, `PGUSER` … count. */
  connectionString?: string | undefined
  /** The schema that {@link PostgresLocks.migrate} creates; `'rwlock'` by default. */
  schema?: string | undefined
  /** The name of this process in `inspect()`; `process.title` by default. */
  label?: string | undefined
  /** The most connections of this object; 16 by default. One suffices, at the price of slower waits. */
  maxSessions?: number | undefined
  /**
   * How often a connection that has a hold is checked, in milliseconds; 2000 by default. A hold is
   * lost, and its holder is told, when there was no answer for twice as long. The server gives the
   * lock to the next one when it has heard nothing for five times as long. At least 100.
   */
  heartbeat?: number | undefined
  /**
   * `'session'`: there is a connection pooler in between that keeps a session of the server for each
   * client until it disconnects, such as pgbouncer with `pool_mode = session`. In any other mode a
   * pooler breaks the locks, so one is refused without this option.
   */
  pooler?: 'session' | undefined
  /** The module `pg`; by default the one that is installed. */
  pg?: { Client: new (...args: never[]) => object } | undefined
  /** Any other option is passed to the client of `pg`: `host`, `user`, `password`, `ssl` … */
  [option: string]: unknown
}

/** How to open one lock. */
export interface OpenOptions {
  /** The name of this process in `inspect()`; by default that of the {@link PostgresLocks}. */
  label?: string | undefined
  /**
   * How long readers of this process may join one of its read holds while others wait, in
   * milliseconds; 10 by default. 0 is strict first-come, first-served order.
   */
  fairness?: number | undefined
  /**
   * The most read holds at one time, of all processes together: 1 to 65,535; no limit by default.
   * Each read hold counts, also a nested one; upgradable and write holds do not count. The process
   * that creates the lock sets it, and `inspect().maxReaders` shows it: for another one, remove the
   * lock. See {@link PostgresLocks.semaphore}.
   */
  maxReaders?: number | undefined
  /** As for `RWLock`: whether calls inside a call of the same lock share its hold. */
  reentrant?: boolean | undefined
}

/** How to open a semaphore. */
export interface SemaphoreOptions {
  /**
   * The number of permits, of all processes together: 1 to 65,535. The process that creates the
   * semaphore sets it, and `inspect().permits` shows it: for another number, remove it.
   */
  permits: number
  /** The name of this process in `inspect()`; by default that of the {@link PostgresLocks}. */
  label?: string | undefined
}

export interface CheckedOptions {
  readonly pg: PgModule
  readonly config: object
  readonly schema: string
  readonly label: string
  readonly maxSessions: number
  readonly heartbeat: number
  readonly pooled: boolean
  readonly host: string
}

/** The most bytes of a name, in UTF-8. */
const MAX_NAME = 1024
/** A permit has 16 bits of its key, and the last number is that of the queue. */
const MAX_READERS = 65_535
const MAX_LABEL = 48
/** `pg` takes anything else, such as `host=…` of libpq, for a database of a host named base. */
const URL_OR_SOCKET = /^([a-z][a-z\d+.-]*:\/\/|socket:|\/)/i
const LONE_SURROGATE = /\p{Surrogate}/u
const LONE_SURROGATES = /\p{Surrogate}/gu

export function checkLocksOptions(options: PostgresLocksOptions | undefined): CheckedOptions {
  checkObject('options', options)
  const {
    schema = 'rwlock',
    label = process.title,
    maxSessions = 16,
    heartbeat = 2000,
    pooler,
    pg,
    ...config
  } = options ?? {}
  const { connectionString } = config
  if (connectionString !== undefined && typeof connectionString !== 'string') {
    throw invalidType('options.connectionString', 'a string', connectionString)
  }
  if (connectionString && !URL_OR_SOCKET.test(connectionString)) {
    // Not what it is: it may have a password.
    throw coded(
      'ERR_INVALID_ARG_VALUE',
      'options.connectionString: pg reads a URL, postgres://user@host:port/database, or the path of a socket',
    )
  }
  if (pg != null && typeof pg.Client !== 'function') throw invalidType('options.pg', 'the module pg', pg)
  if (typeof schema !== 'string') throw invalidType('options.schema', 'a string', schema)
  checkLabel('options.label', label)
  if (typeof maxSessions !== 'number') throw invalidType('options.maxSessions', 'a number', maxSessions)
  if (!Number.isInteger(maxSessions) || maxSessions < 1) {
    throw invalidValue('options.maxSessions', maxSessions, 'must be an integer from 1')
  }
  checkMs('options.heartbeat', heartbeat)
  if (heartbeat < 100 || heartbeat > 60_000) {
    throw invalidValue('options.heartbeat', heartbeat, 'must be 100 to 60000 milliseconds')
  }
  if (pooler !== undefined && pooler !== 'session') {
    throw invalidValue('options.pooler', pooler, "must be 'session', or left out")
  }
  return {
    pg: (pg as PgModule | undefined) ?? loadPg(),
    config,
    schema,
    label: shortened(label),
    maxSessions,
    heartbeat,
    pooled: pooler !== undefined,
    host: hostname(),
  }
}

export function checkOpenOptions(options: OpenOptions | undefined): OpenOptions {
  checkObject('options', options)
  const { label, fairness, maxReaders, reentrant } = options ?? {}
  checkLabel('options.label', label)
  checkMs('options.fairness', fairness)
  checkCount('options.maxReaders', maxReaders, MAX_READERS)
  checkBoolean('options.reentrant', reentrant)
  return { label, fairness, maxReaders, reentrant }
}

/** The options of the lock of a semaphore. */
export function checkSemaphoreOptions(options: SemaphoreOptions): OpenOptions {
  checkObject('options', options)
  const { permits, label } = options ?? {}
  if (permits === undefined) throw invalidType('options.permits', 'a number', permits)
  checkCount('options.permits', permits, MAX_READERS)
  return { label, maxReaders: permits }
}

export function checkName(name: unknown): string {
  const given = typeof name === 'object' && name !== null && 'name' in name ? name.name : name
  if (typeof given !== 'string') throw invalidType('The lock name', 'a string', given)
  if (
    given === '' ||
    given.includes('\0') ||
    LONE_SURROGATE.test(given) ||
    Buffer.byteLength(given) > MAX_NAME
  ) {
    throw invalidValue(
      'The lock name',
      given,
      `must have 1 to ${MAX_NAME} bytes of UTF-8, and no null character`,
    )
  }
  return given
}

/** What is kept of a label: whole characters, in up to 48 bytes of UTF-8. */
export function shortened(label: string): string {
  const text = label.replaceAll('\0', '').replace(LONE_SURROGATES, '\ufffd')
  if (Buffer.byteLength(text) <= MAX_LABEL) return text
  const { read } = new TextEncoder().encodeInto(text, new Uint8Array(MAX_LABEL))
  return text.slice(0, read)
}
