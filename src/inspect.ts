// How locks and guards look to `util.inspect`, and snapshots to `JSON.stringify`.
import { inspect as inspectOfNode } from 'node:util'

export type Inspect = (value: unknown, options?: object) => string

/** Source: "Custom inspection functions on objects" in the documentation of `node:util`. */
export const inspectSymbol: unique symbol = Symbol.for('nodejs.util.inspect.custom') as never

/**
 * `value` as `name` with the fields that `fields` gives. Never fails: it is called by `console.log`, also with what only
 * inherits the method.
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

/** Has `JSON.stringify` write bigints in `value` as strings. It has no other form for them, and fails. */
export function writable<T extends object>(value: T): T {
  return Object.defineProperty(value, 'toJSON', { value: toJSON, configurable: true, writable: true })
}

function toJSON(this: object): object {
  return Object.fromEntries(
    Object.entries(this).map(([key, value]) => [key, typeof value === 'bigint' ? `${value}` : value]),
  )
}
