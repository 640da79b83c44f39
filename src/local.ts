import { invalidType } from './errors.js'
import { type Inspect, inspectSymbol, show } from './inspect.js'
import { checkFunction } from './options.js'

/**
 * Returns an object whose values belong to this thread of this process: a connection, or what the
 * thread has cached of the data that a lock protects.
 *
 * ```ts
 * const mine = local(() => ({ version: -1n, settings: {} }))
 *
 * await lock.read(async (guard) => {
 *   if (mine.version !== guard.token) Object.assign(mine, { version: guard.token, settings: await load() })
 *   return mine.settings
 * })
 * ```
 *
 * Each process and each worker thread that loads the module has its own object. If the object
 * itself is handed over (`workerData`, `postMessage()`, an IPC message, `structuredClone()`,
 * `JSON.stringify()`), it arrives empty, because its values are not enumerable. So `Object.keys()`,
 * `for...in` and spread do not see them either.
 *
 * @param init - Called once, at the first use; returns a plain object with the first values. If it
 * throws, the next use calls it again. Without it the object starts empty.
 *
 * @throws `ERR_INVALID_ARG_TYPE` if `init` is not a function; at the first use, if it does not
 * return a plain object.
 */
export function local<T extends object>(init?: () => T): T {
  if (init !== undefined) checkFunction('init', init)
  let pending = init

  /** Whether the first values were set just now. */
  function initialize(): boolean {
    if (pending === undefined) return false
    const make = pending
    pending = undefined // `make` may use the object
    try {
      define(values, make)
    } catch (error) {
      pending = make
      throw error
    }
    return true
  }

  // The values are own properties of `values`. Its prototype, a proxy, is asked only for a property
  // that does not exist: then it calls `init`, or defines the new property as not enumerable.
  const prototype = new Proxy(
    {},
    {
      get(target, key, receiver) {
        if (key === inspectSymbol) return inspectLocal
        if (key === 'constructor') return Object // `console.log` asks for it, which is not a use
        return Reflect.get(initialize() ? receiver : target, key)
      },
      has(target, key) {
        return Reflect.has(initialize() ? values : target, key)
      },
      set(_, key, value, receiver) {
        if (initialize()) return Reflect.set(receiver, key, value)
        return Reflect.defineProperty(receiver, key, { value, writable: true, configurable: true })
      },
    },
  )
  const values = Object.create(prototype) as T
  return values
}

function define(values: object, init: () => object): void {
  const first: unknown = init()
  if (!isPlain(first)) {
    const error = invalidType('The value that init returns', 'a plain object', first)
    error.message += '. Return another kind of value as a property: local(() => ({ value }))'
    throw error
  }
  for (const key of Reflect.ownKeys(first)) {
    const property = Object.getOwnPropertyDescriptor(first, key)
    Object.defineProperty(values, key, { ...property, enumerable: false })
  }
}

/** Whether it is an object literal, of any realm: the prototype of its prototype does not exist. */
function isPlain(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || Object.getPrototypeOf(prototype) === null
}

/** For `console.log`: the values, although they are not enumerable. */
function inspectLocal(this: object, depth: number, options: object, inspect?: Inspect): string {
  return show('local', this, depth, options, inspect, () =>
    Object.fromEntries(Reflect.ownKeys(this).map((key) => [key, Reflect.get(this, key)])),
  )
}
