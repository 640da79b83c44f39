import { throwIfAborted } from './abort.js'
import { bytesOf } from './bytes.js'
import { isTraced } from './diagnostics.js'
import type { LockEngine } from './engine.js'
import {
  invalidThis,
  invalidValue,
  LockError,
  notDowngradeError,
  notWriterError,
  readUpgradeError,
} from './errors.js'
import { type Inspect, inspectSymbol, show } from './inspect.js'
import {
  CONSISTENT,
  FAILED,
  type HoldEnd,
  MODE_NAMES,
  type Mode,
  type ModeName,
  READ,
  UPGRADABLE,
  WRITE,
} from './modes.js'
import { Notice } from './notice.js'
import { checkAcquireOptions, checkNoticeOptions } from './options.js'
import { PendingRequest } from './pending.js'
import { Acquisition, noticeOwnerDied, traceUpgrade, traceYield } from './tracing.js'
import type { AcquireOptions, AsyncGuard, Awaitable, NoticeOptions, OwnerDied } from './types.js'

/**
 * What most holds never have. It is allocated when a hold needs it: each field of a hold costs
 * every acquisition.
 */
export class HoldExtras {
  label: string | undefined
  /** For the engine: where it shows the label. */
  shown: { drop(): void } | undefined
  upgrading: PendingRequest | null = null
  ownerDied: OwnerDied | null = null
  /** The request of a hold that yields, and so has ended. */
  yielding: PendingRequest | null = null
  notices: Set<Notice> | undefined
  loss: AbortController | undefined
  /** Why the hold was lost, while its lock is open. */
  lost: LockError | undefined
  /** Called when the hold has ended for good, except with its lock. */
  onEnd: (() => void) | undefined
  /** Called when the hold is lost, as the listeners of its signal, which cost more. */
  onLoss: (() => void) | undefined
  /** Set if the hold is traced. */
  acquisition: Acquisition | undefined
}

/**
 * A guard, as the package itself sees it. Over an engine with the capability `sync` it is a
 * `Guard`.
 */
export class Hold<Grant = unknown> implements AsyncGuard {
  // Fields are declared, and only the constructor assigns them: with initializers, the optimizing
  // compiler does not inline the constructor, and a read pair costs 5 ns more.
  readonly #engine: LockEngine<Grant>
  /** Keeps the lock reachable, and so open, while something has the guard. */
  declare readonly lock: object
  /** Collected with the hold: see `shared-memory/lost-guards.ts`. */
  declare lossToken: object | undefined
  /**
   * The mode; the engine changes it. A field, like `ended`: both are read where no stack may be
   * left for a call.
   */
  declare held: Mode
  /** Ended by this guard or by its engine. A hold also ends with its lock. */
  declare ended: boolean
  declare grant: Grant
  declare extras: HoldExtras | undefined

  constructor(
    engine: LockEngine<Grant>,
    lock: object,
    mode: Mode,
    grant: Grant,
    ownerDied: OwnerDied | null,
    lossToken?: object,
  ) {
    this.#engine = engine
    this.lock = lock
    this.lossToken = lossToken
    this.held = mode
    this.ended = false
    this.grant = grant
    this.extras = undefined
    if (ownerDied !== null) this.#foundDeath(ownerDied)
  }

  #foundDeath(ownerDied: OwnerDied): void {
    this.needExtras().ownerDied = ownerDied
    noticeOwnerDied(this.#engine, this, ownerDied)
  }

  get mode(): ModeName {
    return MODE_NAMES[this.held] as ModeName
  }

  get released(): boolean {
    return this.ended || this.#engine.closed
  }

  get token(): bigint {
    return this.#engine.tokenOf(this.grant)
  }

  get ownerDied(): OwnerDied | null {
    return this.extras === undefined ? null : this.extras.ownerDied
  }

  get contended(): boolean {
    return !this.released && this.#engine.isContended(this)
  }

  get signal(): AbortSignal {
    const extras = this.needExtras()
    if (extras.loss === undefined) {
      extras.loss = new AbortController()
      if (!this.ended) this.#watchLoss(extras.loss)
      else if (extras.lost !== undefined) extras.loss.abort(extras.lost)
    }
    return extras.loss.signal
  }

  #watchLoss(loss: AbortController): void {
    const engine = this.#engine
    if (engine.closed) loss.abort(closed(`${engine.text} was closed while this guard held it`))
    else engine.losses.add(loss)
  }

  /**
   * Called by the engine when the hold ends although it was not released. The engine releases it
   * afterwards: the listeners of `signal` still run inside.
   */
  lose(reason: LockError): void {
    const extras = this.needExtras()
    this.ended = true
    extras.lost = reason
    extras.upgrading?.callOff(reason)
    this.#forgetEvents()
    extras.acquisition?.isLost(this)
    extras.onLoss?.()
    extras.loss?.abort(reason)
  }

  /** Called by the engine when it has upgraded this hold. */
  upgraded(ownerDied: OwnerDied | null): void {
    if (ownerDied === null && this.extras === undefined) return
    this.needExtras().ownerDied = ownerDied
    if (ownerDied !== null) this.#foundDeath(ownerDied)
    this.#renewNotices()
  }

  /** Called by the engine when the hold that yielded has the lock again. */
  regained(grant: Grant, ownerDied: OwnerDied | null): void {
    const extras = this.needExtras()
    if (extras.loss !== undefined) this.#watchLoss(extras.loss)
    extras.ownerDied = ownerDied
    this.grant = grant
    this.ended = false
    if (ownerDied !== null) this.#foundDeath(ownerDied)
  }

  /** Which requests a hold keeps out depends on its mode. */
  #renewNotices(): void {
    const notices = this.extras?.notices
    if (notices === undefined) return
    for (const notice of [...notices]) notice.renew(this.held)
  }

  /** The hold ends: nothing can happen to it any more. */
  #forgetEvents(): void {
    const { extras } = this
    if (extras?.loss !== undefined) this.#engine.losses.delete(extras.loss)
    if (extras?.notices !== undefined) for (const notice of [...extras.notices]) notice.end()
  }

  needExtras(): HoldExtras {
    this.extras ??= new HoldExtras()
    return this.extras
  }

  /** Why a call of `method` failed. A call without its guard gets an error that says so. */
  static #explained(error: unknown, guard: unknown, method: string): unknown {
    const isGuard = typeof guard === 'object' && guard !== null && #engine in guard
    return isGuard ? error : invalidThis('guard', method)
  }

  static #check(guard: unknown, method: string): void {
    const error = Hold.#explained(null, guard, method)
    if (error !== null) throw error
  }

  release(): void | Promise<void> {
    try {
      return this.#end(CONSISTENT)
    } catch (error) {
      throw Hold.#explained(error, this, 'release') // a check before the call would cost every release 1 ns
    }
  }

  /** Calls the function that the lock is held for. */
  run<T>(fn: (guard: this) => T): T {
    return fn(this)
  }

  /** Ends the hold of a function that returned: its caller must learn that the hold was lost. */
  complete(): void | Promise<void> {
    return this.#end(CONSISTENT, true)
  }

  /** Ends the hold of a function that threw. */
  fail(): void | Promise<void> {
    return this.#end(FAILED)
  }

  #end(end: HoldEnd, mustHold = false): void | Promise<void> {
    if (this.released) {
      this.extras?.yielding?.callOff(closed('the hold was released while it yielded'))
      if (mustHold && this.extras?.lost !== undefined) this.#throwEnded()
      return
    }
    // Set first: the release grants the next request, and what that calls may release this guard
    // again.
    this.ended = true
    let released: void | Promise<void>
    try {
      if (this.extras === undefined) return this.#engine.release(this, end)
      this.#endUpgrade('the hold was released while its upgrade was pending')
      this.#forgetEvents()
      const { acquisition } = this.extras
      released =
        acquisition === undefined
          ? this.#engine.release(this, end)
          : acquisition.releases(this, () => this.#engine.release(this, end))
    } catch (error) {
      // No code: the stack overflowed. No call is made here. The hold has not ended, and can be
      // released again.
      if ((error as LockError).code === undefined) this.ended = false
      throw error
    }
    this.extras.onEnd?.()
    return released
  }

  #endUpgrade(message: string): void {
    this.extras?.upgrading?.callOff(closed(message))
  }

  async upgrade(options?: AcquireOptions): Promise<void> {
    Hold.#check(this, 'upgrade')
    const checked = options === undefined ? undefined : checkAcquireOptions(options)
    this.assertHeld()
    const engine = this.#engine
    if (this.held === WRITE) return
    if (this.held === READ) throw readUpgradeError(engine.text)
    const extras = this.needExtras()
    if (extras.upgrading !== null) {
      throw new LockError(
        'ERR_LOCK_BUSY',
        `this hold of ${engine.text} is already being upgraded: await that upgrade`,
      )
    }
    if (!isTraced()) return this.#upgrade(checked, undefined)
    const trace = new Acquisition(this.lock, engine, WRITE, checked, true)
    await traceUpgrade(trace, this, () => this.#upgrade(checked, trace))
  }

  async #upgrade(options: AcquireOptions | undefined, trace: Acquisition | undefined): Promise<void> {
    const engine = this.#engine
    if (options?.signal !== undefined) throwIfAborted(options.signal)
    if (engine.capabilities.sync && engine.tryUpgrade(this)) return
    const request = new PendingRequest(engine, this.lock, WRITE, options, this, null, trace)
    const extras = this.needExtras()
    extras.upgrading = request as PendingRequest
    try {
      await request.promise
    } finally {
      extras.upgrading = null
    }
  }

  tryUpgrade(): Awaitable<boolean> {
    Hold.#check(this, 'tryUpgrade')
    this.assertHeld()
    if (this.held === WRITE) return true
    if (this.extras?.upgrading) return false
    if (!isTraced()) return this.#engine.tryUpgrade(this)
    const trace = new Acquisition(this.lock, this.#engine, WRITE, undefined, true)
    return traceUpgrade(trace, this, () => this.#engine.tryUpgrade(this))
  }

  downgrade(to: 'read' | 'upgradable' = 'read'): void | Promise<void> {
    Hold.#check(this, 'downgrade')
    if (to !== 'read' && to !== 'upgradable') {
      throw invalidValue('to', to, "must be 'read' or 'upgradable'")
    }
    this.assertHeld()
    const target = to === 'read' ? READ : UPGRADABLE
    if (target === this.held) return
    if (this.held === READ) throw notDowngradeError(to)
    this.#endUpgrade('the hold was downgraded while its upgrade was pending')
    const acquisition = this.extras?.acquisition
    const changed =
      acquisition === undefined
        ? this.#engine.downgrade(this, target)
        : acquisition.downgrades(this, () => this.#engine.downgrade(this, target))
    if (this.extras?.notices === undefined) return changed
    if (changed === undefined) return this.#renewNotices()
    return changed.then(() => this.#renewNotices())
  }

  async whenContended(options?: NoticeOptions): Promise<void> {
    Hold.#check(this, 'whenContended')
    const signal = checkNoticeOptions(options)
    if (signal !== undefined) throwIfAborted(signal)
    if (this.released) return
    const extras = this.needExtras()
    extras.notices ??= new Set()
    await new Notice(this.#engine, extras.notices as unknown as Set<Notice<Grant>>, this.held, signal).promise
  }

  async yield(options?: AcquireOptions): Promise<void> {
    Hold.#check(this, 'yield')
    const checked = options === undefined ? undefined : checkAcquireOptions(options)
    this.assertHeld()
    const engine = this.#engine
    const extras = this.needExtras()
    if (extras.upgrading !== null) {
      throw new LockError(
        'ERR_LOCK_BUSY',
        `this hold of ${engine.text} is being upgraded: await that upgrade, and then yield`,
      )
    }
    if (checked?.signal !== undefined) throwIfAborted(checked.signal)
    if (checked?.label !== undefined) extras.label = checked.label
    this.#forgetEvents()
    if (!isTraced() && extras.acquisition === undefined) return this.#yield(checked)
    const label = checked?.label ?? extras.label ?? extras.acquisition?.label
    const trace = new Acquisition(this.lock, engine, this.held, { ...checked, label })
    await traceYield(trace, this, (begun) => this.#yield(checked, trace, begun))
  }

  async #yield(options: AcquireOptions | undefined, trace?: Acquisition, begun?: () => void): Promise<void> {
    const extras = this.needExtras()
    try {
      const request = new PendingRequest(this.#engine, this.lock, this.held, options, null, this, trace)
      begun?.()
      extras.yielding = request as PendingRequest
      await request.promise
    } catch (error) {
      if (this.ended) extras.onEnd?.()
      else if (extras.loss !== undefined) this.#watchLoss(extras.loss) // it could not begin
      throw error
    } finally {
      extras.yielding = null
    }
  }

  get value(): Awaitable<Uint8Array | null> {
    this.assertHeld()
    this.#assertValues()
    return this.#engine.getValue(this)
  }

  setValue(value: Uint8Array | string | null): void | Promise<void> {
    Hold.#check(this, 'setValue')
    const bytes = bytesOf(value)
    this.assertHeld()
    this.#assertValues()
    if (this.held !== WRITE) throw notWriterError(this.#engine.text, this.mode)
    return this.#engine.setValue(this, bytes)
  }

  #assertValues(): void {
    if (this.#engine.capabilities.value) return
    throw new LockError(
      'ERR_LOCK_UNSUPPORTED',
      `${this.#engine.text} has no value: its engine does not support it`,
    )
  }

  /** @throws `ERR_LOCK_CLOSED`, `ERR_LOCK_LOST` */
  assertHeld(): void {
    if (this.#engine.closed) this.#engine.assertOpen()
    if (this.ended) this.#throwEnded()
  }

  #throwEnded(): never {
    const lost = this.extras?.lost
    if (lost !== undefined) throw new LockError(lost.code, lost.message)
    throw closed(`this hold of ${this.#engine.text} was released: acquire the lock again`)
  }

  [Symbol.dispose](): void {
    Hold.prototype.release.call(this)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    return Hold.prototype.release.call(this)
  }

  /** @internal For `console.log`. */
  [inspectSymbol](depth: number, options: object, inspect?: Inspect): string {
    return show('Guard', this, depth, options, inspect, () => {
      const { mode, released, token, ownerDied } = this
      return { lock: this.#engine.location, mode, released, token, ownerDied }
    })
  }
}

function closed(message: string): LockError {
  return new LockError('ERR_LOCK_CLOSED', message)
}
