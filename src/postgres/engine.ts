import type { EngineCapabilities, LockEngine } from '../engine.js'
import { coded, LockError, notWriterError } from '../errors.js'
import { FAILED, type HoldEnd, MODE_NAMES, type Mode, type READ, UPGRADABLE, WRITE } from '../modes.js'
import type { Notice } from '../notice.js'
import type { PendingRequest } from '../pending.js'
import type { LockLocation, LockSnapshot } from '../types.js'
import type { Row, ServerError } from './adapter.js'
import type { Contention } from './contention.js'
import { lostError, rowGoneError, serverError } from './errors.js'
import { type Grant, PostgresHold } from './hold.js'
import { inspect, timeoutMessage } from './inspect.js'
import type { LocalLock } from './local-lock.js'
import { shortened } from './options.js'
import { Entry } from './requests.js'
import type { ServerHold } from './server-hold.js'
import type { Client } from './server-lock.js'
import { SessionLost } from './session.js'
import type { StatementName } from './statements.js'
import { within } from './time.js'

const CAPABILITIES: EngineCapabilities = {
  sync: false,
  upgradable: true,
  ownerDied: true,
  value: true,
  contention: true,
  steal: false,
}

/** The longest value, in bytes. */
const MAX_VALUE = 1024
const MAX_TIMER = 2 ** 31 - 1
/** How long a timeout waits for the server to say who holds the lock, in milliseconds. */
const EXPLANATION = 1000

/** Closes what the open lock needs of its `PostgresLocks`. */
export interface EngineOptions {
  readonly label: string
  readonly fairness: number
  readonly identity: string
  /** Called when the lock is closed. */
  readonly onClose: () => void
}

/** The engine of one open lock. */
export class PostgresEngine implements LockEngine<Grant> {
  readonly capabilities = CAPABILITIES
  readonly location: LockLocation
  readonly losses = new Set<AbortController>()
  closed = false
  readonly #client: Client
  readonly #local: LocalLock
  readonly #contention: Contention
  readonly #options: EngineOptions
  readonly #requests = new Map<PendingRequest<Grant>, Entry | null>()
  readonly #holds = new Set<PostgresHold>()
  readonly #notices = new Set<Notice<Grant>>()

  constructor(client: Client, local: LocalLock, contention: Contention, options: EngineOptions) {
    this.#client = client
    this.#local = local
    this.#contention = contention
    this.#options = options
    this.location = { name: local.name }
  }

  get text(): string {
    return this.#local.text
  }

  get identity(): string {
    return this.#options.identity
  }

  assertOpen(): void {
    if (this.closed)
      throw new LockError('ERR_LOCK_CLOSED', `${this.text} is closed: open it again with open()`)
  }

  // ---- acquiring

  async tryAcquire(lock: object, mode: Mode, label?: string): Promise<PostgresHold | null> {
    this.assertOpen()
    const own = this.#labelOf(label)
    const hold = await this.#local.try(mode, own, this.#options.fairness)
    if (hold === null) return null
    if (this.closed) {
      await this.#local.release(hold, FAILED)
      this.assertOpen()
    }
    return this.#hold(lock, mode, { hold, token: hold.token, label: own, since: performance.now() }, label)
  }

  /** The label of a hold, whose option is `given`. */
  #labelOf(given: string | undefined, before: string = this.#options.label): string {
    return given === undefined ? before : shortened(given)
  }

  request(request: PendingRequest<Grant>): void {
    const { again, upgrade, timeout } = request
    this.#client.sessions.keepAlive.begin()
    if (timeout === 0 && again === null) {
      this.#requests.set(request, null)
      void this.#requestNow(request)
      return
    }
    const before = upgrade ?? again
    const label = this.#labelOf(request.label, before?.grant.label)
    const entry = new Entry(request, label, this.#options.fairness, () => this.#settled(request))
    this.#requests.set(request, entry)
    if (timeout !== Number.POSITIVE_INFINITY) {
      entry.timer = setTimeout(() => void this.#timeOut(entry), Math.min(Math.ceil(timeout), MAX_TIMER))
    }
    if (upgrade !== null) void this.#local.upgrade(entry, upgrade.grant.hold)
    else if (again === null) this.#local.add(entry)
    else {
      this.#local.add(entry, () => {
        again.ended = true
        this.#holds.delete(again as PostgresHold)
        again.grant.hold.holds.delete(again as PostgresHold)
        void this.#local.release(again.grant.hold, 0)
      })
    }
  }

  /** A request that does not wait. */
  async #requestNow(request: PendingRequest<Grant>): Promise<void> {
    const { mode, upgrade } = request
    const label = this.#labelOf(request.label)
    try {
      if (upgrade !== null) {
        const { hold } = upgrade.grant
        if (await this.#local.tryUpgrade(hold, upgrade.grant.label)) {
          const grant = { hold, token: hold.token, label: upgrade.grant.label, since: performance.now() }
          if (!request.grant(grant)) await this.#local.downgrade(hold, UPGRADABLE, false)
          return
        }
      } else {
        const hold = await this.#local.try(mode, label, this.#options.fairness)
        if (hold !== null) {
          const grant = { hold, token: hold.token, label, since: performance.now() }
          if (!request.grant(grant)) await this.#local.release(hold, FAILED)
          return
        }
      }
      if (!request.done) request.timeOut(await this.#timeoutError(request))
    } catch (error) {
      request.fail(error)
    } finally {
      this.#settled(request)
    }
  }

  async #timeOut(entry: Entry): Promise<void> {
    const { request } = entry
    const expired = this.#local.expire(entry)
    // Without a connection nothing can be granted.
    const isConnected = this.#client.sessions.all.size > 0
    if (isConnected) await within(EXPLANATION, expired)
    if (request.done) return
    const outage = entry.attempt?.unavailable ?? this.#local.outage
    const error =
      outage ?? (isConnected ? await this.#timeoutError(request) : this.#notConnectedError(request))
    if (request.done) return
    this.#settled(request)
    request.timeOut(error)
    this.#local.remove(entry)
  }

  #notConnectedError({ timeout }: PendingRequest<Grant>): LockError {
    return new LockError(
      'ERR_LOCK_UNAVAILABLE',
      `${this.text}: there was no connection to PostgreSQL at ${this.#client.sessions.config.place} within ${timeout} ms`,
    )
  }

  /** Message and holders are of one snapshot. */
  async #timeoutError(request: PendingRequest<Grant>): Promise<LockError> {
    const { mode, timeout, upgrade } = request
    const wanted = upgrade === null ? `for ${MODE_NAMES[mode]}` : 'for an upgrade'
    const inTime = timeout === 0 ? 'at once' : `within ${timeout} ms`
    const text = `${this.text} was not granted ${wanted} ${inTime}`
    try {
      const snapshot = await within(EXPLANATION, inspect(this.#client, this.#local))
      if (snapshot !== undefined) {
        return new LockError(
          'ERR_LOCK_TIMEOUT',
          `${text}: ${timeoutMessage(snapshot, this.#client)}`,
          snapshot.holders,
        )
      }
    } catch {
      // It is not known who holds it.
    }
    return new LockError('ERR_LOCK_TIMEOUT', `${text}, and the server does not say who holds it`, [])
  }

  cancel(request: PendingRequest<Grant>): void {
    const entry = this.#requests.get(request)
    this.#settled(request)
    if (entry) this.#local.remove(entry)
  }

  advance(): void {
    this.#local.pump()
  }

  /** The request has ended. */
  #settled(request: PendingRequest<Grant>): void {
    const entry = this.#requests.get(request)
    if (entry === undefined) return
    this.#requests.delete(request)
    clearTimeout(entry?.timer)
    this.#client.sessions.keepAlive.end()
  }

  granted(request: PendingRequest<Grant>, grant: Grant): PostgresHold {
    const { lock, mode, label, upgrade, again } = request
    this.#settled(request)
    const { ownerDied } = grant.hold
    if (again !== null) {
      const hold = again as PostgresHold
      this.#keep(hold, grant)
      hold.regained(grant, ownerDied)
      return hold
    }
    if (upgrade === null) return this.#hold(lock, mode, grant, label)
    this.#becomeWriter(upgrade as PostgresHold, grant)
    return upgrade as PostgresHold
  }

  #hold(lock: object, mode: Mode, grant: Grant, label: string | undefined): PostgresHold {
    const hold = new PostgresHold(this, lock, mode, grant, grant.hold.ownerDied)
    if (label !== undefined) hold.needExtras().label = label
    this.#keep(hold, grant)
    return hold
  }

  #keep(hold: PostgresHold, grant: Grant): void {
    this.#holds.add(hold)
    grant.hold.holds.add(hold)
  }

  #becomeWriter(hold: PostgresHold, grant: Grant): void {
    if (hold.held === WRITE) return // by another call
    hold.held = WRITE
    hold.grant = grant
    hold.upgraded(grant.hold.ownerDied)
  }

  // ---- changing and ending holds

  async tryUpgrade(hold: PostgresHold): Promise<boolean> {
    const { hold: serverHold, label } = hold.grant
    if (!(await this.#local.tryUpgrade(serverHold, label))) return false
    if (hold.ended) return false // released meanwhile
    this.#becomeWriter(hold, { hold: serverHold, token: serverHold.token, label, since: performance.now() })
    return true
  }

  async downgrade(hold: PostgresHold, to: typeof READ | typeof UPGRADABLE): Promise<void> {
    const { grant } = hold
    await this.#local.downgrade(grant.hold, to)
    if (hold.ended) return
    hold.held = to
    hold.grant = { ...grant, since: performance.now() }
  }

  /** Resolves when the server has released it. Never rejects. */
  release(hold: PostgresHold, end: HoldEnd): Promise<void> | undefined {
    this.#holds.delete(hold)
    hold.grant.hold.holds.delete(hold)
    const released = this.#local.release(hold.grant.hold, end)
    return hold.isDetached ? undefined : released
  }

  /** Called when the session of a hold has ended. */
  lost(serverHold: ServerHold, reason: SessionLost): void {
    for (const hold of serverHold.holds) {
      if (!this.#holds.delete(hold)) continue
      serverHold.holds.delete(hold)
      hold.lose(lostError(this.text, reason.message, reason.why))
    }
  }

  // ---- contention

  isContended(hold: PostgresHold): boolean {
    return this.#contention.isContended(hold.held, hold.grant.since)
  }

  notify(notice: Notice<Grant>, mode: Mode): void {
    this.#notices.add(notice)
    this.#contention.notify(notice, mode)
  }

  forget(notice: Notice<Grant>): void {
    this.#notices.delete(notice)
    this.#contention.forget(notice)
  }

  // ---- the value, inspecting and closing

  tokenOf(grant: Grant): bigint {
    return grant.token
  }

  /** A statement in the session of a hold. */
  async #ask(
    hold: PostgresHold,
    statement: StatementName,
    values: readonly unknown[],
  ): Promise<readonly Row[]> {
    try {
      return await hold.grant.hold.session.run(statement, values)
    } catch (error) {
      this.assertOpen()
      if (error instanceof SessionLost) throw lostError(this.text, error.message, error.why)
      throw serverError(this.text, error as ServerError)
    }
  }

  async getValue(hold: PostgresHold): Promise<Uint8Array | null> {
    const [row] = await this.#ask(hold, 'getValue', [this.#local.key])
    return bytesOf(row?.value)
  }

  async setValue(hold: PostgresHold, value: Uint8Array | null): Promise<void> {
    if (value !== null && value.length > MAX_VALUE) {
      throw coded(
        'ERR_INVALID_ARG_VALUE',
        `value must have at most ${MAX_VALUE} bytes. Received ${value.length} bytes`,
      )
    }
    // After a downgrade that was not awaited it is no write hold.
    const { hold: serverHold } = hold.grant
    while (serverHold.changing !== undefined) await serverHold.changing.catch(() => {})
    hold.assertHeld()
    if (serverHold.mode !== WRITE) {
      throw notWriterError(this.text, MODE_NAMES[serverHold.mode] as string)
    }
    const hex = value === null ? null : Buffer.from(value).toString('hex')
    const rows = await this.#ask(hold, 'setValue', [this.#local.key, hex])
    if (rows.length === 0) throw rowGoneError(this.text)
  }

  async inspect(): Promise<LockSnapshot> {
    const snapshot = await inspect(this.#client, this.#local)
    this.assertOpen()
    return snapshot
  }

  async close(): Promise<void> {
    if (this.closed) return
    this.closed = true
    for (const request of [...this.#requests.keys()]) {
      request.withdraw(new LockError('ERR_LOCK_CLOSED', `${this.text} was closed while this waited for it`))
    }
    const releases = [...this.#holds].map((hold) => this.release(hold, FAILED))
    for (const notice of [...this.#notices]) notice.end()
    const losses = [...this.losses]
    this.losses.clear()
    for (const loss of losses) {
      loss.abort(new LockError('ERR_LOCK_CLOSED', `${this.text} was closed while this guard held it`))
    }
    this.#local.pump()
    this.#options.onClose()
    await Promise.all(releases)
  }
}

export function bytesOf(hex: string | null | undefined): Uint8Array | null {
  return hex == null ? null : new Uint8Array(Buffer.from(hex, 'hex'))
}
