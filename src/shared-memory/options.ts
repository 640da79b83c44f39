// Checks of the arguments that name and open a lock in shared memory.
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { invalidType, invalidValue } from '../errors.js'
import { checkBoolean, checkCount, checkLabel, checkMs, checkObject } from '../options.js'
import type { SemaphoreOptions } from '../semaphore.js'
import { allowsSteals } from '../steal.js'
import type { LockLocation, PruneOptions, RWLockOptions } from '../types.js'
import { binding } from './binding.js'

const { MAX_CAPACITY, MAX_NAME_BYTES, MAX_READERS } = binding

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
      '. A message, workerData and structuredClone() cannot carry a lock: send lock.toJSON() instead'
  }
  throw error
}

function checkName(what: string, name: string): string {
  if (name === '') throw invalidValue(what, name, 'must not be empty')
  if (name.includes('\0')) throw invalidValue(what, name, 'must not contain a NUL character')
  // A lone surrogate has no UTF-8 form: two different names would be one lock.
  if (/\p{Surrogate}/u.test(name)) throw invalidValue(what, name, 'must be well-formed Unicode')
  const bytes = Buffer.byteLength(name)
  if (bytes > MAX_NAME_BYTES) {
    throw invalidValue(what, name, `must have at most ${MAX_NAME_BYTES} bytes of UTF-8, but has ${bytes}`)
  }
  return name
}

function checkPath(path: string): string {
  if (path === '') throw invalidValue('ref.path', path, 'must not be empty')
  if (path.includes('\0')) throw invalidValue('ref.path', path, 'must not contain a NUL character')
  return resolve(path)
}

export function checkOpenOptions(options: RWLockOptions | undefined): RWLockOptions {
  checkObject('options', options)
  const { capacity, maxReaders, fairness, nestedReads, label, durable, reentrant } = options ?? {}
  checkCount('options.capacity', capacity, MAX_CAPACITY)
  checkCount('options.maxReaders', maxReaders, MAX_READERS)
  checkMs('options.fairness', fairness)
  if (nestedReads !== undefined && nestedReads !== 'admit' && nestedReads !== 'queue') {
    if (typeof nestedReads !== 'string') throw invalidType('options.nestedReads', 'a string', nestedReads)
    throw invalidValue('options.nestedReads', nestedReads, "must be 'admit' or 'queue'")
  }
  checkLabel('options.label', label)
  checkBoolean('options.durable', durable)
  checkBoolean('options.reentrant', reentrant)
  if (reentrant && allowsSteals(options)) {
    // The calls that share a hold would not be told that it was stolen.
    throw invalidValue('options.reentrant', reentrant, 'cannot be combined with steals')
  }
  return { capacity, maxReaders, fairness, nestedReads, label, durable }
}

/** The options of the lock of a semaphore. A permit is for one use, so no use is nested. */
export function checkSemaphoreOptions(options: SemaphoreOptions): RWLockOptions {
  const checked = checkOpenOptions(options)
  const { permits } = options ?? {}
  if (permits === undefined) throw invalidType('options.permits', 'a number', permits)
  checkCount('options.permits', permits, MAX_READERS)
  return { ...checked, nestedReads: checked.nestedReads ?? 'queue', maxReaders: permits }
}

export function checkPruneOptions(options: PruneOptions | undefined): PruneOptions {
  checkObject('options', options)
  const { ownerDied } = options ?? {}
  checkBoolean('options.ownerDied', ownerDied)
  return { ownerDied }
}
