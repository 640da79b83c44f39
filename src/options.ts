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
  /**
   * Whether a named lock whose writer died outlives its last close, so that the next process that opens it still sees
   * `guard.ownerDied`; `true` by default. `false`: the last close removes it anyway, and with it the report. The
   * creator's wins. Without effect on a lock with a path, whose file stays in any case.
   */
  durable?: boolean | undefined
}

/** What `RWLock.prune()` removes. */
export interface PruneOptions {
  /** Remove locks that would report `guard.ownerDied` too; `false` by default. */
  ownerDied?: boolean | undefined
}

/** How to wait for a lock. */
export interface AcquireOptions {
  /**
   * How long to wait for the lock, in ms (never how long it may be held). No limit by default; 0 does not wait. When it
   * has passed, the acquisition rejects with `ERR_LOCK_TIMEOUT`.
   */
  timeout?: number | undefined
  /**
   * Ends the wait: the acquisition rejects with `signal.reason`, and a function that has not begun to run does not run, even if the
   * lock was free. A synchronous call checks it only before it waits.
   */
  signal?: AbortSignal | undefined
  /** What this hold is called when somebody inspects the lock. The first 48 bytes of UTF-8 are kept. */
  label?: string | undefined
}

/** A reference, checked. */
export type LockLocation = { name: string; path?: never } | { path: string; name?: never }

const MAX_NAME_BYTES = 255
const MAX_CAPACITY = 4095

export function checkRef(ref: unknown): LockLocation {
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
  const error = invalidType('ref', 'a name, { name } or { path }', ref)
  if (typeof ref === 'object' && ref !== null) {
    error.message +=
      '. If it was a lock: a message, workerData and structuredClone() cannot carry one; send lock.toJSON() instead'
  }
  throw error
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
  const { capacity, fairness, label, durable } = options ?? {}
  if (capacity !== undefined) {
    if (typeof capacity !== 'number') throw invalidType('options.capacity', 'a number', capacity)
    if (!Number.isInteger(capacity) || capacity < 1 || capacity > MAX_CAPACITY) {
      throw invalidValue('options.capacity', capacity, `must be an integer from 1 to ${MAX_CAPACITY}`)
    }
  }
  checkMs('options.fairness', fairness)
  checkLabel('options.label', label)
  checkBoolean('options.durable', durable)
  return { capacity, fairness, label, durable }
}

export function checkPruneOptions(options: PruneOptions | undefined): PruneOptions {
  checkObject('options', options)
  const { ownerDied } = options ?? {}
  checkBoolean('options.ownerDied', ownerDied)
  return { ownerDied }
}

/** The options, each read once: what was checked is what is used. */
export function checkAcquireOptions(options: AcquireOptions): AcquireOptions {
  checkObject('options', options)
  const { timeout, signal, label } = options
  checkMs('options.timeout', timeout)
  checkLabel('options.label', label)
  if (signal !== undefined && !isSignal(signal)) throw invalidType('options.signal', 'an AbortSignal', signal)
  return { timeout, signal, label }
}

/** Of any origin: what is used of it. */
function isSignal(value: unknown): value is AbortSignal {
  if (typeof value !== 'object' || value === null || !('aborted' in value)) return false
  const { addEventListener, removeEventListener } = value as Partial<AbortSignal>
  return typeof addEventListener === 'function' && typeof removeEventListener === 'function'
}

function checkMs(name: string, ms: unknown): void {
  if (ms === undefined) return
  if (typeof ms !== 'number') throw invalidType(name, 'a number of milliseconds', ms)
  if (!(ms >= 0)) throw invalidValue(name, ms, 'must be 0 or more milliseconds')
}

function checkBoolean(name: string, value: unknown): void {
  if (value !== undefined && typeof value !== 'boolean') throw invalidType(name, 'a boolean', value)
}

function checkLabel(name: string, label: unknown): void {
  if (label !== undefined && typeof label !== 'string') throw invalidType(name, 'a string', label)
}
