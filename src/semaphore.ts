import { invalidThis } from './errors.js'
import { type Inspect, inspectSymbol, show } from './inspect.js'
import { type AsyncSemaphore, notLimited, type SemaphoreSnapshot, withPermits } from './permits.js'
import { RWLock } from './rwlock.js'
import { checkSemaphoreOptions } from './shared-memory/options.js'
import type { AcquireOptions, Guard, RWLockOptions, RWLockRef } from './types.js'

/** How to open a {@link Semaphore}. */
export interface SemaphoreOptions extends Omit<RWLockOptions, 'maxReaders' | 'reentrant'> {
  /**
   * The number of permits, of all processes together: 1 to 65,535. The process that creates the
   * semaphore sets it, and `inspect().permits` shows it: for another number, close the semaphore in
   * every process, and remove it with `RWLock.remove()` if it has a path.
   */
  permits: number
}

/** A permit of a {@link Semaphore}. Release it, or let `using` release it. */
export type Permit = Pick<
  Guard,
  | 'released'
  | 'release'
  | 'contended'
  | 'whenContended'
  | 'yield'
  | 'signal'
  | typeof Symbol.dispose
  | typeof Symbol.asyncDispose
>

/**
 * A number of permits that all processes of the machine share: at most so many of them do something
 * at the same time.
 *
 * ```ts
 * const downloads = new Semaphore('my-app/downloads', { permits: 4 })
 * const body = await downloads.use(() => fetch(url))
 * ```
 *
 * A semaphore is an {@link RWLock} with `maxReaders`, and a permit is a read hold of it. So the
 * permits of a process that dies are free within milliseconds; those who wait are served in their
 * order, over all processes; and a wait blocks nothing. An `RWLock` of the same name is the same
 * lock: its write hold keeps all permits out.
 *
 * A call inside of another one takes a permit of its own, and waits for itself if there is none.
 */
export class Semaphore implements AsyncSemaphore<Permit>, Disposable {
  readonly #lock: RWLock

  /**
   * Opens the semaphore, and creates it if there is none. Without `ref` it gets a random name, which
   * `toJSON()` returns.
   *
   * @throws As `new RWLock()`; `ERR_LOCK_INCOMPATIBLE` if it was created as an `RWLock` without
   * `maxReaders`.
   */
  constructor(ref: RWLockRef | undefined, options: SemaphoreOptions) {
    const lock = new RWLock(ref, checkSemaphoreOptions(options))
    try {
      if (lock.inspect().maxReaders === null)
        throw notLimited(lock.toJSON(), 'close it everywhere and open the semaphore first')
    } catch (error) {
      lock.close()
      throw error
    }
    this.#lock = lock
  }

  /**
   * Waits for a permit, calls `fn`, and returns the permit when `fn` has returned or its promise has
   * settled. `fn` never runs before this method has returned.
   *
   * Rejects with the error of `fn`; with `ERR_LOCK_TIMEOUT`, whose `holders` have the permits;
   * `signal.reason`, `ERR_LOCK_CLOSED`, `ERR_LOCK_CORRUPT`.
   */
  use<T>(fn: (permit: Permit) => T | PromiseLike<T>, options?: AcquireOptions): Promise<T> {
    try {
      return Semaphore.#lockOf(this, 'use').read(fn, options)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /** Waits for a permit. Rejects as {@link Semaphore.use}. */
  async acquire(options?: AcquireOptions): Promise<Permit> {
    return Semaphore.#lockOf(this, 'acquire').acquireRead(options)
  }

  /**
   * A permit if one is free and no request waits for it, else `null`.
   *
   * @throws `ERR_LOCK_CLOSED`
   */
  tryAcquire(): Permit | null {
    return Semaphore.#lockOf(this, 'tryAcquire').tryRead()
  }

  /**
   * Waits for a permit, blocking this thread and its event loop. For scripts and start-up code.
   *
   * @throws `ERR_LOCK_TIMEOUT`, `ERR_LOCK_CLOSED`, `ERR_LOCK_CORRUPT`; `ERR_LOCK_DEADLOCK` if this
   * thread has all the permits.
   */
  acquireSync(options?: AcquireOptions): Permit {
    return Semaphore.#lockOf(this, 'acquireSync').acquireReadSync(options)
  }

  /**
   * The permits, who has them, and who waits.
   *
   * @throws `ERR_LOCK_CLOSED`
   */
  inspect(): SemaphoreSnapshot {
    return withPermits(Semaphore.#lockOf(this, 'inspect').inspect())
  }

  /** What `new Semaphore()` turns into this semaphore again, in any process or worker thread. */
  toJSON(): { name: string } | { path: string } {
    return Semaphore.#lockOf(this, 'toJSON').toJSON()
  }

  /**
   * Closes this handle: its pending acquisitions reject with `ERR_LOCK_CLOSED`, its permits are
   * returned. No effect if it is closed.
   */
  close(): void {
    Semaphore.#lockOf(this, 'close').close()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close()
  }

  /** @internal For `console.log`. */
  [inspectSymbol](depth: number, options: object, inspect?: Inspect): string {
    return show('Semaphore', this, depth, options, inspect, () => {
      const { permits, available, holders, waiters } = this.inspect()
      return { ...this.toJSON(), permits, available, holders, waiters }
    })
  }

  static #lockOf(semaphore: unknown, method: string): RWLock {
    if (typeof semaphore === 'object' && semaphore !== null && #lock in semaphore) return semaphore.#lock
    throw invalidThis('semaphore', method)
  }
}
