// The API over an engine: the members of AsyncRWLock.
import { throwIfAborted } from './abort.js'
import './debug.js'
import { isTraced } from './diagnostics.js'
import type { LockEngine } from './engine.js'
import { ensure } from './ensure.js'
import { invalidThis, LockError } from './errors.js'
import type { Hold } from './guard.js'
import { identitySymbol } from './lock-arguments.js'
import { type Mode, READ, UPGRADABLE, WRITE } from './modes.js'
import { checkAcquireOptions, checkFunction } from './options.js'
import { PendingRequest } from './pending.js'
import { NestingEngine } from './reentrant/nesting-engine.js'
import { stealSymbol } from './steal.js'
import { Acquisition, closeTraced, traceAcquire, traceScoped, traceTry } from './tracing.js'
import type { AcquireOptions, AsyncGuard, AsyncRWLock, Awaitable, LockSnapshot } from './types.js'

/** A promise for the next tick, shared by all calls. */
const tick = Promise.resolve()

/** The method that `await` uses, and not what a promise may have in its place. */
const { then } = Promise.prototype

let isLock: (value: unknown) => boolean

/** See `#scopes`. */
let scopesOf: <Grant>(lock: EngineLock<AsyncGuard, Grant>) => LockEngine<Grant>

export { scopesOf }

/** Fails if `method` was called without its lock. */
export function checkLock(lock: unknown, method: string): void {
  if (!isLock(lock)) throw invalidThis('lock', method)
}

/** The same for a call that has failed: a check before the call would cost 1 ns. */
export function explained(error: unknown, lock: unknown, method: string): unknown {
  return isLock(lock) ? error : invalidThis('lock', method)
}

/** A lock over an engine. Its members are documented in {@link AsyncRWLock}. */
export class EngineLock<G extends AsyncGuard = AsyncGuard, Grant = unknown> implements AsyncRWLock<G> {
  readonly #engine: LockEngine<Grant>
  /** The engine of the calls with a function: another one if the lock is re-entrant. */
  readonly #scopes: LockEngine<Grant>

  static {
    isLock = (value) => typeof value === 'object' && value !== null && #engine in value
    scopesOf = (lock) => lock.#scopes
  }

  /**
   * `open` opens the lock for the object that it is given, and must not keep that alive. It checks
   * the options.
   */
  constructor(
    open: (lock: object) => LockEngine<Grant>,
    options?: { reentrant?: boolean | undefined } | undefined,
  ) {
    const engine = open(this)
    this.#engine = engine
    this.#scopes = options?.reentrant ? (new NestingEngine(engine as LockEngine) as never) : engine
  }

  get name(): string | undefined {
    return this.#engine.location.name
  }

  get path(): string | undefined {
    return this.#engine.location.path
  }

  // ---- with a function

  read<T>(fn: (guard: G) => T | PromiseLike<T>, options?: AcquireOptions): Promise<T> {
    try {
      return this.#scoped(READ, fn, options)
    } catch (error) {
      return Promise.reject(explained(error, this, 'read'))
    }
  }

  write<T>(fn: (guard: G) => T | PromiseLike<T>, options?: AcquireOptions): Promise<T> {
    try {
      return this.#scoped(WRITE, fn, options)
    } catch (error) {
      return Promise.reject(explained(error, this, 'write'))
    }
  }

  upgradable<T>(fn: (guard: G) => T | PromiseLike<T>, options?: AcquireOptions): Promise<T> {
    try {
      return this.#scoped(UPGRADABLE, fn, options)
    } catch (error) {
      return Promise.reject(explained(error, this, 'upgradable'))
    }
  }

  async ensure<T>(
    load: (guard: G) => T | undefined | PromiseLike<T | undefined>,
    // biome-ignore lint/suspicious/noConfusingVoidType: what a function without `return` returns.
    make: (guard: G) => T | void | PromiseLike<T | void>,
    options?: AcquireOptions,
  ): Promise<T> {
    checkLock(this, 'ensure')
    return ensure(this, load, make, options)
  }

  // ---- with a guard

  async acquireRead(options?: AcquireOptions): Promise<G> {
    try {
      const checked = checkOptions(options)
      if (isTraced()) return await this.#traced(READ, checked)
      return (this.#now(this.#engine, READ, checked) ??
        (await this.#request(this.#engine, READ, checked).promise)) as unknown as G
    } catch (error) {
      throw explained(error, this, 'acquireRead')
    }
  }

  async acquireWrite(options?: AcquireOptions): Promise<G> {
    try {
      const checked = checkOptions(options)
      if (isTraced()) return await this.#traced(WRITE, checked)
      return (this.#now(this.#engine, WRITE, checked) ??
        (await this.#request(this.#engine, WRITE, checked).promise)) as unknown as G
    } catch (error) {
      throw explained(error, this, 'acquireWrite')
    }
  }

  async acquireUpgradable(options?: AcquireOptions): Promise<G> {
    try {
      const checked = checkOptions(options)
      if (isTraced()) return await this.#traced(UPGRADABLE, checked)
      return (this.#now(this.#engine, UPGRADABLE, checked) ??
        (await this.#request(this.#engine, UPGRADABLE, checked).promise)) as unknown as G
    } catch (error) {
      throw explained(error, this, 'acquireUpgradable')
    }
  }

  // ---- without waiting

  tryRead(): Awaitable<G | null> {
    checkLock(this, 'tryRead')
    return this.#try(READ)
  }

  tryWrite(): Awaitable<G | null> {
    checkLock(this, 'tryWrite')
    return this.#try(WRITE)
  }

  tryUpgradable(): Awaitable<G | null> {
    checkLock(this, 'tryUpgradable')
    return this.#try(UPGRADABLE)
  }

  // ---- inspecting and closing

  inspect(): Awaitable<LockSnapshot> {
    checkLock(this, 'inspect')
    this.#engine.assertOpen()
    return this.#engine.inspect()
  }

  close(): void | Promise<void> {
    checkLock(this, 'close')
    return closeTraced(this.#engine, this.#scopes)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** @internal See `lock-arguments.ts`. */
  [identitySymbol](): string {
    this.#engine.assertOpen()
    return this.#engine.identity
  }

  /** @internal See `steal.ts`. */
  async [stealSymbol](options?: AcquireOptions): Promise<G> {
    const checked = checkOptions(options)
    const engine = this.#engine
    engine.assertOpen()
    if (!engine.capabilities.steal) {
      throw new LockError(
        'ERR_LOCK_UNSUPPORTED',
        `${engine.text} cannot be stolen: its engine does not support it`,
      )
    }
    const acquire = async (trace?: Acquisition) =>
      this.#now(engine, WRITE, checked) ??
      new PendingRequest(engine, this, WRITE, checked, null, null, trace, true).promise
    if (!isTraced()) return (await acquire()) as unknown as G
    const trace = new Acquisition(this, engine, WRITE, checked)
    return (await traceAcquire(trace, () => acquire(trace))) as unknown as G
  }

  // ---- inside

  #try(mode: Mode): Awaitable<G | null> {
    const engine = this.#engine
    engine.assertOpen()
    const attempt = () => engine.tryAcquire(this, mode, undefined)
    const hold = isTraced() ? traceTry(new Acquisition(this, engine, mode, undefined), attempt) : attempt()
    return hold as unknown as Awaitable<G | null>
  }

  /** A hold that needs no wait, from an engine that can tell at once; else `null`. */
  #now(engine: LockEngine<Grant>, mode: Mode, options: AcquireOptions | undefined): Hold<Grant> | null {
    if (options?.signal !== undefined) throwIfAborted(options.signal)
    if (!engine.capabilities.sync) return null
    return engine.tryAcquire(this, mode, options?.label) as Hold<Grant> | null
  }

  #request(
    engine: LockEngine<Grant>,
    mode: Mode,
    options: AcquireOptions | undefined,
    trace: Acquisition | undefined = undefined,
  ): PendingRequest<Grant> {
    engine.assertOpen()
    return new PendingRequest(engine, this, mode, options, null, null, trace)
  }

  #traced(mode: Mode, options: AcquireOptions | undefined): Promise<G> {
    const engine = this.#engine
    const trace = new Acquisition(this, engine, mode, options)
    return traceAcquire(trace, () => this.#acquire(engine, mode, options, trace)) as unknown as Promise<G>
  }

  /** Settles as many microtasks after the grant, whether that needed a wait or not. */
  async #acquire(
    engine: LockEngine<Grant>,
    mode: Mode,
    options: AcquireOptions | undefined,
    trace: Acquisition,
  ): Promise<Hold<Grant>> {
    return await (this.#now(engine, mode, options) ?? this.#request(engine, mode, options, trace).promise)
  }

  /** Not `async`: an `await` costs as much as the lock itself. */
  #scoped<T>(
    mode: Mode,
    fn: (guard: G) => T | PromiseLike<T>,
    options: AcquireOptions | undefined,
  ): Promise<T> {
    checkFunction('fn', fn)
    const checked = checkOptions(options)
    const signal = checked?.signal
    const body = fn as unknown as (guard: Hold<Grant>) => T | PromiseLike<T>
    const run = new ScopedRun<T, Grant>(signal === undefined ? body : unlessAborted(signal, body))
    if (isTraced()) {
      const trace = new Acquisition(this, this.#scopes, mode, checked)
      const acquire = () => this.#acquire(this.#scopes, mode, checked, trace)
      return traceScoped(trace, acquire, (hold) => runHeld(run.fn, hold))
    }
    // Scheduled before the lock is acquired: once it is, no call follows for which no stack may be
    // left.
    const promise = runSoon(run)
    run.hold = this.#now(this.#scopes, mode, checked)
    if (run.hold !== null) return promise
    const request = this.#request(this.#scopes, mode, checked)
    try {
      return runOnceGranted(run.fn, request.promise)
    } catch (error) {
      request.abandoned = true
      throw error
    }
  }
}

function checkOptions(options: AcquireOptions | undefined): AcquireOptions | undefined {
  return options === undefined ? undefined : checkAcquireOptions(options)
}

/** A call of `read`, `write` or `upgradable`. */
class ScopedRun<T, Grant> {
  hold: Hold<Grant> | null = null

  constructor(readonly fn: (guard: Hold<Grant>) => T | PromiseLike<T>) {}
}

// Functions of their own, because a closure in the method would hold all its variables: that cost
// 30 ns.

/** `fn`, unless the signal has aborted before it begins. Its exception ends the hold. */
function unlessAborted<T, Grant>(
  signal: AbortSignal,
  fn: (guard: Hold<Grant>) => T,
): (guard: Hold<Grant>) => T {
  return (guard) => {
    throwIfAborted(signal)
    return fn(guard)
  }
}

/**
 * Runs it when the caller has its promise, even if the lock is granted at once. Without a hold
 * nothing has that promise.
 */
function runSoon<T, Grant>(run: ScopedRun<T, Grant>): Promise<T> {
  return tick.then(() => (run.hold === null ? (undefined as never) : runHeld(run.fn, run.hold)))
}

function runOnceGranted<T, Grant>(
  fn: (guard: Hold<Grant>) => T | PromiseLike<T>,
  granted: Promise<Hold<Grant>>,
): Promise<T> {
  return granted.then((hold) => runHeld(fn, hold))
}

function runHeld<T, Grant>(
  fn: (guard: Hold<Grant>) => T | PromiseLike<T>,
  hold: Hold<Grant>,
): T | Promise<T> {
  // Closed, or lost, after the grant: then the hold has ended, and `fn` must not run.
  hold.assertHeld()
  let result: T
  try {
    const returned = hold.run(fn)
    if (isPromiseLike(returned)) return releasedAfter(hold, returned)
    result = returned
  } catch (error) {
    return failed(hold, error)
  }
  return released(hold, result)
}

function releasedAfter<T, Grant>(hold: Hold<Grant>, promise: PromiseLike<T>): Promise<T> {
  return then.call(
    Promise.resolve(promise),
    (result) => released(hold, result as T),
    (error) => failed(hold, error),
  ) as Promise<T>
}

function released<T, Grant>(hold: Hold<Grant>, result: T): T | Promise<T> {
  const ended = hold.complete()
  return ended === undefined ? result : ended.then(() => result)
}

function failed<Grant>(hold: Hold<Grant>, error: unknown): never | Promise<never> {
  const ended = hold.fail()
  if (ended === undefined) throw error
  return ended.then(() => {
    throw error
  })
}

export function isPromiseLike<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === 'function'
}
