// Output of locks and guards for `util.inspect`, and of snapshots for `JSON.stringify`.
import { inspect as inspectOfNode } from 'node:util'
import { isBytes } from './bytes.js'

export type Inspect = (value: unknown, options?: object) => string

/** Source: "Custom inspection functions on objects" in the documentation of `node:util`. */
export const inspectSymbol: unique symbol = Symbol.for('nodejs.util.inspect.custom') as never

/**
 * `value` as `name` with the result of `fields`. Never fails: `console.log` calls it, and also for
 * objects that only inherit the method.
 */
export function show(
  name: string,
  value: object,
  depth: number,
  options: object,
  inspect: Inspect = inspectOfNode,
  fields: () => object,
): string {
  if (depth < 0) return `[${name}]`
  let found: object
  try {
    found = fields()
  } catch {
    return inspect(value, { ...options, depth, customInspect: false })
  }
  return `${name} ${inspect(found, { ...options, depth })}`
}

/**
 * Lets `JSON.stringify` write the bigints in `value` as strings, on which it fails otherwise, and
 * bytes in base64.
 */
export function writable<T extends object>(value: T): T {
  return Object.defineProperty(value, 'toJSON', { value: toJSON, configurable: true, writable: true })
}

function toJSON(this: object): object {
  return Object.fromEntries(Object.entries(this).map(([key, value]) => [key, inJSON(value)]))
}

function inJSON(value: unknown): unknown {
  if (typeof value === 'bigint') return `${value}`
  return isBytes(value) ? Buffer.from(value).toString('base64') : value
}
