import { type Abortable, isAborted, offAbort, onAbort, reasonOf } from './abort.js'
import type { LockEngine } from './engine.js'
import type { Mode } from './modes.js'

/**
 * A call of `whenContended()` that waits. It does not refer to its guard, which may be collected
 * while the engine has the notice.
 */
export class Notice<Grant = unknown> implements Abortable {
  /** Resolves when a request waits, or when the hold has ended. */
  readonly promise: Promise<void>
  /** The name of the notice in the engine. */
  key = 0
  readonly engine: LockEngine<Grant>
  /** The notices of the same hold. */
  readonly #notices: Set<Notice<Grant>>
  readonly #signal: AbortSignal | undefined
  #resolve!: () => void
  #reject!: (reason: unknown) => void

  /** `mode` is that of the hold. */
  constructor(
    engine: LockEngine<Grant>,
    notices: Set<Notice<Grant>>,
    mode: Mode,
    signal: AbortSignal | undefined,
  ) {
    this.engine = engine
    this.#notices = notices
    this.#signal = signal
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    notices.add(this)
    try {
      if (signal !== undefined) onAbort(signal, this)
      if (signal !== undefined && isAborted(signal)) this.withdraw(reasonOf(signal))
      else engine.notify(this, mode)
    } catch (error) {
      this.#forget()
      throw error
    }
  }

  /** Called by the engine when a request waits. The engine then forgets the notice. */
  settle(): void {
    if (this.#forget()) this.#resolve()
  }

  /** The hold has ended. */
  end(): void {
    this.engine.forget(this)
    this.settle()
  }

  /** The hold has another mode now. */
  renew(mode: Mode): void {
    this.engine.forget(this)
    this.engine.notify(this, mode)
  }

  withdraw(reason: unknown): void {
    if (!this.#forget()) return
    this.engine.forget(this)
    this.#reject(reason)
  }

  withdrawn(): void {
    // Nothing was kept out by it.
  }

  /** Returns whether it was waiting. */
  #forget(): boolean {
    if (this.#signal !== undefined) offAbort(this.#signal, this)
    return this.#notices.delete(this)
  }
}
