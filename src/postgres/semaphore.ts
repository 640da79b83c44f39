import type { EngineLock } from '../engine-lock.js'
import { checkFunction } from '../options.js'
import {
  type AsyncPermit,
  type AsyncSemaphore,
  notLimited,
  type SemaphoreSnapshot,
  withPermits,
} from '../permits.js'
import type { AcquireOptions, AsyncGuard } from '../types.js'
import type { Grant } from './hold.js'

/** A semaphore over PostgreSQL: see {@link PostgresLocks.semaphore}. */
export class PostgresSemaphore implements AsyncSemaphore {
  readonly #lock: EngineLock<AsyncGuard, Grant>
  readonly #limit: () => number | null | undefined

  /** `limit`: of the read holds, which is known when there is one. */
  constructor(lock: EngineLock<AsyncGuard, Grant>, limit: () => number | null | undefined) {
    this.#lock = lock
    this.#limit = limit
  }

  async use<T>(fn: (permit: AsyncPermit) => T | PromiseLike<T>, options?: AcquireOptions): Promise<T> {
    checkFunction('fn', fn)
    return this.#lock.read((guard) => {
      this.#check()
      return fn(guard)
    }, options)
  }

  async acquire(options?: AcquireOptions): Promise<AsyncPermit> {
    return this.#checked(await this.#lock.acquireRead(options))
  }

  async tryAcquire(): Promise<AsyncPermit | null> {
    const guard = await this.#lock.tryRead()
    return guard && this.#checked(guard)
  }

  async inspect(): Promise<SemaphoreSnapshot> {
    const snapshot = await this.#lock.inspect()
    this.#check()
    return withPermits(snapshot)
  }

  toJSON(): { name: string } {
    return { name: this.#lock.name as string }
  }

  async close(): Promise<void> {
    await this.#lock.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  /** The row may be that of a lock without a limit. */
  #check(): void {
    if (this.#limit() === null)
      throw notLimited(this.toJSON(), 'remove that lock and use the semaphore first')
  }

  async #checked(guard: AsyncGuard): Promise<AsyncPermit> {
    try {
      this.#check()
    } catch (error) {
      await guard.release()
      throw error
    }
    return guard
  }
}
