import { type Abortable, isAborted, offAbort, onAbort, reasonOf } from './abort.js'
import type { LockEngine } from './engine.js'
import { callerOf, type LockError, setStack } from './errors.js'
import type { Hold } from './guard.js'
import { watchWaits } from './long-waits.js'
import type { Mode } from './modes.js'
import type { Acquisition } from './tracing.js'
import type { AcquireOptions } from './types.js'

/**
 * A request that waits for its engine: for a hold, or for the upgrade of one. It has fields and no
 * closures, because a process may wait a thousand times at once.
 */
export class PendingRequest<Grant = unknown> implements Abortable {
  /** Settles with the hold. */
  readonly promise: Promise<Hold<Grant>>
  readonly engine: LockEngine<Grant>
  /** What the hold keeps reachable. */
  readonly lock: object
  readonly mode: Mode
  /** The upgradable hold that is to become the write hold; `null`: a new hold is wanted. */
  readonly upgrade: Hold<Grant> | null
  /** The hold that yields, and that gets the grant; `null`: it does not exist yet. */
  readonly again: Hold<Grant> | null
  /**
   * It takes the write hold from those who have it: it is granted before all other requests, and
   * the holders that allow steals give up. Without them it waits for the holders, as any other.
   */
  readonly steal: boolean
  /** In milliseconds. */
  readonly timeout: number
  readonly label: string | undefined
  /** Set if the request is traced. */
  readonly trace: Acquisition | undefined
  /** The names of the request in the engine. */
  key = 0
  id = 0
  /** Nothing has the promise: a grant is not taken. */
  abandoned = false
  /** Settled or withdrawn. */
  done = false
  readonly #signal: AbortSignal | undefined
  /** Has the stack of the caller, if the request can time out. */
  readonly #caller: { stack?: unknown } | undefined
  #resolve!: (hold: Hold<Grant>) => void
  #reject!: (reason: unknown) => void

  constructor(
    engine: LockEngine<Grant>,
    lock: object,
    mode: Mode,
    options: AcquireOptions | undefined,
    upgrade: Hold<Grant> | null,
    again: Hold<Grant> | null = null,
    trace: Acquisition | undefined = undefined,
    steal = false,
  ) {
    this.engine = engine
    this.lock = lock
    this.mode = mode
    this.upgrade = upgrade
    this.again = again
    this.trace = trace
    this.steal = steal
    this.timeout = options?.timeout ?? Number.POSITIVE_INFINITY
    this.label = options?.label
    const signal = options?.signal
    this.#signal = signal
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    // No stack was left to call that function: the promise has rejected already.
    if (this.#reject === undefined) return
    if (this.timeout !== Number.POSITIVE_INFINITY) {
      this.#caller = trace?.caller ?? callerOf(PendingRequest)
    }
    try {
      if (signal !== undefined) {
        onAbort(signal, this)
        if (isAborted(signal)) this.withdraw(reasonOf(signal))
        if (this.done) return
      }
      engine.request(this)
      if (!this.done && engine.waitGraph !== undefined) watchWaits(engine.waitGraph)
    } catch (error) {
      // Before any call, for which no stack may be left.
      this.abandoned = true
      this.done = true
      if (signal !== undefined) offAbort(signal, this)
      throw error
    }
  }

  /**
   * Called by the engine with a grant. Returns whether the request takes it; if not, the engine
   * returns the grant. If this throws, the engine still owns the grant, and may call again.
   */
  grant(grant: Grant): boolean {
    if (this.done) return false
    if (!this.abandoned) this.#resolve(this.engine.granted(this, grant))
    // From here on nothing may throw: the hold has its owner.
    this.done = true
    try {
      this.#forgetSignal()
    } catch {
      // No stack was left. The listener stays, without effect.
    }
    return !this.abandoned
  }

  /** Called by the engine when the request is not granted at once. */
  waits(): void {
    if (this.trace !== undefined && !this.done) this.trace.waits()
  }

  /** Called by the engine when the timeout has passed. The error gets the stack of the caller. */
  timeOut(error: LockError): void {
    if (this.#caller !== undefined) setStack(error, this.#caller)
    this.fail(error)
  }

  /** Called by the engine when the request failed. */
  fail(error: unknown): void {
    if (this.done) return
    if (!this.abandoned) this.#reject(error)
    this.done = true
    this.#forgetSignal()
  }

  /** Ends the request with `reason`, unless it is settled. */
  callOff(reason: unknown): void {
    this.withdraw(reason)
    this.withdrawn()
  }

  withdraw(reason: unknown): void {
    if (this.done) return
    this.done = true
    this.#forgetSignal()
    this.engine.cancel(this)
    if (!this.abandoned) this.#reject(reason)
  }

  withdrawn(): void {
    this.engine.advance()
  }

  #forgetSignal(): void {
    if (this.#signal !== undefined) offAbort(this.#signal, this)
  }
}
