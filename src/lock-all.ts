// Several locks taken together: all or none.
//
// The locks are acquired one after the other in an order that is the same in every process, so no
// cycle of processes can arise in which each waits for a lock that the next one holds. Each is
// acquired by the method that runs a function inside the hold, and the function acquires the next
// one. If one of them cannot be acquired, the earlier holds therefore end as those of a function
// that threw: a report of `ownerDied` stays, because nothing has repaired what these locks protect.
import { performance } from 'node:perf_hooks'
import { throwIfAborted } from './abort.js'
import { invalidThis, invalidType, LockError, setStack } from './errors.js'
import { type Inspect, inspectSymbol, show } from './inspect.js'
import { checkLockArgument, checkModeArgument, identityOf } from './lock-arguments.js'
import type { ModeName } from './modes.js'
import { checkAcquireOptions, checkFunction } from './options.js'
import { runOutside } from './reentrant/scope.js'
import type { AcquireOptions, AsyncGuard, AsyncRWLock, Guard } from './types.js'

/** One of several locks to acquire together. */
export interface Want<Lock extends AsyncRWLock = AsyncRWLock> {
  lock: Lock
  /** `'write'` by default. */
  mode?: 'read' | 'write' | 'upgradable' | undefined
}

/** The guards of several locks, in the order in which the locks were given. */
export type GuardsOf<Wants extends readonly Want[]> = {
  -readonly [Index in keyof Wants]: Wants[Index]['lock'] extends AsyncRWLock<infer G> ? G : never
}

/** The holds that {@link acquireAll} acquired, of locks of any engine. */
export interface AsyncGuardGroup<Guards extends readonly AsyncGuard[] = readonly AsyncGuard[]>
  extends AsyncDisposable {
  /** One guard for each lock, in the order in which the locks were given. */
  readonly guards: Readonly<Guards>
  /** Whether every hold has ended. */
  readonly released: boolean
  /** Ends every hold. No effect on those that have ended already. */
  release(): void | Promise<void>
}

/**
 * The holds that {@link acquireAll} acquired. Release them together, or let `using` release them. A
 * single guard may be released earlier.
 */
export interface GuardGroup<Guards extends readonly Guard[] = readonly Guard[]>
  extends AsyncGuardGroup<Guards>,
    Disposable {
  release(): void
}

/**
 * Acquires several locks, runs `fn` while all of them are held, and releases them when `fn` has
 * returned or its promise has settled. All or none: `fn` runs only when every lock is held, and if
 * one cannot be acquired, none stays held.
 *
 * ```ts
 * await lockAll([{ lock: from }, { lock: to }, { lock: rates, mode: 'read' }], async ([from, to]) => { … })
 * ```
 *
 * Calls that name the same locks in opposite orders do not deadlock, because every process acquires
 * the locks in the same order. A program that holds one lock and acquires another one by a separate
 * call can still deadlock.
 *
 * The same lock given twice, for example by two `RWLock` objects or by two paths of one file, is
 * acquired once, in the stronger mode: write, upgradable, read. Its one guard is then in both
 * positions. An empty list acquires nothing, and runs `fn`.
 *
 * If `fn` throws, every write hold ends like that of `lock.write()`: {@link AsyncGuard.ownerDied}
 * stays set if it was.
 *
 * Rejects with what `fn` throws; with `ERR_LOCK_TIMEOUT`, whose `holders` are those of the lock
 * that was missing; with `signal.reason`; with `ERR_LOCK_CLOSED`, which for a lock that was
 * acquired already comes when the others are granted; with `ERR_LOCK_CORRUPT`,
 * `ERR_INVALID_ARG_TYPE` or `ERR_INVALID_ARG_VALUE`.
 *
 * Source of the order: E. W. Dijkstra, "Hierarchical ordering of sequential processes" (1971).
 *
 * @param fn - Called with the guards, in the order of `wants`, after `lockAll` has returned.
 * @param options - `timeout` and `signal` limit the wait for all the locks together; `label` names
 * each hold.
 */
export function lockAll<const Wants extends readonly Want[], T>(
  wants: Wants,
  fn: (guards: GuardsOf<Wants>) => T | PromiseLike<T>,
  options?: AcquireOptions,
): Promise<T> {
  try {
    checkFunction('fn', fn)
    return new Acquisition(wants, options, lockAll).run((guards) => fn(guards as unknown as GuardsOf<Wants>))
  } catch (error) {
    return Promise.reject(error)
  }
}

/**
 * Acquires several locks, and resolves with their guards; otherwise like {@link lockAll}.
 *
 * ```ts
 * await using held = await acquireAll([{ lock: from }, { lock: to }])
 * held.guards[0].token
 * ```
 */
export async function acquireAll<const Wants extends readonly Want[]>(
  wants: Wants,
  options?: AcquireOptions,
): Promise<
  GuardsOf<Wants> extends infer Guards extends readonly Guard[]
    ? GuardGroup<Guards>
    : AsyncGuardGroup<GuardsOf<Wants>>
> {
  const acquisition = new Acquisition(wants, options, acquireAll)
  const group = new Promise<Group>((resolve, reject) => {
    const acquire = () =>
      acquisition.run((guards) => new Promise<void>((end) => resolve(new Group(guards, end))))
    // Like every guard that is not acquired with a function, these belong to no call.
    runOutside(acquire).catch(reject)
  })
  return group as never
}

class Group implements AsyncGuardGroup {
  readonly guards: readonly AsyncGuard[]
  readonly #end: () => void

  /** `end` ends the function that runs inside the holds. */
  constructor(guards: readonly AsyncGuard[], end: () => void) {
    this.guards = guards
    this.#end = end
  }

  get released(): boolean {
    return this.guards.every((guard) => guard.released)
  }

  release(): void | Promise<void> {
    if (typeof this !== 'object' || !(#end in this)) throw invalidThis('guard', 'release')
    const errors: unknown[] = []
    const releases: Array<Promise<unknown>> = []
    for (const guard of this.guards) {
      try {
        const released = guard.release()
        if (released !== undefined) releases.push(released.catch((error) => errors.push(error)))
      } catch (error) {
        errors.push(error)
      }
    }
    const end = () => {
      this.#end()
      if (errors.length > 0) throw errors[0]
    }
    return releases.length === 0 ? end() : Promise.all(releases).then(end)
  }

  [Symbol.dispose](): void {
    this.release()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.release()
  }

  /** @internal For `console.log`. */
  [inspectSymbol](depth: number, options: object, inspect?: Inspect): string {
    return show('GuardGroup', this, depth, options, inspect, () => ({
      released: this.released,
      guards: this.guards,
    }))
  }
}

/** One lock to acquire. */
interface Step {
  identity: string
  lock: AsyncRWLock
  mode: ModeName
  /** Where its guard stands. */
  positions: number[]
}

/** One call of {@link lockAll} or {@link acquireAll}. */
class Acquisition {
  readonly #steps: Step[]
  readonly #guards: AsyncGuard[] = []
  readonly #options: AcquireOptions
  readonly #deadline: number
  /** Has the stack of the caller, if the wait may time out. */
  readonly #caller: { stack?: unknown } = {}
  #hasBegun = false

  constructor(wants: readonly Want[], options: AcquireOptions = {}, method: (...args: never) => unknown) {
    this.#options = checkAcquireOptions(options)
    this.#steps = inOrder(wants)
    const { timeout = Number.POSITIVE_INFINITY } = this.#options
    this.#deadline = performance.now() + timeout
    if (timeout !== Number.POSITIVE_INFINITY) Error.captureStackTrace?.(this.#caller, method)
  }

  /** Runs `body` while all the locks are held. */
  async run<T>(body: (guards: AsyncGuard[]) => T | PromiseLike<T>): Promise<T> {
    try {
      // An empty list, too, is acquired after the caller has its promise.
      if (this.#steps.length === 0) await undefined
      return await this.#from(0, body)
    } catch (error) {
      throw this.#explained(error)
    }
  }

  /** Acquires the locks from that index on. */
  #from<T>(index: number, body: (guards: AsyncGuard[]) => T | PromiseLike<T>): T | PromiseLike<T> {
    const step = this.#steps[index]
    if (step === undefined) return this.#begin(body)
    return step.lock[step.mode]((guard) => {
      for (const position of step.positions) this.#guards[position] = guard
      return this.#from(index + 1, body)
    }, this.#remaining())
  }

  #begin<T>(body: (guards: AsyncGuard[]) => T | PromiseLike<T>): T | PromiseLike<T> {
    if (this.#options.signal !== undefined) throwIfAborted(this.#options.signal)
    for (const { lock, positions } of this.#steps) {
      if (!this.#guards[positions[0] as number]?.released) continue
      identityOf(lock) // fails if the lock was closed
      throw new LockError(
        'ERR_LOCK_CLOSED',
        `the hold of wants[${positions[0]}].lock was lost while the other locks were waited for`,
      )
    }
    this.#hasBegun = true
    return body(this.#guards)
  }

  /** The options of the next lock: what is left of the timeout. */
  #remaining(): AcquireOptions {
    const { timeout } = this.#options
    if (!timeout) return this.#options
    return { ...this.#options, timeout: Math.max(this.#deadline - performance.now(), 0) }
  }

  /** A timeout of one lock, as one of the whole call. */
  #explained(error: unknown): unknown {
    if (
      this.#hasBegun ||
      this.#steps.length < 2 ||
      !(error instanceof LockError) ||
      error.code !== 'ERR_LOCK_TIMEOUT'
    )
      return error
    const { timeout } = this.#options
    const inTime = timeout ? `within ${Math.round(timeout)} ms` : 'at once'
    const explained = new LockError(
      'ERR_LOCK_TIMEOUT',
      `of ${this.#steps.length} locks, not all were granted ${inTime}, so none is held: ${error.message}`,
      error.holders,
    )
    setStack(explained, this.#caller)
    return explained
  }
}

const STRENGTH: Record<ModeName, number> = { read: 0, upgradable: 1, write: 2 }

/** What to acquire, each lock once, in the order that every process keeps to. */
function inOrder(wants: readonly Want[]): Step[] {
  if (!Array.isArray(wants)) throw invalidType('wants', 'an array of { lock, mode }', wants)
  const steps = new Map<string, Step>()
  for (let index = 0; index < wants.length; index++) {
    const want: unknown = wants[index]
    if (typeof want !== 'object' || want === null) {
      throw invalidType(`wants[${index}]`, 'an object { lock, mode }', want)
    }
    const { lock, mode = 'write' } = want as Want
    checkLockArgument(`wants[${index}].lock`, lock)
    checkModeArgument(`wants[${index}].mode`, mode)
    const identity = identityOf(lock)
    const same = steps.get(identity)
    if (same === undefined) {
      steps.set(identity, { identity, lock, mode, positions: [index] })
    } else {
      same.positions.push(index)
      if (STRENGTH[mode] > STRENGTH[same.mode]) same.mode = mode
    }
  }
  return [...steps.values()].sort((a, b) => (a.identity < b.identity ? -1 : 1))
}
