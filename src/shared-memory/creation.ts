import type { RWLockOptions } from '../types.js'

/** Properties of a lock that are not part of its API. The creator's apply. */
export interface Creation {
  /** Stored with a named lock, for `binding.note()`. */
  note?: Uint8Array | undefined
  /**
   * A request keeps its turn as long as its process lives: it is not skipped because its thread is
   * busy or its process is stopped. Default `false`.
   */
  keepsTurns?: boolean | undefined
}

const creationSymbol = Symbol('creation')

/** The options of a lock that is created with these properties. */
export function withCreation(options: RWLockOptions, creation: Creation): RWLockOptions {
  return { ...options, [creationSymbol]: creation } as RWLockOptions
}

export function creationOf(options: RWLockOptions | undefined): Creation {
  return (options as { [creationSymbol]?: Creation } | undefined)?.[creationSymbol] ?? {}
}
