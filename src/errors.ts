import type { Holder } from './types.js'

/** What {@link LockError.code} can be. */
export type LockErrorCode =
  /** The timeout has passed; {@link LockError.holders} has the holders. */
  | 'ERR_LOCK_TIMEOUT'
  /** The handle is closed, or the guard is released. */
  | 'ERR_LOCK_CLOSED'
  /**
   * The hold ended although it was not released: the connection to the server that had it ended, or
   * it was stolen (by a Web Lock; a hold of `RWLock` is not).
   */
  | 'ERR_LOCK_LOST'
  /** There is no connection to the server of the lock; {@link LockError.cause} says why. */
  | 'ERR_LOCK_UNAVAILABLE'
  /** The request could never be granted. */
  | 'ERR_LOCK_DEADLOCK'
  /** All attachments are in use, after those of dead processes were reclaimed. */
  | 'ERR_LOCK_FULL'
  /** The memory or file is not a valid lock. */
  | 'ERR_LOCK_CORRUPT'
  /** The lock has another layout version, or a capacity other than the requested one. */
  | 'ERR_LOCK_INCOMPATIBLE'
  /**
   * Missing permission, wrong owner, a network file system, no space: the message has the remedy.
   */
  | 'ERR_LOCK_ACCESS'
  /** The lock is in use, or the hold is being upgraded. */
  | 'ERR_LOCK_BUSY'
  /** The hold does not have the mode that the call needs: only a write hold sets the value. */
  | 'ERR_LOCK_MODE'
  /**
   * Thrown when the package is loaded: there is no build for this platform, or it is not installed.
   * Thrown when a lock is opened: the system lacks a required feature.
   */
  | 'ERR_LOCK_UNSUPPORTED'
  /**
   * `process-rwlock/file`: a file is not valid JSON, or not text of the given encoding;
   * {@link LockError.path} names it.
   */
  | 'ERR_LOCK_INVALID_CONTENT'

const brand = Symbol.for('process-rwlock.LockError')

/** Has an anchor for each code. */
const ERRORS_PAGE = 'https://process-rwlock.github.io/process-rwlock/errors'

/**
 * An error of a lock. Programs act on its `code`; its message says what to do.
 *
 * `instanceof` recognizes the errors of every copy of this package.
 */
export class LockError extends Error {
  /** The kind of error. */
  readonly code: LockErrorCode
  /** The section of the documentation about this kind of error, with its causes and remedies. */
  readonly help: string
  /** With `ERR_LOCK_TIMEOUT`: the holders when the timeout had passed. */
  declare readonly holders?: Holder[]
  /**
   * The error of the operating system, if there was one, with `code`, `errno` and `syscall` as in
   * Node's errors.
   */
  declare cause?: unknown
  /**
   * The number of that error, negative as in Node's errors: see `os.constants.errno`,
   * `util.getSystemErrorName()`.
   */
  declare readonly errno?: number
  /** The system call that failed, such as `open`. */
  declare readonly syscall?: string
  /** With `ERR_LOCK_INVALID_CONTENT`: the file. */
  declare readonly path?: string
  /** With `ERR_LOCK_INVALID_CONTENT`: the line of the first invalid character, from 1. */
  declare readonly line?: number
  /** With `ERR_LOCK_INVALID_CONTENT`: its column, from 1, in UTF-16 code units. */
  declare readonly column?: number

  /** @internal */
  constructor(code: LockErrorCode, message: string, holders?: Holder[]) {
    super(message)
    this.code = code
    this.help = `${ERRORS_PAGE}#${code.toLowerCase()}`
    if (holders) this.holders = holders
  }

  static {
    Object.defineProperty(LockError.prototype, 'name', {
      value: 'LockError',
      configurable: true,
      writable: true,
    })
    Object.defineProperty(LockError.prototype, brand, { value: true })
  }

  /** @internal */
  static override [Symbol.hasInstance](value: unknown): value is LockError {
    // biome-ignore lint/complexity/noThisInStatic: a subclass inherits the method, but not the brand.
    if (this !== LockError) return Function.prototype[Symbol.hasInstance].call(this, value)
    return typeof value === 'object' && value !== null && brand in value
  }
}

/**
 * Has the stack of whoever called `below`. Takes 3 µs, more than a wait for this same thread. It
 * becomes text only when it is read.
 */
export function callerOf(below: abstract new (...args: never[]) => object): { stack?: unknown } {
  const caller = {}
  Error.captureStackTrace?.(caller, below)
  return caller
}

/** Gives `error`, which is created by an event of the loop, the stack of `caller`, which it is about. */
export function setStack(error: LockError, caller: { stack?: unknown }): void {
  Object.defineProperty(error, 'stack', {
    configurable: true,
    get() {
      const { stack } = caller
      const frames = typeof stack === 'string' ? stack.search(/\n +at /) : -1
      const value =
        frames === -1
          ? `${error.name}: ${error.message}`
          : `${error.name}: ${error.message}${(stack as string).slice(frames)}`
      Object.defineProperty(error, 'stack', { value, writable: true, configurable: true })
      return value
    },
    set(value) {
      Object.defineProperty(error, 'stack', { value, writable: true, configurable: true })
    },
  })
}

export function coded(code: string, message: string): Error {
  return Object.assign(new TypeError(message), { code })
}

/**
 * For a method that was taken from its object, as in `promise.finally(guard.release)`. Like Node's
 * `ERR_INVALID_THIS`.
 */
export function invalidThis(object: 'guard' | 'lock' | 'semaphore', method: string): Error {
  return coded(
    'ERR_INVALID_THIS',
    `${method}() was called without its ${object}: pass a function that calls it, () => ${object}.${method}()`,
  )
}

/** Like Node's `ERR_INVALID_ARG_TYPE`. */
export function invalidType(name: string, expected: string, actual: unknown): Error {
  const received =
    actual === null || actual === undefined
      ? `${actual}`
      : typeof actual === 'object'
        ? `an instance of ${actual.constructor?.name ?? 'Object'}`
        : typeof actual === 'function'
          ? `function ${actual.name}`
          : `type ${typeof actual} (${String(actual)})`
  return coded('ERR_INVALID_ARG_TYPE', `${name} must be ${expected}. Received ${received}`)
}

/** For `guard.upgrade()` of a read hold. */
export function readUpgradeError(text: string): LockError {
  return new LockError(
    'ERR_LOCK_DEADLOCK',
    `a read hold of ${text} cannot wait to become a write hold, because two of them would wait for each other: ` +
      'use lock.upgradable(), or tryUpgrade()',
  )
}

/** For `guard.downgrade()` of a read hold. */
export function notDowngradeError(to: string): Error {
  return invalidValue(
    'to',
    to,
    'is not a downgrade of a read hold: acquire the lock with lock.upgradable() instead',
  )
}

/** For `guard.setValue()` of a hold that is not the write hold. */
export function notWriterError(text: string, mode: string): LockError {
  return new LockError(
    'ERR_LOCK_MODE',
    `a hold of ${text} for ${mode} cannot set its value: acquire the lock with lock.write(), or ` +
      'upgrade this hold first',
  )
}

/** Like Node's `ERR_INVALID_ARG_VALUE`. */
export function invalidValue(name: string, value: unknown, reason: string): Error {
  const shown = typeof value === 'string' ? JSON.stringify(value.slice(0, 40)) : String(value)
  return coded('ERR_INVALID_ARG_VALUE', `${name} ${reason}. Received ${shown}`)
}
