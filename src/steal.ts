// Stealing, for the interfaces that need it (Web Locks). It is not part of the API of a lock: whoever
// steals ends the hold of a program that did nothing wrong, so both sides must want that.
import type { EngineLock } from './engine-lock.js'
import type { AcquireOptions, AsyncGuard, RWLockOptions } from './types.js'

/** The method of a lock that {@link steal} calls. */
export const stealSymbol = Symbol('steal')
/** The option that {@link allowingSteals} sets. */
export const stealableSymbol = Symbol('stealable')

/**
 * Options of a lock whose holds may be stolen. A hold that is stolen ends as soon as the event loop
 * of its thread runs: `guard.signal` aborts with `ERR_LOCK_LOST`, and when its listeners have
 * returned, the hold ends as that of a function that throws. A synchronous function is never
 * interrupted, and `readSync()` and `writeSync()` are never robbed.
 */
export function allowingSteals(options?: RWLockOptions): RWLockOptions {
  return { ...options, [stealableSymbol]: true } as RWLockOptions
}

/** Whether a lock with these options allows steals. */
export function allowsSteals(options: RWLockOptions | undefined): boolean {
  return (options as { [stealableSymbol]?: boolean } | undefined)?.[stealableSymbol] === true
}

/**
 * Acquires the lock for writing, before all requests that wait, and from those who hold it if they
 * allow that. The waiting ones keep their order. Exclusion is never broken: a holder that does not
 * allow it, or whose event loop does not run, is waited for. Of several steals each robs the one
 * before, so the last caller keeps the lock.
 *
 * Rejects as `acquireWrite()`, and with `ERR_LOCK_UNSUPPORTED` if the engine cannot steal.
 */
export function steal<G extends AsyncGuard, Grant>(
  lock: EngineLock<G, Grant>,
  options?: AcquireOptions,
): Promise<G> {
  return lock[stealSymbol](options)
}
