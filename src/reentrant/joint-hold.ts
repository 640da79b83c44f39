import type { LockEngine } from '../engine.js'
import { LockError } from '../errors.js'
import type { Hold } from '../guard.js'
import { FAILED, type HoldEnd, MODE_NAMES, type Mode, READ, UPGRADABLE, WRITE } from '../modes.js'
import { PendingRequest } from '../pending.js'
import type { Awaitable } from '../types.js'
import { Raise } from './raise.js'
import type { Scope } from './scope.js'
import type { Calls, ScopedHold } from './scoped-hold.js'

/**
 * A hold of the engine that nested calls share. It lasts until the last of them has ended, and has
 * the strongest mode that one of them needs.
 */
export class JointHold {
  readonly engine: LockEngine
  /** See `LockEngine.identity`. */
  readonly identity: string
  /** The hold of the engine. Assigned when it is granted. */
  declare hold: Hold
  /**
   * The mode that calls may rely on. It is lower than that of `hold` while the engine lowers that
   * one, and never higher.
   */
  mode: Mode
  /** The number of calls that have not ended: of all, and in these modes. */
  #calls = 0
  #upgradables = 0
  #writers = 0
  /** The outermost call. */
  #outermost: ScopedHold | undefined
  /** The other lock objects that calls were made with. */
  #others: Set<Calls> | undefined
  #raise: Raise | undefined
  /** The engine is lowering the mode. Never rejects. */
  lowering: Promise<void> | undefined
  /** The last part for write ended with an error, so a report of `ownerDied` must stay. */
  #failed = false
  /** Has the promise of the outermost call, if that waits for nested ones. */
  #end: { promise: Promise<void>; resolve: () => void; reject: (error: unknown) => void } | undefined

  constructor(engine: LockEngine, identity: string, mode: Mode) {
    this.engine = engine
    this.identity = identity
    this.mode = mode
  }

  // In add() and forget(), nothing is called after the first change, so that no lack of stack leaves
  // a call half-counted.

  /** Begins a call. */
  add(hold: ScopedHold): void {
    const { calls } = hold
    this.#outermost ??= hold
    if (calls !== this.#outermost.calls) {
      this.#others ??= new Set()
      this.#others.add(calls)
    }
    calls.add(hold)
    this.#calls++
    if (hold.held === UPGRADABLE) this.#upgradables++
    if (hold.held !== WRITE) return
    if (this.#writers === 0) this.#failed = false
    this.#writers++
  }

  /** Removes a call that has ended. */
  forget(hold: ScopedHold): void {
    if (hold.scope.hold === undefined) return
    hold.calls.delete(hold)
    hold.scope.hold = undefined
    this.#calls--
    if (hold.held === UPGRADABLE) this.#upgradables--
    if (hold.held === WRITE) this.#writers--
  }

  // ---- changing the mode

  /** @throws `ERR_LOCK_DEADLOCK` if a call inside this hold could never be granted. */
  assertGrantable(mode: Mode, text: string): void {
    if (mode === READ || this.mode !== READ) return
    throw new LockError(
      'ERR_LOCK_DEADLOCK',
      `${text} cannot be acquired for ${MODE_NAMES[mode]} inside a call that holds it for read, which would wait for itself: ` +
        'use lock.upgradable() for the outer call',
    )
  }

  /** Makes it the write hold if no wait is needed. */
  tryRaise(): Awaitable<boolean> {
    if (this.mode === WRITE) return true
    // A read that other calls rely on: they do not expect that the data changes.
    if (this.mode === READ && this.#calls > 1) return false
    if (this.#isRaising || this.lowering !== undefined) return false
    const raised = this.engine.tryUpgrade(this.hold)
    if (typeof raised === 'boolean') {
      if (raised) this.mode = WRITE
      return raised
    }
    return raised.then((done) => {
      if (done) this.mode = WRITE
      return done
    })
  }

  /** Makes it the write hold, and then grants the request. */
  raise(request: PendingRequest<JointHold>): void {
    this.#raise ??= new Raise(this)
    this.#raise.add(request)
  }

  /** The request of a raise is not wanted any more. */
  cancelRaise(request: PendingRequest<JointHold>): void {
    this.#raise?.delete(request)
  }

  /** `block` makes the hold of the engine the write hold, blocking the thread. */
  raiseNow(block: () => void): void {
    this.#raise?.interrupt()
    block()
    this.mode = WRITE
  }

  /** Lets those go first that wait. */
  yield(mode: Mode, timeout: number, label: string | undefined): PendingRequest {
    const { engine, hold } = this
    if (label !== undefined) hold.needExtras().label = label
    return new PendingRequest(engine, hold.lock, mode, { timeout, label }, null, hold)
  }

  get #isRaising(): boolean {
    return this.#raise?.isPending === true
  }

  /** Changes what a call needs. */
  setMode(hold: ScopedHold, mode: Mode): void {
    if (hold.held === UPGRADABLE) this.#upgradables--
    if (hold.held === WRITE) this.#writers--
    if (mode === UPGRADABLE) this.#upgradables++
    if (mode === WRITE && this.#writers++ === 0) this.#failed = false
    hold.held = mode
  }

  /**
   * Lowers the mode to what the calls need. The outermost call counts also when it has ended, so
   * that what nested calls may do does not depend on when it ends.
   */
  lower(): void | Promise<void> {
    const { hold, mode } = this
    let needed = this.#outermost?.held ?? READ
    if (this.#writers > 0) needed = WRITE
    else if (needed === READ && (this.#upgradables > 0 || this.#isRaising)) needed = UPGRADABLE
    if (needed >= mode || hold.released) return
    // The end of a write hold clears the report. So it lasts until it can end as one that failed.
    if (mode === WRITE && this.#failed && hold.ownerDied !== null) return
    this.mode = needed
    let lowered: void | Promise<void>
    try {
      lowered = hold.downgrade(needed === READ ? 'read' : 'upgradable')
    } catch (error) {
      if (hold.ended) this.lose()
      else this.mode = mode // no stack was left for the call: nothing has changed
      throw error
    }
    if (lowered === undefined) return
    const settled = () => {
      this.lowering = undefined
    }
    this.lowering = lowered.then(settled, settled)
    return lowered
  }

  // ---- ending

  /** Ends a call. The hold ends with the last of them. */
  remove(hold: ScopedHold, end: HoldEnd): void | Promise<void> {
    if (end === FAILED && hold.held === WRITE && !isInsideWriter(hold)) this.#failed = true
    this.forget(hold)
    if (this.isUnused) return this.#endHold()
    const lowered = this.lower()
    // When the promise of the outermost call settles, the hold has ended.
    if (hold === this.#outermost && !this.hold.released && !hold.scope.isSync) return this.#ended()
    return lowered
  }

  /** Whether more than one call uses it. */
  get isShared(): boolean {
    return this.#calls > 1 || this.#isRaising
  }

  get isUnused(): boolean {
    return this.#calls === 0 && !this.#isRaising
  }

  /** Called when no request waits any more. */
  raiseEnded(): void {
    try {
      const ended = this.isUnused ? this.#endHold() : this.lower()
      ended?.catch(() => {}) // the promise of the outermost call has the error
    } catch {
      // Likewise.
    }
  }

  #endHold(): void | Promise<void> {
    const end = () => (this.#failed ? this.hold.fail() : this.hold.release())
    let ended: void | Promise<void>
    try {
      ended = this.lowering === undefined ? end() : this.lowering.then(end)
    } catch (error) {
      this.#end?.reject(error)
      throw error
    }
    if (ended === undefined) this.#end?.resolve()
    else if (this.#end !== undefined) ended.then(this.#end.resolve, this.#end.reject)
    return ended
  }

  /** Settles when the hold has ended. */
  #ended(): Promise<void> {
    let resolve!: () => void
    let reject!: (error: unknown) => void
    const promise = new Promise<void>((...functions) => {
      ;[resolve, reject] = functions
    })
    promise.catch(() => {}) // a guard's release() may ignore it
    this.#end = { promise, resolve, reject }
    return promise
  }

  /** The hold has ended although its calls have not: its lock was closed. */
  lose(): void {
    for (const calls of [this.#outermost?.calls, ...(this.#others ?? [])]) {
      for (const hold of calls?.all() ?? []) if (hold.grant === this) hold.lose()
    }
  }
}

/** Whether it is nested in a call for write, which then says how the write ended. */
function isInsideWriter({ scope, grant }: ScopedHold): boolean {
  for (let each: Scope | undefined = scope.outer; each !== undefined; each = each.outer) {
    if (each.hold?.grant === grant && each.hold.held === WRITE) return true
  }
  return false
}
