// What semaphores of all engines share: a permit is a read hold of a lock that limits them.
import { LockError } from './errors.js'
import { writable } from './inspect.js'
import type { AcquireOptions, AsyncGuard, LockLocation, LockSnapshot } from './types.js'

/** A permit of an {@link AsyncSemaphore}. Release it, or let `await using` release it. */
export type AsyncPermit = Pick<
  AsyncGuard,
  'released' | 'release' | 'contended' | 'whenContended' | 'yield' | 'signal' | typeof Symbol.asyncDispose
>

/** The state of a semaphore at one moment: its lock, and how many permits there are. */
export interface SemaphoreSnapshot extends LockSnapshot {
  /** The number of permits. */
  permits: number
  /** The number of permits that are free. */
  available: number
}

/**
 * A semaphore of any engine: `Semaphore` in shared memory, or `PostgresLocks.semaphore()`. Where an
 * engine needs no wait, a method returns its value itself: `await` works with both.
 *
 * @typeParam P - The permits that it gives.
 */
export interface AsyncSemaphore<P extends AsyncPermit = AsyncPermit> extends AsyncDisposable {
  /**
   * Waits for a permit, calls `fn`, and returns the permit when `fn` has returned or its promise has
   * settled. `fn` never runs before this method has returned.
   *
   * Rejects with the error of `fn`; with `ERR_LOCK_TIMEOUT`, whose `holders` have the permits;
   * `signal.reason`, `ERR_LOCK_CLOSED`, or an error of the engine.
   */
  use<T>(fn: (permit: P) => T | PromiseLike<T>, options?: AcquireOptions): Promise<T>
  /** Waits for a permit. Rejects as {@link AsyncSemaphore.use}. */
  acquire(options?: AcquireOptions): Promise<P>
  /**
   * A permit if one is free and no request waits for it, else `null`.
   *
   * @throws `ERR_LOCK_CLOSED`, or an error of the engine.
   */
  tryAcquire(): P | null | Promise<P | null>
  /**
   * The permits, who has them, and who waits.
   *
   * @throws As {@link AsyncSemaphore.tryAcquire}.
   */
  inspect(): SemaphoreSnapshot | Promise<SemaphoreSnapshot>
  /** What opens this semaphore again, in any process or worker thread. */
  toJSON(): { name: string } | { path: string }
  /**
   * Closes this handle: its pending acquisitions reject with `ERR_LOCK_CLOSED`, its permits are
   * returned. No effect if it is closed.
   */
  close(): void | Promise<void>
}

/** The snapshot of the lock of a semaphore, with its permits. */
export function withPermits(snapshot: LockSnapshot): SemaphoreSnapshot {
  const permits = snapshot.maxReaders as number
  let available = permits
  for (const { mode, count } of snapshot.holders) {
    if (mode === 'write') available = 0
    else if (mode === 'read') available = Math.max(0, available - count)
  }
  return writable({ ...snapshot, permits, available })
}

/** `again`: how the lock can become a semaphore. */
export function notLimited({ name, path }: LockLocation, again: string): LockError {
  return new LockError(
    'ERR_LOCK_INCOMPATIBLE',
    `lock ${name === undefined ? path : `'${name}'`} was created without maxReaders, so it is no semaphore: ` +
      `use another name, or ${again}`,
  )
}
