import { EngineLock } from '../engine-lock.js'
import { LockError } from '../errors.js'
import type { AsyncGuard, AsyncRWLock } from '../types.js'
import type { PostgresEngine } from './engine.js'
import type { Grant } from './hold.js'

/** A lock over PostgreSQL. Its synchronous methods, for programs in JavaScript, say that there are none. */
export class PostgresLock extends EngineLock<AsyncGuard, Grant> implements AsyncRWLock {
  readonly #text: string

  constructor(engine: PostgresEngine, reentrant: boolean | undefined) {
    // Its holds have a type of their own, which this engine alone makes.
    super((() => engine) as never, { reentrant })
    this.#text = engine.text
  }

  #unsupported(method: string): never {
    throw new LockError(
      'ERR_LOCK_UNSUPPORTED',
      `${this.#text} has no ${method}(): a wait for a server cannot block the thread. Use a method that returns a promise`,
    )
  }

  /** @internal */
  readSync(): never {
    this.#unsupported('readSync')
  }

  /** @internal */
  writeSync(): never {
    this.#unsupported('writeSync')
  }

  /** @internal */
  acquireReadSync(): never {
    this.#unsupported('acquireReadSync')
  }

  /** @internal */
  acquireWriteSync(): never {
    this.#unsupported('acquireWriteSync')
  }
}
