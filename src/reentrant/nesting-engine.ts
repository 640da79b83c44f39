import type { BlockingEngine, EngineCapabilities, LockEngine } from '../engine.js'
import { LockError } from '../errors.js'
import type { Hold } from '../guard.js'
import { FAILED, type HoldEnd, type Mode, type READ, type UPGRADABLE, WRITE } from '../modes.js'
import type { Notice } from '../notice.js'
import { PendingRequest } from '../pending.js'
import type { Acquisition } from '../tracing.js'
import type { AcquireOptions, Awaitable, LockLocation, LockSnapshot } from '../types.js'
import { JointHold } from './joint-hold.js'
import { enclosing, innermost, type Scope } from './scope.js'
import { Calls, ScopedHold } from './scoped-hold.js'

/** A request that has not been settled. */
interface Pending {
  /** The scope of the call that requests. */
  outer: Scope | undefined
  cancel(): void
}

/**
 * The engine of the calls with a function of a re-entrant lock. A call inside a call of the same
 * lock shares the hold of that one; any other call acquires the lock from the engine below. (Guards
 * that are acquired without a function belong to no call, and come from the engine below alone.)
 */
export class NestingEngine implements LockEngine<JointHold>, Pick<BlockingEngine<JointHold>, 'block'> {
  readonly #engine: LockEngine
  /** Those of the calls that were made with this lock and have not ended. */
  readonly #calls = new Calls()
  readonly #pending = new Map<PendingRequest<JointHold>, Pending>()

  constructor(engine: LockEngine) {
    this.#engine = engine
  }

  get capabilities(): EngineCapabilities {
    return this.#engine.capabilities
  }

  get location(): LockLocation {
    return this.#engine.location
  }

  get text(): string {
    return this.#engine.text
  }

  get closed(): boolean {
    return this.#engine.closed
  }

  get identity(): string {
    return this.#engine.identity
  }

  get losses(): Set<AbortController> {
    return this.#engine.losses
  }

  assertOpen(): void {
    this.#engine.assertOpen()
  }

  // ---- acquiring

  /** Called only over an engine with the capability `sync`. */
  tryAcquire(lock: object, mode: Mode, label: string | undefined): ScopedHold | null {
    this.assertOpen()
    const outer = innermost()
    const joint = enclosing(outer, this.identity, false)?.grant
    if (joint !== undefined) {
      joint.assertGrantable(mode, this.text)
      if (mode > joint.mode && !joint.tryRaise()) return null
      return this.#enter(joint, lock, mode, outer, false)
    }
    // The call is prepared before: no stack may be left when the lock is granted.
    const hold = this.#enter(new JointHold(this.#engine, this.identity, mode), lock, mode, outer, false)
    let granted: Hold | null = null
    try {
      granted = this.#engine.tryAcquire(lock, mode, label) as Hold | null
    } finally {
      if (granted === null) hold.grant.forget(hold)
      else hold.grant.hold = granted
    }
    return granted === null ? null : hold
  }

  /** Waits for the lock, blocking this thread. Called only over a {@link BlockingEngine}. */
  block(
    lock: object,
    mode: typeof READ | typeof WRITE,
    options: AcquireOptions | undefined,
    trace?: Acquisition,
  ): ScopedHold {
    this.assertOpen()
    const engine = this.#engine as BlockingEngine
    const outer = innermost()
    const joint = enclosing(outer, this.identity, true)?.grant
    if (joint !== undefined) {
      joint.assertGrantable(mode, this.text)
      if (mode > joint.mode) joint.raiseNow(() => engine.blockUpgrade(joint.hold, options))
      return this.#enter(joint, lock, mode, outer, true)
    }
    const hold = this.#enter(new JointHold(this.#engine, this.identity, mode), lock, mode, outer, true)
    let granted: Hold | null = null
    try {
      granted = engine.block(lock, mode, options, trace)
    } finally {
      if (granted === null) hold.grant.forget(hold)
      else hold.grant.hold = granted
    }
    return hold
  }

  /** Begins a call. */
  #enter(joint: JointHold, lock: object, mode: Mode, outer: Scope | undefined, isSync: boolean): ScopedHold {
    const hold = new ScopedHold(this, this.#calls, lock, mode, joint, outer, isSync)
    joint.add(hold)
    return hold
  }

  request(request: PendingRequest<JointHold>): void {
    const { mode, upgrade, again } = request
    if (upgrade !== null) this.#raise(request, upgrade.grant, undefined)
    else if (again !== null) this.#yield(request, again as ScopedHold)
    else {
      const outer = innermost()
      const joint = enclosing(outer, this.identity, false)?.grant
      if (joint === undefined) this.#forward(request, outer)
      else this.#nest(request, joint, outer, mode)
    }
  }

  #nest(request: PendingRequest<JointHold>, joint: JointHold, outer: Scope | undefined, mode: Mode): void {
    joint.assertGrantable(mode, this.text)
    if (mode > joint.mode) {
      this.#raise(request, joint, outer)
      return
    }
    this.#pending.set(request, { outer, cancel() {} })
    try {
      request.grant(joint)
    } finally {
      this.#pending.delete(request)
    }
  }

  /** Asks the engine below. */
  #forward(request: PendingRequest<JointHold>, outer: Scope | undefined): void {
    const { lock, mode, timeout, label, trace } = request
    const inner = new PendingRequest(this.#engine, lock, mode, { timeout, label }, null, null, trace)
    this.#pending.set(request, { outer, cancel: () => inner.withdraw(undefined) })
    inner.promise.then(
      (hold) => this.#take(request, hold),
      (error) => this.#end(request, error),
    )
  }

  #take(request: PendingRequest<JointHold>, hold: Hold): void {
    const joint = new JointHold(this.#engine, this.identity, request.mode)
    joint.hold = hold
    if (request.grant(joint)) this.#pending.delete(request)
    else ignore(hold.fail()) // it has repaired nothing
  }

  #raise(request: PendingRequest<JointHold>, joint: JointHold, outer: Scope | undefined): void {
    this.#pending.set(request, { outer, cancel: () => joint.cancelRaise(request) })
    joint.raise(request)
    request.waits()
  }

  #yield(request: PendingRequest<JointHold>, hold: ScopedHold): void {
    const joint = hold.grant
    if (joint.isShared) {
      throw new LockError(
        'ERR_LOCK_BUSY',
        `this hold of ${this.text} is shared with another call, which is inside this one or around it: only a call that has ` +
          'the lock alone can yield',
      )
    }
    const { timeout, label } = request
    const inner = joint.yield(request.mode, timeout, label)
    this.#pending.set(request, { outer: undefined, cancel: () => inner.callOff(undefined) })
    hold.ended = true
    request.waits()
    inner.promise.then(
      () => {
        if (request.grant(joint)) this.#pending.delete(request)
        else ignore(joint.remove(hold, FAILED))
      },
      (error) => {
        if (joint.hold.ended) ignore(joint.remove(hold, FAILED))
        else hold.ended = false // it could not begin
        this.#end(request, error)
      },
    )
  }

  #end(request: PendingRequest<JointHold>, error: unknown): void {
    this.#pending.delete(request)
    if (error instanceof LockError && error.code === 'ERR_LOCK_TIMEOUT') request.timeOut(error)
    else request.fail(error)
  }

  cancel(request: PendingRequest<JointHold>): void {
    const pending = this.#pending.get(request)
    this.#pending.delete(request)
    pending?.cancel()
  }

  advance(): void {
    this.#engine.advance()
  }

  granted(request: PendingRequest<JointHold>, joint: JointHold): ScopedHold {
    const { lock, mode, upgrade, again } = request
    const outer = this.#pending.get(request)?.outer
    this.#pending.delete(request)
    if (upgrade !== null) {
      joint.setMode(upgrade as ScopedHold, WRITE)
      upgrade.upgraded(joint.hold.ownerDied)
      return upgrade as ScopedHold
    }
    if (again === null) return this.#enter(joint, lock, mode, outer, false)
    again.regained(joint, joint.hold.ownerDied)
    return again as ScopedHold
  }

  // ---- changing and ending holds

  tryUpgrade(hold: Hold<JointHold>): Awaitable<boolean> {
    const joint = hold.grant
    const raised = joint.tryRaise()
    const finish = (done: boolean) => {
      if (!done) return false
      if (hold.ended) joint.raiseEnded()
      else joint.setMode(hold as ScopedHold, WRITE)
      return !hold.ended
    }
    return typeof raised === 'boolean' ? finish(raised) : raised.then(finish)
  }

  downgrade(hold: Hold<JointHold>, to: typeof READ | typeof UPGRADABLE): void | Promise<void> {
    const { held, grant } = hold
    grant.setMode(hold as ScopedHold, to)
    try {
      return grant.lower()
    } catch (error) {
      if (!hold.ended) grant.setMode(hold as ScopedHold, held) // no stack was left for the call: nothing has changed
      throw error
    }
  }

  release(hold: Hold<JointHold>, end: HoldEnd): void | Promise<void> {
    return hold.grant.remove(hold as ScopedHold, end)
  }

  tokenOf(joint: JointHold): bigint {
    return joint.hold.token
  }

  getValue(hold: Hold<JointHold>): Awaitable<Uint8Array | null> {
    return this.#engine.getValue(hold.grant.hold)
  }

  setValue(hold: Hold<JointHold>, value: Uint8Array | null): void | Promise<void> {
    return this.#engine.setValue(hold.grant.hold, value)
  }

  // ---- contention

  isContended(hold: Hold<JointHold>): boolean {
    return this.#engine.isContended(hold.grant.hold)
  }

  /** Always as of a write hold: that is what another call can make of the joint hold. */
  notify(notice: Notice<JointHold>): void {
    this.#engine.notify(notice as unknown as Notice, WRITE)
  }

  forget(notice: Notice<JointHold>): void {
    this.#engine.forget(notice as unknown as Notice)
  }

  // ---- inspecting and closing

  inspect(): Awaitable<LockSnapshot> {
    return this.#engine.inspect()
  }

  close(): void | Promise<void> {
    const closed = () => new LockError('ERR_LOCK_CLOSED', `${this.text} was closed while this waited for it`)
    for (const request of [...this.#pending.keys()]) request.withdraw(closed())
    const end = this.#engine.close()
    for (const hold of this.#calls.all()) {
      // A call may share the hold of another lock object, which stays open.
      if (hold.grant.hold.released) hold.grant.lose()
      else hold.lose()
    }
    return end
  }
}

function ignore(ended: void | Promise<void>): void {
  ended?.catch(() => {})
}
