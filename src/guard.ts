import { throwIfAborted } from './abort.js'
import { invalidThis, invalidValue, LockError, translated } from './errors.js'
import { type Inspect, inspectSymbol, show, writable } from './inspect.js'
import { type AcquireOptions, checkAcquireOptions } from './options.js'
import { binding } from './shared-memory/binding.js'
import {
  CONSISTENT,
  FAILED,
  type Handle,
  MODE_NAMES,
  type Mode,
  READ,
  UPGRADABLE,
  WRITE,
} from './shared-memory/handle.js'
import { Label } from './shared-memory/labels.js'
import { noticeLoss } from './shared-memory/lost-guards.js'
import { copy, timeoutError, Wait } from './shared-memory/pending.js'

/** A writer whose hold ended without release: what the lock protects may be half-written. */
export interface OwnerDied {
  /** Process id, as its own pid namespace counts. */
  pid: number
  /** `worker_threads.threadId`: 0 is the main thread. */
  threadId: number
  /** What its hold was called, or else its attachment. */
  label: string
  /** The fencing token of that hold. */
  token: bigint
}

/**
 * A hold of a lock. Release it, or let `using` do so:
 *
 * ```ts
 * using guard = await lock.acquireWrite()
 * ```
 *
 * A guard that is garbage-collected does not release its hold, which then lasts until its thread or process ends. The first write
 * guard that is lost so is reported by `process.emitWarning()`, with the code `RWLOCK_GUARD_LOST`.
 */
export interface Guard extends Disposable, AsyncDisposable {
  /** What the lock is held for now. */
  readonly mode: 'read' | 'write' | 'upgradable'
  /** Whether the hold has ended. */
  readonly released: boolean
  /**
   * The fencing token: strictly greater for every later write hold, also after crashes and re-creation. Hand it to what the
   * lock protects, and let that refuse a smaller one than it has seen. A reader's is that of the last write hold.
   *
   * Source: M. Kleppmann, "How to do distributed locking" (2016).
   */
  readonly token: bigint
  /**
   * The last writer whose hold ended without release (its process was killed, crashed or exited inside it, or its worker
   * was terminated), until a write hold ends normally: what the lock protects may be half-written. `null`: nobody.
   *
   * Source: the "owner died" state of robust mutexes, POSIX `pthread_mutex_lock`, `EOWNERDEAD`.
   */
  readonly ownerDied: OwnerDied | null
  /** Ends the hold. Does nothing if it has ended already. */
  release(): void
  /**
   * From upgradable to write, once the readers have left. If that fails, the hold is upgradable still.
   *
   * Rejects with `ERR_LOCK_TIMEOUT`; with `signal.reason`; with `ERR_LOCK_DEADLOCK` for a read hold, which could wait for
   * itself (use `lock.upgradable()`, or `tryUpgrade()`); with `ERR_LOCK_BUSY` if it is being upgraded already; with
   * `ERR_LOCK_CLOSED` if the hold ends first.
   */
  upgrade(options?: AcquireOptions): Promise<void>
  /** From upgradable or read to write if nobody else is in the way. Never waits; if it is `false` nothing has changed. */
  tryUpgrade(): boolean
  /** To `'read'` (the default) or, from write, to `'upgradable'`: no writer gets in between. */
  downgrade(to?: 'read' | 'upgradable'): void
}

/** What most holds never have, made when one does: each field of a hold is paid for by every acquisition. */
class Extras {
  label: string | undefined
  shown: Label | undefined
  upgrading: Wait<void> | null = null
}

/** A guard, as the package itself sees it. */
export class Hold implements Guard {
  readonly #handle: Handle
  /** Keeps the lock from being collected, and so closed, while somebody has the guard. */
  readonly lock: object
  /** See `lost-guards.ts`. */
  lossToken: object
  /** The mode. A field, and not only a getter, as `ended`: they are read where no stack may be left for a call. */
  held: Mode
  /** Ended by this guard; it also ends with its handle. */
  ended = false
  #hold: number
  #ownerDied: OwnerDied | null
  #extras: Extras | undefined

  /** `hold` is as the binding tells it, and just granted. If this throws, nothing is counted: the grant is the caller's. */
  constructor(lock: object, handle: Handle, mode: Mode, hold: number, label: string | undefined) {
    this.lock = lock
    this.lossToken = handle.lossToken
    this.#handle = handle
    this.held = mode
    this.#hold = hold
    this.#ownerDied = hold < 0 ? ownerDied(handle) : null
    if (label !== undefined) {
      this.#has().label = label
      this.#showLabel()
    }
    if (mode === READ) {
      handle.reads++
    } else {
      if (mode === WRITE) noticeLoss()
      handle.exclusive = mode
    }
  }

  get mode(): 'read' | 'write' | 'upgradable' {
    return MODE_NAMES[this.held] as 'read' | 'write' | 'upgradable'
  }

  get released(): boolean {
    return this.ended || this.#handle.closed
  }

  get token(): bigint {
    return this.#handle.tokenBase + BigInt(Math.abs(this.#hold) - 1)
  }

  get ownerDied(): OwnerDied | null {
    return this.#ownerDied
  }

  #has(): Extras {
    this.#extras ??= new Extras()
    return this.#extras
  }

  /** Why a call of `method` failed: if that was without its guard, in words that help. */
  static #explained(error: unknown, guard: unknown, method: string): unknown {
    const isGuard = typeof guard === 'object' && guard !== null && #handle in guard
    return isGuard ? error : invalidThis('guard', method)
  }

  static #check(guard: unknown, method: string): void {
    const error = Hold.#explained(null, guard, method)
    if (error !== null) throw error
  }

  release(): void {
    try {
      this.#end(CONSISTENT)
    } catch (error) {
      throw Hold.#explained(error, this, 'release') // to ask before would cost every release 1 ns
    }
  }

  /** Ends the hold of a function that threw. */
  fail(): void {
    this.#end(FAILED)
  }

  #end(end: typeof CONSISTENT | typeof FAILED): void {
    if (this.released) return
    const handle = this.#handle
    // Before: on the way the next one is granted, and what that calls may release this again.
    this.ended = true
    try {
      this.#extras?.shown?.drop()
      if (this.held === READ) {
        handle.releaseRead()
      } else {
        this.#extras?.upgrading?.callOff(closed('the hold was released while it waited to be upgraded'))
        handle.releaseExclusive(end)
      }
    } catch (error) {
      // Not the binding's: the stack ended on the way. So nothing is called here. It is held still, and can be released again.
      if ((error as LockError).code === undefined) this.ended = false
      throw error
    }
  }

  /** A reader's name is shown elsewhere than a writer's. */
  #showLabel(): void {
    const extras = this.#extras
    if (extras?.label === undefined) return
    extras.shown?.drop()
    extras.shown = new Label(this.#handle, this.held === READ, extras.label)
  }

  async upgrade(options?: AcquireOptions): Promise<void> {
    Hold.#check(this, 'upgrade')
    const checkedOptions = options === undefined ? {} : checkAcquireOptions(options)
    this.#assertHeld()
    const handle = this.#handle
    if (this.held === WRITE) return
    if (this.held === READ) {
      throw new LockError(
        'ERR_LOCK_DEADLOCK',
        `a read hold of ${handle.text} cannot wait to become a writer, since two of them would wait for each other: ` +
          'use lock.upgradable(), or tryUpgrade()',
      )
    }
    const extras = this.#has()
    if (extras.upgrading !== null) {
      throw new LockError(
        'ERR_LOCK_BUSY',
        `this hold of ${handle.text} is being upgraded already: await that`,
      )
    }
    const { timeout = Number.POSITIVE_INFINITY, signal } = checkedOptions
    if (signal !== undefined) throwIfAborted(signal)
    if (this.tryUpgrade()) return
    if (timeout === 0) throw timeoutError({ handle, mode: WRITE, isUpgrade: true, timeout: 0 })
    const upgrading = new Wait(
      { handle, mode: WRITE, isUpgrade: true, timeout, signal },
      (key) => translated(() => binding.requestUpgrade(copy.number, key, handle.attachment, timeout)),
      (hold) => this.#becomeWriter(hold),
    )
    extras.upgrading = upgrading
    try {
      await upgrading.promise
    } finally {
      extras.upgrading = null
    }
  }

  tryUpgrade(): boolean {
    Hold.#check(this, 'tryUpgrade')
    this.#assertHeld()
    if (this.held === WRITE) return true
    if (this.#extras?.upgrading) return false
    const hold = binding.tryUpgrade(this.#handle.attachment)
    if (hold === 0) return false
    // Without a call: no stack may be left for one, and it writes.
    const handle = this.#handle
    if (this.held === READ) handle.reads--
    this.held = WRITE
    handle.exclusive = WRITE
    this.#hold = hold
    this.#becomeWriter(hold)
    return true
  }

  #becomeWriter(hold: number): void {
    this.held = WRITE
    this.#handle.exclusive = WRITE
    this.#hold = hold
    this.#ownerDied = hold < 0 ? ownerDied(this.#handle) : null
    this.lossToken = this.#handle.lossToken
    noticeLoss()
    this.#showLabel()
  }

  downgrade(to: 'read' | 'upgradable' = 'read'): void {
    Hold.#check(this, 'downgrade')
    if (to !== 'read' && to !== 'upgradable') {
      throw invalidValue('to', to, "must be 'read' or 'upgradable'")
    }
    this.#assertHeld()
    const target = to === 'read' ? READ : UPGRADABLE
    if (target === this.held) return
    if (this.held === READ) {
      throw invalidValue(
        'to',
        to,
        'is no downgrade of a read hold: acquire the lock with lock.upgradable() instead',
      )
    }
    const handle = this.#handle
    this.#extras?.upgrading?.callOff(closed('the hold was downgraded while it waited to be upgraded'))
    try {
      handle.downgrade(target)
    } catch (error) {
      if ((error as LockError).code === undefined) throw error // no stack was left to get there: nothing has changed
      this.ended = true // nothing is left to hold
      this.#extras?.shown?.drop()
      throw error
    }
    this.held = target
    this.#showLabel()
  }

  #assertHeld(): void {
    if (this.#handle.closed) this.#handle.assertOpen()
    if (this.ended) throw closed(`this hold of ${this.#handle.text} was released: acquire the lock again`)
  }

  [Symbol.dispose](): void {
    Hold.prototype.release.call(this)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    Hold.prototype.release.call(this)
  }

  /** @internal For `console.log`. */
  [inspectSymbol](depth: number, options: object, inspect?: Inspect): string {
    return show('Guard', this, depth, options, inspect, () => {
      const { mode, released, token, ownerDied } = this
      return { lock: this.#handle.location, mode, released, token, ownerDied }
    })
  }
}

function closed(message: string): LockError {
  return new LockError('ERR_LOCK_CLOSED', message)
}

function ownerDied(handle: Handle): OwnerDied | null {
  const died = binding.ownerDied(handle.attachment)
  return died == null ? null : writable(died)
}
