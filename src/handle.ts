import { binding } from './binding.js'
import { LockError, translated } from './errors.js'
import { releaseExclusive, releaseRead } from './hot.js'
import { dropLabels } from './labels.js'
import type { Place } from './options.js'
import { settle, withdrawAll } from './waits.js'

/** How a lock is held; the numbers are the binding's. */
export const READ = 1
export const UPGRADABLE = 2
export const WRITE = 3
export type Mode = typeof READ | typeof UPGRADABLE | typeof WRITE
export const MODE_NAMES = ['', 'read', 'upgradable', 'write'] as const

/** How an exclusive hold ends; the numbers are the binding's. */
export const WHOLE = 0
/** The function that held the lock threw. */
export const FAILED = 1
/** The holder went away without releasing. */
export const ABANDONED = 2

/**
 * One opening of a lock: what a `RWLock` and its guards share. It must not refer to the `RWLock`, so that it can clean up
 * after that was collected.
 */
export class Handle {
  closed = false
  /** Holds of this handle, out of those of the attachment. */
  reads = 0
  exclusive: typeof UPGRADABLE | typeof WRITE | 0 = 0

  constructor(
    readonly place: Place,
    readonly attachment: number,
    readonly tokenBase: bigint,
    readonly fairness: number,
  ) {}

  get text(): string {
    return this.place.name === undefined ? `lock ${this.place.path}` : `lock '${this.place.name}'`
  }

  assertOpen(): void {
    if (this.closed)
      throw new LockError('ERR_LOCK_CLOSED', `${this.text} is closed: open it again with new RWLock()`)
  }

  releaseRead(): void {
    this.reads--
    if (releaseRead(this.attachment)) settle()
  }

  releaseExclusive(end: typeof WHOLE | typeof FAILED | typeof ABANDONED): void {
    this.exclusive = 0
    if (releaseExclusive(this.attachment, end)) settle()
  }

  downgrade(to: typeof READ | typeof UPGRADABLE): void {
    this.exclusive = 0
    const events = translated(() => binding.downgrade(this.attachment, to))
    if (to === READ) this.reads++
    else this.exclusive = to
    if (events) settle()
  }

  /** Ends every wait and hold of this handle. `end`: how a write hold ends that is still there. */
  close(end: typeof FAILED | typeof ABANDONED): void {
    if (this.closed) return
    this.closed = true
    withdrawAll(
      this,
      () => new LockError('ERR_LOCK_CLOSED', `${this.text} was closed while this waited for it`),
    )
    dropLabels(this)
    try {
      while (this.reads > 0) this.releaseRead()
      if (this.exclusive !== 0) this.releaseExclusive(end)
    } finally {
      binding.close(this.attachment)
    }
  }
}
