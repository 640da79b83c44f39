import { LockError } from '../errors.js'
import { borrowLock } from '../file/lock.js'
import { both, runAsync, runSync, type Steps } from '../file/steps.js'
import type { RWLock } from '../rwlock.js'
import type { Guard } from '../types.js'
import { Directory } from './directory.js'
import { locked, noRetries, notAcquired, released } from './errors.js'
import {
  type Checked,
  isRefusedSync,
  type LockOptions,
  timeoutOf,
  type UnlockOptions,
  withDefaults,
} from './options.js'
import { type Place, placeOf, targetOf } from './place.js'

/** A lock that this thread holds. */
interface Held {
  place: Place
  guard: Guard
  /** With `bridge`. */
  directory: Directory | undefined
  /** Lets the lock be closed. */
  done: () => void
}

/** For `unlock()`. A file has another lock for each `lockfilePath`. */
const held = new Set<Held>()

/**
 * Locks a file, for the processes of this user that use this module, `process-rwlock/file` or
 * `forFile()`; with `bridge`, also for those that use proper-lockfile. Resolves with a function that
 * releases the lock.
 *
 * ```ts
 * const release = await lock('settings.json', { retries: 10 })
 * try { … } finally { await release() }
 * ```
 *
 * Rejects with the code `ELOCKED` if the lock is held, with `retries` after the time in which
 * proper-lockfile would have tried again; as `fs.realpath()`. `release()` rejects with `ERELEASED`
 * if the lock has been released.
 *
 * Source: the README of proper-lockfile 4.
 */
export async function lock(file: string, options?: LockOptions): Promise<() => Promise<void>> {
  const timeout = timeoutOf(options?.retries)
  const release = await runAsync(acquire(file, withDefaults(options), timeout))
  return async () => release()
}

/**
 * Like {@link lock}, but does not wait.
 *
 * @throws as that rejects; `ESYNC` with a number of `retries`
 */
export function lockSync(file: string, options?: LockOptions): () => void {
  if (isRefusedSync(options?.retries)) throw noRetries()
  return runSync(acquire(file, withDefaults(options), 0))
}

/**
 * Releases the lock of a file that this thread holds. Rejects with `ENOTACQUIRED` if it does not
 * hold it.
 */
export async function unlock(file: string, options?: UnlockOptions): Promise<void> {
  unlockSync(file, options)
}

/** Like {@link unlock}. @throws as that rejects */
export function unlockSync(file: string, options?: UnlockOptions): void {
  const place = placeOf(file, withDefaults(options))
  const those = [...held].filter((each) => each.place.file === place.file)
  const own = those.find((each) => each.place.directory === place.directory) ?? those.at(-1)
  if (own === undefined) throw notAcquired(place.file)
  release(own)
}

const acquireWrite = both(
  (lock: RWLock, _timeout: number) => lock.tryWrite(),
  (lock: RWLock, timeout: number) =>
    timeout === 0 ? Promise.resolve(lock.tryWrite()) : lock.acquireWrite({ timeout }),
)

function* acquire(file: string, options: Checked, timeout: number): Steps<() => void> {
  const start = performance.now()
  const place = placeOf(file, options)
  const { lock, done } = borrowLock(targetOf(place), false)
  let guard: Guard | null = null
  try {
    guard = yield* granted(lock, place, timeout)
    const directory = options.bridge ? new Directory(place, options) : undefined
    if (directory !== undefined) yield* directory.make(start + timeout)
    const own: Held = { place, guard, directory, done }
    held.add(own)
    directory?.keepFresh((error) => {
      end(own) // first: the program may acquire the lock again, and need not release this one
      options.onCompromised(error)
    })
    return () => release(own)
  } catch (error) {
    guard?.release()
    done()
    throw error
  }
}

/** Waits for the lock. @throws `ELOCKED` */
function* granted(lock: RWLock, { file }: Place, timeout: number): Steps<Guard> {
  try {
    const guard = yield* acquireWrite(lock, timeout)
    if (guard !== null) return guard
  } catch (error) {
    if (!(error instanceof LockError) || error.code !== 'ERR_LOCK_TIMEOUT') throw error
    throw locked(file, error.holders, error)
  }
  throw locked(file, lock.inspect().holders)
}

function release(own: Held): void {
  if (!held.has(own)) throw released(own.place.file)
  end(own)
}

function end(own: Held): void {
  held.delete(own)
  try {
    own.directory?.remove()
  } finally {
    own.guard.release()
    own.done()
  }
}
