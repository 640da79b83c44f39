import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { invalidType, invalidValue } from './errors.js'

/**
 * What a lock is called.
 *
 * - `'name'` or `{ name }`: shared memory, per user and machine. Any non-empty string of up to 255 UTF-8 bytes.
 * - `{ path }`: the file is the lock, made if it is missing. Whoever can map it shares the lock: other users by file mode,
 *   containers by a bind mount. Network file systems are refused. A new file has the mode that the umask leaves, less the
 *   permission to read for those who may not write; a file with such a permission is refused.
 */
export type RWLockRef = string | { name: string } | { path: string | URL }

/** How to open a lock. */
export interface RWLockOptions {
  /**
   * Attachments (threads x processes) the lock can hold at once, 1 to 4095; 128 by default. The creator's wins: asking for
   * another one than an existing lock has is `ERR_LOCK_INCOMPATIBLE`.
   */
  capacity?: number | undefined
  /**
   * How long a waiter may be overtaken before the queue closes to newcomers, in ms; 1 by default. 0 is strictly first come,
   * first served, at the price of a context switch for every contended acquisition.
   */
  fairness?: number | undefined
  /** Shown to whoever inspects the lock; the process' title by default. The first 48 bytes of UTF-8 are kept. */
  label?: string | undefined
}

/** How to wait for a lock. */
export interface AcquireOptions {
  /**
   * How long to wait for the lock, in ms (never how long it may be held). No limit by default; 0 does not wait. When it
   * has passed, the acquisition rejects with `ERR_LOCK_TIMEOUT`.
   */
  timeout?: number | undefined
  /** Ends the wait; the acquisition rejects with `signal.reason`. A synchronous wait looks at it only before it begins. */
  signal?: AbortSignal | undefined
  /** What this hold is called when somebody inspects the lock. The first 48 bytes of UTF-8 are kept. */
  label?: string | undefined
}

/** A reference, checked. */
export type Place = { name: string; path?: never } | { path: string; name?: never }

const MAX_NAME_BYTES = 255
const MAX_CAPACITY = 4095

export function checkRef(ref: unknown): Place {
  if (typeof ref === 'string') return { name: checkName('The lock name', ref) }
  if (typeof ref === 'object' && ref !== null) {
    const { name, path } = ref as { name?: unknown; path?: unknown }
    if (name !== undefined && path !== undefined) {
      throw invalidValue('ref', '{ name, path }', 'must have either a name or a path')
    }
    if (name !== undefined) {
      if (typeof name !== 'string') throw invalidType('ref.name', 'a string', name)
      return { name: checkName('ref.name', name) }
    }
    if (path instanceof URL) return { path: checkPath(fileURLToPath(path)) }
    if (path !== undefined) {
      if (typeof path !== 'string') throw invalidType('ref.path', 'a string or a file: URL', path)
      return { path: checkPath(path) }
    }
  }
  throw invalidType('ref', 'a name, { name } or { path }', ref)
}

function checkName(what: string, name: string): string {
  if (name === '') throw invalidValue(what, name, 'must not be empty')
  if (name.includes('\0')) throw invalidValue(what, name, 'must not contain a NUL character')
  // A lone surrogate has no UTF-8 form: two such names would be one lock.
  if (/\p{Surrogate}/u.test(name)) throw invalidValue(what, name, 'must be well-formed Unicode')
  const bytes = Buffer.byteLength(name)
  if (bytes > MAX_NAME_BYTES) {
    throw invalidValue(what, name, `must have at most ${MAX_NAME_BYTES} bytes of UTF-8, and has ${bytes}`)
  }
  return name
}

function checkPath(path: string): string {
  if (path === '') throw invalidValue('ref.path', path, 'must not be empty')
  if (path.includes('\0')) throw invalidValue('ref.path', path, 'must not contain a NUL character')
  return resolve(path)
}

export function checkObject(name: string, value: unknown): void {
  if (value !== undefined && (typeof value !== 'object' || value === null)) {
    throw invalidType(name, 'an object', value)
  }
}

export function checkFunction(name: string, value: unknown): void {
  if (typeof value !== 'function') throw invalidType(name, 'a function', value)
}

export function checkOpenOptions(options: RWLockOptions | undefined): RWLockOptions {
  checkObject('options', options)
  const { capacity, fairness, label } = options ?? {}
  if (capacity !== undefined) {
    if (typeof capacity !== 'number') throw invalidType('options.capacity', 'a number', capacity)
    if (!Number.isInteger(capacity) || capacity < 1 || capacity > MAX_CAPACITY) {
      throw invalidValue('options.capacity', capacity, `must be an integer from 1 to ${MAX_CAPACITY}`)
    }
  }
  checkMs('options.fairness', fairness)
  checkLabel('options.label', label)
  return { capacity, fairness, label }
}

export function checkAcquireOptions(options: AcquireOptions): void {
  checkObject('options', options)
  const { timeout, signal, label } = options
  checkMs('options.timeout', timeout)
  checkLabel('options.label', label)
  if (
    signal !== undefined &&
    (typeof signal !== 'object' ||
      signal === null ||
      !('aborted' in signal) ||
      !('addEventListener' in signal))
  ) {
    throw invalidType('options.signal', 'an AbortSignal', signal)
  }
}

function checkMs(name: string, ms: unknown): void {
  if (ms === undefined) return
  if (typeof ms !== 'number') throw invalidType(name, 'a number of milliseconds', ms)
  if (!(ms >= 0)) throw invalidValue(name, ms, 'must be 0 or more milliseconds')
}

function checkLabel(name: string, label: unknown): void {
  if (label !== undefined && typeof label !== 'string') throw invalidType(name, 'a string', label)
}
