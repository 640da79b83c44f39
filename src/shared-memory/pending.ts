import { type Abortable, isAborted, offAbort, onAbort, reasonOf } from '../abort.js'
import { LockError, type LockErrorCode, setStack, translated, withSystemError } from '../errors.js'
import { binding } from './binding.js'
import type { Handle, Mode } from './handle.js'

/** What is asked for, and on which terms. */
export interface Request {
  handle: Handle
  mode: Mode
  timeout: number
  signal: AbortSignal | undefined
  /** Of an upgradable hold to write. */
  isUpgrade?: boolean
}

/** A {@link Wait} for whatever. */
export type AnyWait = Pick<Wait<unknown>, 'settle' | 'withdraw'>

/** Those that the binding has not settled yet, by what it calls them. */
const waits = new Map<number, AnyWait>()
let lastKey = 0

/**
 * This copy of the package, to the binding: it may be there several times in one thread. When the object is collected, nothing of
 * this copy can be used any more, and the binding closes what it has open.
 */
export const copy = binding.register((key, hold) => waits.get(key)?.settle(hold) ?? false)

/** A request on its way. Its fields, and not closures: a process may wait a thousand times at once. */
export class Wait<T> implements Abortable {
  /** For what `grant` makes of the hold. */
  readonly promise: Promise<T>
  readonly request: Request
  /** Nobody has the promise: what is granted is given back. */
  abandoned = false
  readonly #key = ++lastKey
  readonly #grant: (hold: number) => T
  /** Has the stack of whoever waits, if that may time out. */
  readonly #caller: { stack?: unknown } | undefined
  #id = 0
  #resolve!: (value: T) => void
  #reject!: (reason: unknown) => void

  /** `ask` makes the request of that key, and returns the binding's number for it. */
  constructor(request: Request, ask: (key: number) => number, grant: (hold: number) => T) {
    this.request = request
    this.#grant = grant
    this.promise = new Promise<T>((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    // No stack was left to call that function: then the promise has rejected already.
    if (this.#reject === undefined) return
    if (request.timeout !== Number.POSITIVE_INFINITY) {
      // Takes 3 µs, more than a wait for this same thread. Made into text only if it is looked at.
      this.#caller = {}
      Error.captureStackTrace?.(this.#caller, Wait)
    }
    const { handle, signal } = request
    // Before it asks: it may be granted on the way.
    waits.set(this.#key, this)
    handle.waits.add(this)
    try {
      if (signal !== undefined) {
        onAbort(signal, this)
        if (isAborted(signal)) this.withdraw(reasonOf(signal))
        if (!waits.has(this.#key)) return
      }
      this.#id = ask(this.#key)
    } catch (error) {
      this.abandoned = true // before a call, for which no stack may be left
      this.#end()
      throw error
    }
  }

  /** `hold` is as the binding tells it. Returns whether the hold is ours from here on. If this throws, it is not. */
  settle(hold: number): boolean {
    const { handle, signal } = this.request
    if (!this.abandoned) {
      if (hold === 0) this.#reject(this.#timedOut())
      else if (Number.isNaN(hold)) this.#reject(failure(handle.attachment))
      else this.#resolve(this.#grant(hold))
    }
    // From here on nothing may throw: the hold has its owner.
    waits.delete(this.#key)
    handle.waits.delete(this)
    try {
      if (signal !== undefined) offAbort(signal, this)
    } catch {
      // No stack was left. The listener stays, for nothing.
    }
    return !this.abandoned
  }

  #timedOut(): LockError {
    const error = timeoutError(this.request)
    if (this.#caller !== undefined) setStack(error, this.#caller)
    return error
  }

  /** Ends it with `reason`, unless it is settled. */
  callOff(reason: unknown): void {
    this.withdraw(reason)
    this.withdrawn()
  }

  withdraw(reason: unknown): void {
    if (!waits.has(this.#key)) return
    this.#end()
    binding.cancel(this.request.handle.attachment, this.#id)
    if (!this.abandoned) this.#reject(reason)
  }

  withdrawn(): void {
    binding.advance(this.request.handle.attachment)
  }

  #end(): void {
    const { handle, signal } = this.request
    waits.delete(this.#key)
    handle.waits.delete(this)
    if (signal !== undefined) offAbort(signal, this)
  }
}

/** Withdraws every request of `handle`. */
export function withdrawAll(handle: Handle, reason: () => unknown): void {
  if (handle.waits.size === 0) return
  for (const wait of handle.waits) wait.withdraw(reason())
  // Only now that none of them is left, so that none is granted on the way.
  binding.advance(handle.attachment)
}

export function timeoutError(request: Omit<Request, 'signal'>): LockError {
  const { handle, mode, isUpgrade = false, timeout } = request
  const { message, holders } = translated(() =>
    binding.explainTimeout(handle.attachment, mode, isUpgrade, timeout),
  )
  return new LockError('ERR_LOCK_TIMEOUT', message, holders as LockError['holders'])
}

/** Why the binding gave up on every request of an attachment. */
function failure(attachment: number): LockError {
  const { code, message, cause } = binding.failure(attachment)
  return withSystemError(new LockError(code as LockErrorCode, message), cause)
}
