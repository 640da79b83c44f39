import type { BlockingEngine, EngineCapabilities } from '../engine.js'
import { LockError, type LockErrorCode } from '../errors.js'
import { Hold } from '../guard.js'
import { writable } from '../inspect.js'
import { FAILED, type HoldEnd, type Mode, READ, type UPGRADABLE, WRITE } from '../modes.js'
import type { Notice } from '../notice.js'
import type { PendingRequest } from '../pending.js'
import type { Acquisition } from '../tracing.js'
import type { AcquireOptions, Guard, LockLocation, LockSnapshot, OwnerDied } from '../types.js'
import type { WaitGraph } from '../wait-graph.js'
import { binding } from './binding.js'
import { isContended, releaseExclusive, releaseRead, tryRead, tryWrite } from './fast-path.js'
import { Label } from './labels.js'
import { copy, nextKey, notices } from './library-copy.js'
import { noticeLoss } from './lost-guards.js'
import { requests } from './requests.js'
import { snapshotOf } from './snapshot.js'
import { translate, translated, withSystemError } from './translate.js'
import { waitGraph } from './wait-graph.js'

/** A hold in shared memory. */
export type SharedHold = Hold<number> & Guard

const CAPABILITIES: EngineCapabilities = {
  sync: true,
  upgradable: true,
  ownerDied: true,
  value: true,
  contention: true,
  steal: true,
}

/** Every open handle of this copy of the library, by its number. */
export const handles = new Map<number, Handle>()

/**
 * The engine of one open lock in shared memory: what a `RWLock` and its guards share. It must not
 * refer to the `RWLock`, because it closes the lock after that was collected.
 *
 * A grant is one number: 1 + the token less `tokenBase`, negative if an earlier writer died; 0 is
 * no grant.
 */
export class Handle implements BlockingEngine<number> {
  readonly capabilities = CAPABILITIES
  closed = false
  /** The holds of this handle, out of those of its attachment. */
  reads = 0
  exclusive: typeof UPGRADABLE | typeof WRITE | 0 = 0
  /** See `lost-guards.ts`. */
  lossToken = {}
  /** The write hold whose loss is watched. */
  watched = 0
  readonly requests = new Set<PendingRequest<number>>()
  readonly labels = new Set<Label>()
  readonly losses = new Set<AbortController>()
  readonly waitGraph: WaitGraph | undefined = waitGraph
  readonly #notices = new Set<Notice<number>>()
  #identity: string | undefined

  constructor(
    readonly location: LockLocation,
    /** The name of this handle in the addon. */
    readonly number: number,
    readonly attachment: number,
    readonly tokenBase: bigint,
    readonly fairness: number,
    /** Nested reads wait in turn. */
    readonly inTurn: boolean,
  ) {
    handles.set(number, this)
  }

  get text(): string {
    return this.location.name === undefined ? `lock ${this.location.path}` : `lock '${this.location.name}'`
  }

  get identity(): string {
    this.#identity ??= translated(() => binding.identity(this.attachment))
    return this.#identity
  }

  assertOpen(): void {
    if (this.closed)
      throw new LockError('ERR_LOCK_CLOSED', `${this.text} is closed: open it again with new RWLock()`)
  }

  // ---- acquiring

  tryAcquire(lock: object, mode: Mode, label?: string): SharedHold | null {
    if (this.closed) this.assertOpen()
    const { attachment } = this
    const grant =
      mode === READ
        ? tryRead(attachment)
        : mode === WRITE
          ? tryWrite(attachment)
          : binding.tryUpgradable(attachment)
    if (grant === 0) return null
    try {
      return this.#hold(lock, mode, grant, label)
    } catch (error) {
      binding.returnGrant(attachment, mode) // no stack or memory was left
      throw error
    }
  }

  /** Waits for the lock, blocking this thread. */
  block(
    lock: object,
    mode: typeof READ | typeof WRITE,
    options: AcquireOptions | undefined,
    trace: Acquisition | undefined = undefined,
  ): SharedHold {
    const { timeout = Number.POSITIVE_INFINITY, label } = options ?? {}
    const now = this.tryAcquire(lock, mode, label)
    if (now !== null) return now
    if (timeout === 0) throw this.timeoutError(mode, false, 0)
    trace?.waits()
    const { attachment, fairness, inTurn } = this
    const grant = translated(() => binding.wait(attachment, mode, timeout, fairness, inTurn, label))
    if (Number.isNaN(grant)) throw this.timeoutError(mode, false, timeout)
    try {
      return this.#hold(lock, mode, grant, label)
    } catch (error) {
      binding.returnGrant(attachment, mode) // as in tryAcquire
      throw error
    }
  }

  /** Makes an upgradable hold the write hold, blocking this thread. */
  blockUpgrade(hold: Hold<number>, options: AcquireOptions | undefined): void {
    if (this.tryUpgrade(hold)) return
    const { timeout = Number.POSITIVE_INFINITY } = options ?? {}
    if (timeout === 0) throw this.timeoutError(WRITE, true, 0)
    const grant = translated(() => binding.waitUpgrade(this.attachment, timeout))
    if (Number.isNaN(grant)) throw this.timeoutError(WRITE, true, timeout)
    // As in tryUpgrade.
    hold.held = WRITE
    hold.grant = grant
    this.exclusive = WRITE
    this.#becomeWriter(hold, grant)
  }

  request(request: PendingRequest<number>): void {
    const { mode, timeout, upgrade, again, label } = request
    if (timeout === 0 && again === null) {
      request.timeOut(this.timeoutError(mode, upgrade !== null, 0)) // tryAcquire or tryUpgrade came first
      return
    }
    const { attachment } = this
    const key = nextKey()
    request.key = key
    // Before the call, which may settle the request.
    requests.set(key, request)
    this.requests.add(request)
    try {
      request.id =
        again !== null
          ? this.#yield(again, key, timeout, label)
          : request.steal
            ? binding.requestSteal(copy.number, key, attachment, timeout, label)
            : upgrade === null
              ? binding.request(
                  copy.number,
                  key,
                  attachment,
                  mode,
                  timeout,
                  this.fairness,
                  this.inTurn,
                  label,
                )
              : binding.requestUpgrade(copy.number, key, attachment, timeout, label)
    } catch (error) {
      requests.delete(key)
      this.requests.delete(request)
      throw translate(error)
    }
    request.waits()
  }

  #yield(hold: Hold<number>, key: number, timeout: number, label: string | undefined): number {
    const { exclusive, reads } = this
    hold.extras?.shown?.drop()
    // Before the call, which may grant the request.
    hold.ended = true
    if (hold.held === READ) this.reads--
    else this.exclusive = 0
    try {
      return binding.yieldHold(
        copy.number,
        key,
        this.attachment,
        hold.held,
        timeout,
        this.fairness,
        this.inTurn,
        label,
      )
    } catch (error) {
      if ((error as LockError).code === undefined) {
        hold.ended = false // no stack was left for the call: nothing has changed
        this.exclusive = exclusive
        this.reads = reads
      }
      throw error
    }
  }

  cancel(request: PendingRequest<number>): void {
    requests.delete(request.key)
    this.requests.delete(request)
    binding.cancel(this.attachment, request.id)
  }

  advance(): void {
    binding.advance(this.attachment)
  }

  granted({ lock, mode, label, upgrade, again }: PendingRequest<number>, grant: number): Hold<number> {
    if (again !== null) return this.#holdAgain(again, grant)
    if (upgrade === null) return this.#hold(lock, mode, grant, label)
    this.#becomeWriter(upgrade, grant)
    return upgrade
  }

  /** A hold of a grant. If this throws, nothing is counted. */
  #hold(lock: object, mode: Mode, grant: number, label: string | undefined): SharedHold {
    const ownerDied = grant < 0 ? this.#ownerDied() : null
    const hold = new Hold<number>(this, lock, mode, grant, ownerDied, this.lossToken)
    if (label !== undefined) {
      hold.needExtras().label = label
      this.#showLabel(hold)
    }
    if (mode === READ) {
      this.reads++
    } else {
      if (mode === WRITE) noticeLoss()
      this.exclusive = mode
    }
    return hold as SharedHold
  }

  /** As `#hold`, for a hold that yielded. */
  #holdAgain(hold: Hold<number>, grant: number): Hold<number> {
    const ownerDied = grant < 0 ? this.#ownerDied() : null
    this.#showLabel(hold)
    if (hold.held === WRITE) noticeLoss()
    hold.regained(grant, ownerDied)
    hold.lossToken = this.lossToken
    if (hold.held === READ) this.reads++
    else this.exclusive = hold.held
    return hold
  }

  // ---- changing and ending holds

  tryUpgrade(hold: Hold<number>): boolean {
    const grant = binding.tryUpgrade(this.attachment)
    if (grant === 0) return false
    // Without a call: no stack may be left for one, and the hold is the write hold now.
    if (hold.held === READ) this.reads--
    hold.held = WRITE
    hold.grant = grant
    this.exclusive = WRITE
    this.#becomeWriter(hold, grant)
    return true
  }

  #becomeWriter(hold: Hold<number>, grant: number): void {
    hold.held = WRITE
    hold.grant = grant
    this.exclusive = WRITE
    hold.upgraded(grant < 0 ? this.#ownerDied() : null)
    hold.lossToken = this.lossToken
    noticeLoss()
    this.#showLabel(hold)
  }

  downgrade(hold: Hold<number>, to: typeof READ | typeof UPGRADABLE): void {
    const { exclusive } = this
    this.exclusive = 0
    try {
      binding.downgrade(this.attachment, to)
    } catch (error) {
      const { code } = error as LockError
      if (code === undefined || code === 'ERR_LOCK_BUSY') {
        this.exclusive = exclusive // nothing has changed: no stack was left, or the limit is reached
        throw code === undefined ? error : translate(error)
      }
      hold.ended = true
      hold.extras?.shown?.drop()
      throw translate(error)
    }
    if (to === READ) this.reads++
    else this.exclusive = to
    hold.held = to
    this.#showLabel(hold)
  }

  release(hold: Hold<number>, end: HoldEnd): void {
    hold.extras?.shown?.drop()
    if (hold.held === READ) this.#releaseRead()
    else this.#releaseExclusive(end)
  }

  /** A hold that was made, and that gets no grant: no longer counted. */
  protected forgetHold(hold: Hold<number>): void {
    hold.extras?.shown?.drop()
    if (hold.held === READ) this.reads--
    else this.exclusive = 0
  }

  #releaseRead(): void {
    releaseRead(this.attachment)
    this.reads--
  }

  #releaseExclusive(end: HoldEnd): void {
    const { exclusive } = this
    // Before the call, which may grant the next request.
    this.exclusive = 0
    try {
      releaseExclusive(this.attachment, end)
    } catch (error) {
      if ((error as LockError).code === undefined) this.exclusive = exclusive // no stack was left for the call
      throw error
    }
  }

  /** The label of a reader has another place than that of an exclusive holder. */
  #showLabel(hold: Hold<number>): void {
    const { extras } = hold
    if (extras?.label === undefined) return
    extras.shown?.drop()
    extras.shown = new Label(this.labels, this.attachment, hold.held === READ, extras.label)
  }

  // ---- contention

  isContended(hold: Hold<number>): boolean {
    return isContended(this.attachment, hold.held)
  }

  notify(notice: Notice<number>, mode: Mode): void {
    const key = nextKey()
    notice.key = key
    // Before the call, which may deliver it.
    notices.set(key, notice)
    this.#notices.add(notice)
    binding.wantNotice(copy.number, key, this.attachment, mode)
  }

  forget(notice: Notice<number>): void {
    this.#notices.delete(notice)
    if (notices.delete(notice.key)) binding.dropNotice(copy.number, notice.key, this.attachment)
  }

  // ---- inspecting and closing

  tokenOf(grant: number): bigint {
    return this.tokenBase + BigInt(Math.abs(grant) - 1)
  }

  #ownerDied(): OwnerDied | null {
    const died = binding.ownerDied(this.attachment)
    return died == null ? null : writable(died)
  }

  getValue(): Uint8Array | null {
    return binding.value(this.attachment) ?? null
  }

  setValue(_hold: Hold<number>, value: Uint8Array | null): void {
    translated(() => binding.setValue(this.attachment, value))
  }

  inspect(): LockSnapshot {
    return snapshotOf(translated(() => binding.inspect(this.attachment)))
  }

  /** Message and holders are of one snapshot. */
  timeoutError(mode: Mode, isUpgrade: boolean, timeout: number): LockError {
    const { message, holders } = translated(() =>
      binding.explainTimeout(this.attachment, mode, isUpgrade, timeout),
    )
    return new LockError('ERR_LOCK_TIMEOUT', message, holders as LockError['holders'])
  }

  /** Why the addon gave up every request of the attachment. */
  failure(): LockError {
    const { code, message, cause } = binding.failure(this.attachment)
    return withSystemError(new LockError(code as LockErrorCode, message), cause)
  }

  close(): void {
    if (this.closed) return
    this.closed = true
    this.#withdrawAll()
    for (const label of this.labels) label.drop()
    try {
      while (this.reads > 0) this.#releaseRead()
      // Not consistent: a write that was granted, and whose function has not run yet, has repaired
      // nothing.
      if (this.exclusive !== 0) this.#releaseExclusive(FAILED)
    } finally {
      for (const notice of [...this.#notices]) notice.end()
      this.leave()
      this.#loseHolds()
    }
  }

  #loseHolds(): void {
    const losses = [...this.losses]
    this.losses.clear()
    for (const loss of losses) {
      loss.abort(new LockError('ERR_LOCK_CLOSED', `${this.text} was closed while this guard held it`))
    }
  }

  #withdrawAll(): void {
    if (this.requests.size === 0) return
    for (const request of this.requests) {
      request.withdraw(new LockError('ERR_LOCK_CLOSED', `${this.text} was closed while this waited for it`))
    }
    // After all of them, so that none is granted meanwhile.
    this.advance()
  }

  /**
   * Closes this handle, and keeps what it holds: after a garbage collection there may be holds
   * whose guards were lost. Those must not end before the thread does.
   */
  leave(): void {
    this.closed = true
    handles.delete(this.number)
    binding.close(copy.number, this.number)
  }
}
