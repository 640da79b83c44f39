// `lock.ensure()`: one of many processes makes a thing, the others use it.
import { invalidValue } from './errors.js'
import { checkAcquireOptions, checkFunction } from './options.js'
import type { AcquireOptions, AsyncGuard, AsyncRWLock } from './types.js'

/** Gives the thing, or `undefined` if it has not been made. */
type Load<G, T> = (guard: G) => T | undefined | PromiseLike<T | undefined>

/** Makes the thing, and may return it. */
// biome-ignore lint/suspicious/noConfusingVoidType: what a function without `return` returns.
type Make<G, T> = (guard: G) => T | void | PromiseLike<T | void>

export async function ensure<G extends AsyncGuard, T>(
  lock: AsyncRWLock<G>,
  load: Load<G, T>,
  make: Make<G, T>,
  options?: AcquireOptions,
): Promise<T> {
  checkFunction('load', load)
  checkFunction('make', make)
  const waits = new Waits(options === undefined ? {} : checkAcquireOptions(options))

  const found = await lock.read(waits.until(loadUnlessHalfMade), waits.options)
  if (found !== undefined) return found
  return lock.upgradable(waits.until(loadOrMake), waits.options)

  /** A dead maker may have left a half-made thing, which `load` need not detect. */
  async function loadUnlessHalfMade(guard: G): Promise<T | undefined> {
    return guard.ownerDied === null ? load(guard) : undefined
  }

  async function loadOrMake(guard: G): Promise<T> {
    const found = await loadUnlessHalfMade(guard) // another process may have made it meanwhile
    if (found !== undefined) return found
    await guard.upgrade(waits.options)
    const made = await make(guard)
    await guard.downgrade() // ends the write hold: the others load it beside this one
    const result = made === undefined ? await load(guard) : made
    if (result === undefined) {
      throw invalidValue('make', make, 'returned nothing, and load() returns nothing after it')
    }
    return result
  }
}

/** One timeout for several waits. Time between the waits does not count. */
class Waits {
  readonly #options: AcquireOptions
  #left: number | undefined
  #began = 0

  constructor(options: AcquireOptions) {
    this.#options = options
    this.#left = options.timeout
  }

  /** For the next wait, which begins now. */
  get options(): AcquireOptions {
    this.#began = performance.now()
    return this.#left === undefined ? this.#options : { ...this.#options, timeout: this.#left }
  }

  /** A function that ends the wait, and calls `fn`. */
  until<G, R>(fn: (guard: G) => R): (guard: G) => R {
    return (guard) => {
      if (this.#left) this.#left = Math.max(0, this.#left - (performance.now() - this.#began))
      return fn(guard)
    }
  }
}
