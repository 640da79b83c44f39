// Arguments and results that are bytes.
import { invalidType } from './errors.js'

/** Not `instanceof`: the array may be of another context. */
export function isBytes(value: unknown): value is Uint8Array {
  return ArrayBuffer.isView(value) && (value as Uint8Array)[Symbol.toStringTag] === 'Uint8Array'
}

/** The bytes of a value to be stored: a copy, because the caller may change its array. */
export function bytesOf(value: unknown): Uint8Array | null {
  if (value === null) return null
  if (typeof value === 'string') return new TextEncoder().encode(value)
  if (isBytes(value)) return new Uint8Array(value)
  throw invalidType('value', 'a Uint8Array, a string or null', value)
}
