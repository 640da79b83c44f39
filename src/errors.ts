import type { Holder } from './types.js'

/** What {@link LockError.code} can be. */
export type LockErrorCode =
  /** The timeout passed; {@link LockError.holders} says who holds the lock. */
  | 'ERR_LOCK_TIMEOUT'
  /** The handle is closed, or the guard released. */
  | 'ERR_LOCK_CLOSED'
  /** It could never be granted. */
  | 'ERR_LOCK_DEADLOCK'
  /** No free attachment, the dead ones reclaimed first. */
  | 'ERR_LOCK_FULL'
  /** The memory or file is not a valid lock. */
  | 'ERR_LOCK_CORRUPT'
  /** Another layout version, or another capacity than the one asked for. */
  | 'ERR_LOCK_INCOMPATIBLE'
  /** Permission, wrong owner, a network file system, no space: the message names the remedy. */
  | 'ERR_LOCK_ACCESS'
  /** The lock is in use, or the hold is being upgraded already. */
  | 'ERR_LOCK_BUSY'
  /**
   * Thrown when the package is loaded: there is no build for this platform, or it is not installed. When a lock is opened:
   * the system lacks what it needs.
   */
  | 'ERR_LOCK_UNSUPPORTED'
  /** `process-rwlock/file`: a file is not valid JSON, or not text of the given encoding; {@link LockError.path} names it. */
  | 'ERR_LOCK_INVALID_CONTENT'

const brand = Symbol.for('process-rwlock.LockError')

/**
 * An error of a lock: a `code` to act on and a message that says what to do.
 *
 * `instanceof` also recognises errors of another copy of this package.
 */
export class LockError extends Error {
  /** What went wrong. */
  readonly code: LockErrorCode
  /** With `ERR_LOCK_TIMEOUT`: who held the lock when the time was up. */
  declare readonly holders?: Holder[]
  /** Where the operating system refused something: its error, with `code`, `errno` and `syscall` as Node's own errors have them. */
  declare cause?: unknown
  /** The number of that error, negative as in Node's own: `os.constants.errno`, `util.getSystemErrorName()`. */
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
    // biome-ignore lint/complexity/noThisInStatic: a class that extends this one inherits the method, but not the brand.
    if (this !== LockError) return Function.prototype[Symbol.hasInstance].call(this, value)
    return typeof value === 'object' && value !== null && brand in value
  }
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

/** A method that was taken from its object, as in `promise.finally(guard.release)`. As Node's own `ERR_INVALID_THIS`. */
export function invalidThis(object: 'guard' | 'lock', method: string): Error {
  return coded(
    'ERR_INVALID_THIS',
    `${method}() was called without its ${object}: pass a function that calls it, () => ${object}.${method}()`,
  )
}

/** As Node's own `ERR_INVALID_ARG_TYPE`. */
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

/** As Node's own `ERR_INVALID_ARG_VALUE`. */
export function invalidValue(name: string, value: unknown, reason: string): Error {
  const shown = typeof value === 'string' ? JSON.stringify(value.slice(0, 40)) : String(value)
  return coded('ERR_INVALID_ARG_VALUE', `${name} ${reason}. Received ${shown}`)
}
