import { invalidInvocation, notConstructible } from './errors.js'

/** How a lock is held: by any number of callbacks at once, or by one alone. */
export type LockMode = 'exclusive' | 'shared'

/** Lets this package alone construct objects. */
export const internal = Symbol('internal')

/** A granted lock. It is held until the promise of the callback that has got it settles. */
export class Lock {
  readonly #name: string
  readonly #mode: LockMode

  /** @internal */
  constructor(key: unknown, name: string, mode: LockMode) {
    if (key !== internal) throw notConstructible()
    this.#name = name
    this.#mode = mode
  }

  /** The name that was requested. */
  get name(): string {
    if (!(#name in this)) throw invalidInvocation()
    return this.#name
  }

  get mode(): LockMode {
    if (!(#mode in this)) throw invalidInvocation()
    return this.#mode
  }
}

describe(Lock, ['name', 'mode'])

/** Gives a class the properties of an interface of the platform. */
export function describe(object: { prototype: object; name: string }, members: string[]): void {
  for (const member of members) Object.defineProperty(object.prototype, member, { enumerable: true })
  Object.defineProperty(object.prototype, Symbol.toStringTag, { value: object.name, configurable: true })
  Object.defineProperty(object, 'length', { value: 0, configurable: true })
}
