import { threadId } from 'node:worker_threads'
import { LockError } from '../errors.js'
import type { AsyncSemaphore } from '../permits.js'
import type { AsyncRWLock, LockSnapshot } from '../types.js'
import { placeOf, type Row, runScript, type ServerError } from './adapter.js'
import { Contention } from './contention.js'
import { PostgresEngine } from './engine.js'
import { connectError, migrateError, serverError } from './errors.js'
import { snapshotOf } from './inspect.js'
import { keyOf } from './keys.js'
import { LocalLock } from './local-lock.js'
import { PostgresLock } from './lock.js'
import {
  checkLocksOptions,
  checkName,
  checkOpenOptions,
  checkSemaphoreOptions,
  type OpenOptions,
  type PostgresLocksOptions,
  type SemaphoreOptions,
  shortened,
} from './options.js'
import { migrationOf, quoted } from './schema.js'
import { PostgresSemaphore } from './semaphore.js'
import type { Client } from './server-lock.js'
import type { KeepAlive } from './session.js'
import { Sessions } from './sessions.js'
import { statementsOf } from './statements.js'
import { within } from './time.js'

/** How long local readers share a hold while others wait, in milliseconds. */
const FAIRNESS = 10
const LONGEST_TIMER = 2 ** 31 - 1
/** How long a close waits for the server to cancel requests, in milliseconds. */
const CANCELS = 1000

interface Shared {
  readonly local: LocalLock
  readonly contention: Contention
  readonly engines: Set<PostgresEngine>
}

/**
 * Reader-writer locks that every machine shares that can reach a PostgreSQL server, version 14 or
 * later.
 *
 * ```ts
 * const locks = new PostgresLocks({ connectionString: process.env.DATABASE_URL })
 * await locks.migrate()
 * const lock = locks.open('orders/42')
 * await lock.write(async (guard) => { … })   // guard.token is the fencing token
 * ```
 *
 * A lock has the API of `RWLock` without its synchronous methods: see {@link AsyncRWLock}. A hold
 * belongs to a connection. If that ends, the hold is lost: `guard.signal` aborts, and calls with a
 * function reject with `ERR_LOCK_LOST`, even if the function succeeded.
 *
 * The package `pg`, version 8.23 or later, must be installed.
 */
export class PostgresLocks implements AsyncDisposable {
  readonly #options: ReturnType<typeof checkLocksOptions>
  readonly #sessions: Sessions
  readonly #client: Client
  readonly #place: string
  /** What is open or in use, by name. */
  readonly #locks = new Map<string, Shared>()
  #closed = false

  /**
   * Connects at the first use of a lock.
   *
   * @throws `ERR_LOCK_UNSUPPORTED` if `pg` is not installed; `ERR_INVALID_ARG_TYPE`,
   * `ERR_INVALID_ARG_VALUE`.
   */
  constructor(options?: PostgresLocksOptions) {
    const checked = checkLocksOptions(options)
    const { pg, config, schema, label, maxSessions, heartbeat, pooled, host } = checked
    const statements = statementsOf(quoted(schema))
    const { pid } = process
    this.#options = checked
    this.#place = placeOf(pg, config)
    this.#sessions = new Sessions(
      { pg, config, place: this.#place, schema, statements, label, pid, threadId, host, heartbeat, pooled },
      keepAlive(),
      maxSessions,
    )
    this.#client = { sessions: this.#sessions, pid, threadId, host }
  }

  /**
   * Brings the schema in the database to the version of this package, and creates it if there is
   * none. Without effect if it has this version or a later one. Clients of earlier versions may be
   * connected meanwhile, and work on.
   *
   * The role must be allowed to create a schema, or own it. For another role, run what
   * `npx process-rwlock postgres schema` prints.
   *
   * Rejects with `ERR_LOCK_ACCESS`, `ERR_LOCK_UNAVAILABLE`.
   */
  async migrate(): Promise<void> {
    const { pg, config, schema } = this.#options
    try {
      await runScript(pg, config, migrationOf(schema))
    } catch (error) {
      throw migrateError(this.#place, error as ServerError)
    }
  }

  /**
   * Opens a lock. It connects at its first use, and creates its row if there is none. Opening the
   * same lock twice gives two objects that exclude each other.
   *
   * @param name - 1 to 1,024 bytes of UTF-8.
   * @throws `ERR_LOCK_CLOSED`; `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`.
   */
  open(name: string | { name: string }, options?: OpenOptions): AsyncRWLock {
    return this.#open(name, options).lock
  }

  /**
   * Opens a semaphore: at most `permits` uses at one time, of all processes together. It is a lock
   * with `maxReaders`, and a permit is a read hold of it: so the permits of a process that dies are
   * free when the server has ended its sessions, and a lost one aborts `permit.signal`. The
   * requests that wait are served in the order of a queue in which each process has one place, and
   * those of one process in their order. A call inside of another one takes a permit of its own, and
   * waits for itself if there is none.
   *
   * A request that waits needs a connection of its own, and so may a permit: see `maxSessions`.
   *
   * The methods of the semaphore reject with `ERR_LOCK_INCOMPATIBLE` if it was created by
   * {@link PostgresLocks.open} without `maxReaders`.
   *
   * @param name - 1 to 1,024 bytes of UTF-8. A lock of this name is the same lock.
   * @throws As {@link PostgresLocks.open}.
   */
  semaphore(name: string | { name: string }, options: SemaphoreOptions): AsyncSemaphore {
    const { lock, local } = this.#open(name, checkSemaphoreOptions(options))
    return new PostgresSemaphore(lock, () => local.limit)
  }

  #open(name: string | { name: string }, options: OpenOptions | undefined) {
    const checkedName = checkName(name)
    const checked = checkOpenOptions(options)
    const { label = this.#options.label, fairness = FAIRNESS, maxReaders = null, reentrant } = checked
    this.#assertOpen()
    const shared = this.#sharedOf(checkedName, maxReaders)
    const { local, contention, engines } = shared
    const engine: PostgresEngine = new PostgresEngine(this.#client, local, contention, {
      label: shortened(label),
      fairness,
      // First the name: locks that are acquired together have one order, whatever the host is called.
      identity: `postgres:${checkedName}\0${this.#options.schema}@${this.#place}`,
      onClose: () => {
        engines.delete(engine)
        if (engines.size === 0) void this.#forgetWhenUnused(checkedName, shared)
      },
    })
    engines.add(engine)
    return { lock: new PostgresLock(engine, reentrant), local }
  }

  #sharedOf(name: string, maxReaders: number | null): Shared {
    const known = this.#locks.get(name)
    if (known !== undefined) {
      known.local.newLimit ??= maxReaders
      return known
    }
    const key = keyOf(this.#options.schema, name)
    const local = new LocalLock(this.#client, name, key, `lock '${name}'`, maxReaders)
    const engines = new Set<PostgresEngine>()
    local.onLoss = (hold, reason) => {
      for (const engine of [...engines]) engine.lost(hold, reason)
    }
    const shared = { local, contention: new Contention(local), engines }
    this.#locks.set(name, shared)
    return shared
  }

  async #forgetWhenUnused(name: string, shared: Shared): Promise<void> {
    await shared.local.settled()
    if (shared.engines.size > 0 || this.#locks.get(name) !== shared) return
    if (!shared.local.isUsed) this.#locks.delete(name)
  }

  /**
   * All locks of the schema, in the order of their names, each as it was at one moment.
   *
   * Rejects with `ERR_LOCK_CLOSED`, `ERR_LOCK_ACCESS`, `ERR_LOCK_UNAVAILABLE`.
   */
  async list(): Promise<LockSnapshot[]> {
    this.#assertOpen()
    const main = await this.#sessions.main()
    try {
      const [before, holders, rows] = await Promise.all([
        main.run('rows'),
        main.run('holders', [null]),
        main.run('rows'),
      ])
      const byKey = new Map(before.map((row) => [row.key, row]))
      const held = new Map<unknown, Row[]>()
      for (const row of holders) held.set(row.key, [...(held.get(row.key) ?? []), row])
      return rows.map((row) => {
        const key = row.key
        const name = row.name as string
        const local = this.#locks.get(name)?.local
        return snapshotOf(this.#client, name, local, held.get(key) ?? [], row, byKey.get(key))
      })
    } catch (error) {
      throw connectError(this.#place, error as ServerError)
    }
  }

  /**
   * Removes a lock that nobody holds or waits for: its value, and the report of a dead writer.
   * `false` if there is none. Later tokens of any lock are greater than those of the removed one.
   *
   * Rejects with `ERR_LOCK_BUSY` if it is held or waited for; as {@link PostgresLocks.list}.
   */
  async remove(name: string | { name: string }): Promise<boolean> {
    const checkedName = checkName(name)
    this.#assertOpen()
    const local = this.#locks.get(checkedName)?.local
    const busy = () =>
      new LockError('ERR_LOCK_BUSY', `lock '${checkedName}' is held or waited for: close it everywhere first`)
    await local?.settled()
    const main = await this.#sessions.main()
    if (local?.isUsed) throw busy()
    let state: string | null | undefined
    try {
      const [row] = await main.run('remove', [keyOf(this.#options.schema, checkedName)])
      state = row?.state
    } catch (error) {
      // It is not known what the session has now.
      if (main.dead === null) main.die(error as Error)
      throw serverError(`lock '${checkedName}'`, error as ServerError)
    }
    if (state === 'busy') throw busy()
    return state === 'removed'
  }

  /**
   * Closes every lock that was opened here, and ends the connections. Pending acquisitions reject
   * with `ERR_LOCK_CLOSED`, and holds are released. No effect if it is closed.
   */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    const engines = [...this.#locks.values()].flatMap(({ engines }) => [...engines])
    await Promise.all(engines.map((engine) => engine.close()))
    await within(CANCELS, Promise.all([...this.#locks.values()].map(({ local }) => local.cancelled())))
    this.#sessions.close(this.#closedError())
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #assertOpen(): void {
    if (this.#closed) throw this.#closedError()
  }

  #closedError(): LockError {
    return new LockError(
      'ERR_LOCK_CLOSED',
      `the locks at ${this.#place} are closed: create new PostgresLocks`,
    )
  }
}

/** Keeps the process alive while there is something to wait for. */
function keepAlive(): KeepAlive {
  let count = 0
  let timer: NodeJS.Timeout | undefined
  return {
    begin() {
      count++
      timer ??= setInterval(() => {}, LONGEST_TIMER)
      if (count === 1) timer.ref()
    },
    end() {
      count--
      if (count === 0) timer?.unref()
    },
  }
}
