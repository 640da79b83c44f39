// Checks of the arguments that every engine has.
import { invalidType, invalidValue } from './errors.js'
import type { AcquireOptions, NoticeOptions } from './types.js'

export function checkObject(name: string, value: unknown): void {
  if (value !== undefined && (typeof value !== 'object' || value === null)) {
    throw invalidType(name, 'an object', value)
  }
}

export function checkFunction(name: string, value: unknown): void {
  if (typeof value !== 'function') throw invalidType(name, 'a function', value)
}

/** The options. Each is read once, so that the checked value is the one that is used. */
export function checkAcquireOptions(options: AcquireOptions): AcquireOptions {
  checkObject('options', options)
  const { timeout, signal, label } = options
  checkMs('options.timeout', timeout)
  checkLabel('options.label', label)
  if (signal !== undefined && !isSignal(signal)) throw invalidType('options.signal', 'an AbortSignal', signal)
  return { timeout, signal, label }
}

/** The signal of `whenContended()`. */
export function checkNoticeOptions(options: NoticeOptions | undefined): AbortSignal | undefined {
  checkObject('options', options)
  const signal = options?.signal
  if (signal !== undefined && !isSignal(signal)) throw invalidType('options.signal', 'an AbortSignal', signal)
  return signal
}

/** Accepts a signal of any library that has the members used here. */
export function isSignal(value: unknown): value is AbortSignal {
  if (typeof value !== 'object' || value === null || !('aborted' in value)) return false
  const { addEventListener, removeEventListener } = value as Partial<AbortSignal>
  return typeof addEventListener === 'function' && typeof removeEventListener === 'function'
}

/** Checks a number from 1 to `max`. */
export function checkCount(name: string, value: unknown, max: number): void {
  if (value === undefined) return
  if (typeof value !== 'number') throw invalidType(name, 'a number', value)
  if (!Number.isInteger(value) || value < 1 || value > max) {
    throw invalidValue(name, value, `must be an integer from 1 to ${max}`)
  }
}

export function checkMs(name: string, ms: unknown): void {
  if (ms === undefined) return
  if (typeof ms !== 'number') throw invalidType(name, 'a number of milliseconds', ms)
  if (!(ms >= 0)) throw invalidValue(name, ms, 'must be 0 or more milliseconds')
}

export function checkBoolean(name: string, value: unknown): void {
  if (value !== undefined && typeof value !== 'boolean') throw invalidType(name, 'a boolean', value)
}

export function checkLabel(name: string, label: unknown): void {
  if (label !== undefined && typeof label !== 'string') throw invalidType(name, 'a string', label)
}
