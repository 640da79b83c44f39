import { LockError, translate } from '../errors.js'
import type { LockLocation } from '../options.js'
import { binding } from './binding.js'
import { releaseExclusive, releaseRead } from './fast-path.js'
import { dropLabels, type Label } from './labels.js'
import { type AnyWait, copy, withdrawAll } from './pending.js'

/** How a lock is held; the numbers are the binding's. */
export const READ = 1
export const UPGRADABLE = 2
export const WRITE = 3
export type Mode = typeof READ | typeof UPGRADABLE | typeof WRITE
export const MODE_NAMES = ['', 'read', 'upgradable', 'write'] as const

/** How an exclusive hold ends; the numbers are the binding's. */
export const CONSISTENT = 0
/** The function that held the lock threw. */
export const FAILED = 1

/** Every open handle of this copy of the package, by the binding's number for it. */
export const handles = new Map<number, Handle>()

/**
 * One opening of a lock: what a `RWLock` and its guards share. It must not refer to the `RWLock`, so that it can clean up
 * after that was collected.
 */
export class Handle {
  closed = false
  /** Holds of this handle, out of those of the attachment. */
  reads = 0
  exclusive: typeof UPGRADABLE | typeof WRITE | 0 = 0
  /** See `lost-guards.ts`. */
  lossToken = {}
  /** The write hold whose loss is noticed. */
  watched = 0
  /** Its requests that wait. */
  readonly waits = new Set<AnyWait>()
  /** Names of its holds. */
  readonly labels = new Set<Label>()

  constructor(
    readonly location: LockLocation,
    /** The binding's number for it. */
    readonly number: number,
    readonly attachment: number,
    readonly tokenBase: bigint,
    readonly fairness: number,
  ) {
    handles.set(number, this)
  }

  get text(): string {
    return this.location.name === undefined ? `lock ${this.location.path}` : `lock '${this.location.name}'`
  }

  assertOpen(): void {
    if (this.closed)
      throw new LockError('ERR_LOCK_CLOSED', `${this.text} is closed: open it again with new RWLock()`)
  }

  releaseRead(): void {
    releaseRead(this.attachment)
    this.reads--
  }

  releaseExclusive(end: typeof CONSISTENT | typeof FAILED): void {
    const { exclusive } = this
    // Before: the next one may be granted on the way.
    this.exclusive = 0
    try {
      releaseExclusive(this.attachment, end)
    } catch (error) {
      if ((error as LockError).code === undefined) this.exclusive = exclusive // no stack was left to get there
      throw error
    }
  }

  downgrade(to: typeof READ | typeof UPGRADABLE): void {
    const { exclusive } = this
    this.exclusive = 0
    try {
      binding.downgrade(this.attachment, to)
    } catch (error) {
      if ((error as LockError).code === undefined) this.exclusive = exclusive // no stack was left to get there
      throw translate(error)
    }
    if (to === READ) this.reads++
    else this.exclusive = to
  }

  /** Ends every wait and hold of this handle. */
  close(): void {
    if (this.closed) return
    this.closed = true
    withdrawAll(
      this,
      () => new LockError('ERR_LOCK_CLOSED', `${this.text} was closed while this waited for it`),
    )
    dropLabels(this)
    try {
      while (this.reads > 0) this.releaseRead()
      // Not whole: a write that was granted and whose function has not run yet repaired nothing.
      if (this.exclusive !== 0) this.releaseExclusive(FAILED)
    } finally {
      this.leave()
    }
  }

  /**
   * Closes this handle, and leaves what it holds: after a collection there may be holds whose guards were lost, which must not
   * end before the thread does.
   */
  leave(): void {
    this.closed = true
    handles.delete(this.number)
    binding.close(copy.number, this.number)
  }
}
