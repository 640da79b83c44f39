import { LockError } from '../errors.js'
import type { Hold } from '../guard.js'
import { FAILED, type HoldEnd, MODE_NAMES, type Mode, READ, UPGRADABLE, WRITE } from '../modes.js'
import type { PendingRequest } from '../pending.js'
import type { Awaitable } from '../types.js'
import { Raise } from './raise.js'
import type { Scope } from './scope.js'
import type { ScopedHold } from './scoped-hold.js'

/**
 * A hold of the engine that nested calls share. It lasts until the last of them has ended, and has
 * the strongest mode that one of them needs.
 */
export class JointHold {
  /** See `LockEngine.identity`. */
  readonly identity: string
  /** The hold of the engine. Assigned when it is granted. */
  declare hold: Hold
  /**
   * The mode that calls may rely on. It is lower than that of `hold` while the engine lowers that
   * one, and never higher.
   */
  mode: Mode
  /** The holds of the calls that have not ended. */
  readonly holds = new Set<ScopedHold>()
  /** The outermost call. */
  #outermost: ScopedHold | undefined
  readonly #raise = new Raise(this)
  /** The engine is lowering the mode. Never rejects. */
  lowering: Promise<void> | undefined
  /** The last part for write ended with an error, so a report of `ownerDied` must stay. */
  #failed = false
  /** Has the promise of the outermost call, if that waits for nested ones. */
  #end: { promise: Promise<void>; resolve: () => void; reject: (error: unknown) => void } | undefined

  constructor(identity: string, mode: Mode) {
    this.identity = identity
    this.mode = mode
  }

  /** Begins a call. Calls no function that could fail for lack of stack once the hold is granted. */
  add(hold: ScopedHold): void {
    this.#outermost ??= hold
    if (hold.held === WRITE) this.#beginWrite()
    this.holds.add(hold)
    hold.siblings.add(hold)
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
    if (this.mode === READ && this.holds.size > 1) return false
    if (this.#raise.isPending || this.lowering !== undefined) return false
    const raised = this.hold.tryUpgrade()
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
    this.#raise.add(request)
  }

  /** The request of a raise is not wanted any more. */
  cancelRaise(request: PendingRequest<JointHold>): void {
    this.#raise.delete(request)
  }

  /** `block` makes the hold of the engine the write hold, blocking the thread. */
  raiseNow(block: () => void): void {
    this.#raise.interrupt()
    block()
    this.mode = WRITE
  }

  /** A call has become, or begins as, one for write. */
  #beginWrite(): void {
    for (const { held } of this.holds) if (held === WRITE) return
    this.#failed = false
  }

  /** A call has the write mode now. */
  becomeWriter(hold: ScopedHold): void {
    this.#beginWrite()
    hold.held = WRITE
  }

  /**
   * Lowers the mode to what the calls need. The outermost call counts also when it has ended, so
   * that what nested calls may do does not depend on when it ends.
   */
  lower(): void | Promise<void> {
    const { hold, mode } = this
    let needed = this.#outermost?.held ?? READ
    if (this.#raise.isPending && needed === READ) needed = UPGRADABLE
    for (const { held } of this.holds) if (held > needed) needed = held
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
    this.holds.delete(hold)
    hold.siblings.delete(hold)
    hold.scope.hold = undefined
    if (this.isUnused) return this.#endHold()
    const lowered = this.lower()
    // When the promise of the outermost call settles, the hold has ended.
    if (hold === this.#outermost && !this.hold.released && !hold.scope.isSync) return this.#ended()
    return lowered
  }

  /** Whether more than one call uses it. */
  get isShared(): boolean {
    return this.holds.size > 1 || this.#raise.isPending
  }

  get isUnused(): boolean {
    return this.holds.size === 0 && !this.#raise.isPending
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
    for (const hold of [...this.holds]) hold.lose()
  }
}

/** Whether it is nested in a call for write, which then says how the write ended. */
function isInsideWriter({ scope, grant }: ScopedHold): boolean {
  for (let each: Scope | undefined = scope.outer; each !== undefined; each = each.outer) {
    if (each.hold?.grant === grant && each.hold.held === WRITE) return true
  }
  return false
}
