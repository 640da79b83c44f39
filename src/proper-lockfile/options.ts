// The options of proper-lockfile. It checks none of them; neither does this, so that what worked
// works on.
import * as fs from 'node:fs'

/** How long to wait, as the option of the package `retry`. */
export interface RetryOptions {
  /** The number of attempts after the first; 10 by default. `Infinity`: see `forever`. */
  retries?: number | undefined
  /** By how much each delay is longer than the one before; 2 by default. */
  factor?: number | undefined
  /** The first delay in milliseconds; 1,000 by default. */
  minTimeout?: number | undefined
  /** The longest delay in milliseconds; no limit by default. */
  maxTimeout?: number | undefined
  /** Whether each delay is up to twice as long. */
  randomize?: boolean | undefined
  /** Whether to wait without a limit. */
  forever?: boolean | undefined
  /** The longest time of all attempts together, in milliseconds. */
  maxRetryTime?: number | undefined
  /** Without effect: a call that waits keeps the process alive. */
  unref?: boolean | undefined
}

/** What says which lock a path stands for. */
export interface UnlockOptions {
  /**
   * Whether links in the path are resolved, `true` by default; then the file must exist. The lock
   * of a file is the same for all of its paths in any case.
   */
  realpath?: boolean | undefined
  /**
   * The path of the directory that proper-lockfile would create, `<file>.lock` by default. Other
   * calls exclude this one if they have the same.
   */
  lockfilePath?: string | undefined
  /** Its `realpathSync()` is called; with `bridge`, also the synchronous calls for the directory. */
  // biome-ignore lint/suspicious/noExplicitAny: as in @types/proper-lockfile.
  fs?: any
}

/** How to check a lock. */
export interface CheckOptions extends UnlockOptions {
  /** With `bridge`: see {@link LockOptions.stale}. Otherwise without effect. */
  stale?: number | undefined
  /** Whether a lock of proper-lockfile itself counts. */
  bridge?: boolean | undefined
}

/** How to lock a file. */
export interface LockOptions extends CheckOptions {
  /**
   * How long to wait for the lock: the sum of the delays that proper-lockfile would make. The wait
   * ends when the lock is free. By default, and with 0, there is no wait.
   */
  retries?: number | RetryOptions | number[] | undefined
  /**
   * With `bridge`: how long after its last update the directory of a dead process is removed, in
   * milliseconds; 10,000 by default, at least 2,000. Otherwise without effect: the lock of a dead
   * process is free at once.
   */
  stale?: number | undefined
  /**
   * With `bridge`: the interval of these updates, in milliseconds; half of `stale` by default.
   * Otherwise without effect.
   */
  update?: number | undefined
  /**
   * With `bridge`: called if a process that uses proper-lockfile has taken the lock, because this
   * one did not update the directory in time. Throws the error by default. Otherwise never called.
   */
  onCompromised?: ((error: Error) => unknown) | undefined
  /**
   * Whether to create the directory, too, so that this call and those of proper-lockfile exclude
   * each other. For the time in which a program migrates.
   */
  bridge?: boolean | undefined
}

/** The options of a call with all defaults. */
export interface Checked {
  realpath: boolean
  lockfilePath: string | undefined
  fs: typeof fs
  bridge: boolean
  stale: number
  update: number
  onCompromised: (error: Error) => unknown
}

const STALE = 10_000
const MIN_STALE = 2000
const MIN_UPDATE = 1000

const throwIt = (error: Error) => {
  throw error
}

/** As in proper-lockfile, `undefined` replaces a default: `{ realpath: undefined }` resolves no links. */
export function withDefaults(options: LockOptions | undefined): Checked {
  const given = { realpath: true, stale: STALE, ...options }
  const stale = Math.max(given.stale || 0, MIN_STALE)
  const update = given.update == null ? stale / 2 : given.update || 0
  return {
    realpath: Boolean(given.realpath),
    lockfilePath: given.lockfilePath || undefined,
    fs: given.fs ?? fs,
    bridge: given.bridge ?? false,
    stale,
    update: Math.max(Math.min(update, stale / 2), MIN_UPDATE),
    onCompromised: given.onCompromised ?? throwIt,
  }
}

/** Whether the synchronous calls refuse `retries`. They do not wait for those that have no number. */
export function isRefusedSync(retries: LockOptions['retries']): boolean {
  const count = typeof retries === 'object' && retries !== null ? (retries as RetryOptions).retries : retries
  return typeof count === 'number' && count > 0
}

/** A timer of Node.js takes at least this long, in ms, so each retry of proper-lockfile does. */
const MIN_DELAY = 1

/** They are converted to numbers where they are used, as in the package `retry`. */
type Numbers = { [Option in keyof RetryOptions]-?: NonNullable<RetryOptions[Option]> }

/**
 * For how long calls with `retries` wait, in milliseconds.
 *
 * Source: the README of the package retry 0.12, `retry.timeouts()`.
 */
export function timeoutOf(retries: LockOptions['retries']): number {
  if (Array.isArray(retries)) return retries.reduce((sum, delay) => sum + durationOf(delay), 0)
  const given = typeof retries === 'object' && retries !== null ? retries : { retries: retries || 0 }
  // As there, `undefined` replaces a default.
  const options = { retries: 10, factor: 2, minTimeout: 1000, maxTimeout: Infinity, ...given } as Numbers
  const { factor, minTimeout, maxTimeout } = options
  const maxRetryTime = options.maxRetryTime || Infinity
  const count = options.forever ? Infinity : options.retries
  if (minTimeout > maxTimeout) throw new Error('minTimeout is greater than maxTimeout')
  if (count === Infinity) return maxRetryTime
  let sum = 0
  for (let attempt = 0; attempt < count && sum < maxRetryTime; attempt++) {
    const delay = (options.randomize ? 2 : 1) * minTimeout * factor ** attempt
    sum += durationOf(Math.min(delay, maxTimeout))
  }
  return Math.min(sum, maxRetryTime)
}

/** Timers take what is no number for the shortest delay. */
const durationOf = (delay: number) => (delay > MIN_DELAY ? delay : MIN_DELAY)
