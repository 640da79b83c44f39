import { binding } from './binding.js'
import { LockError, type LockErrorCode, translated, withSystemError } from './errors.js'
import type { Handle, Mode } from './handle.js'
import { type Abortable, offAbort, onAbort } from './signals.js'

/** What is asked for, and on which terms. */
export interface Request {
  handle: Handle
  mode: Mode
  timeout: number
  signal: AbortSignal | undefined
  /** Of an upgradable hold to write. */
  isUpgrade?: boolean
}

/** Those that the binding has not settled yet. */
const waits = new Map<
  number,
  Pick<Wait<unknown>, 'request' | 'granted' | 'timedOut' | 'rejected' | 'withdraw'>
>()

/** One number for an attachment's request. */
const keyOf = (attachment: number, request: number) => attachment * 2 ** 32 + request

binding.start(() => {
  if (binding.poll()) settle()
})

/** A request on its way. Its fields, and not closures: a process may wait a thousand times at once. */
export class Wait<T> implements Abortable {
  /** For what `grant` makes of the hold. */
  readonly promise: Promise<T>
  readonly request: Request
  readonly #key: number
  readonly #grant: (hold: number) => T
  /** Has the stack of whoever waits, if that may time out. */
  readonly #caller: { stack?: unknown } | undefined
  #resolve!: (value: T) => void
  #reject!: (reason: unknown) => void

  /** `id` is what the binding gave for the request just made. */
  constructor(request: Request, id: number, grant: (hold: number) => T) {
    this.request = request
    this.#key = keyOf(request.handle.attachment, Math.abs(id))
    this.#grant = grant
    this.promise = new Promise<T>((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    if (request.timeout !== Number.POSITIVE_INFINITY) {
      // Takes 3 µs, more than a wait for this same thread. Made into text only if it is looked at.
      this.#caller = {}
      Error.captureStackTrace?.(this.#caller, Wait)
    }
    if (request.signal !== undefined) onAbort(request.signal, this)
    waits.set(this.#key, this)
    if (id < 0) settle()
  }

  /** `hold` is as the binding tells it. */
  granted(hold: number): void {
    this.#end()
    this.#resolve(this.#grant(hold))
  }

  timedOut(): void {
    const error = timeoutError(this.request)
    if (this.#caller !== undefined) setStack(error, this.#caller)
    this.rejected(error)
  }

  rejected(reason: unknown): void {
    this.#end()
    this.#reject(reason)
  }

  /** Ends it with `reason`, unless it is settled. */
  callOff(reason: unknown): void {
    this.withdraw(reason)
    this.withdrawn()
  }

  withdraw(reason: unknown): void {
    if (!waits.delete(this.#key)) return
    binding.cancel(this.request.handle.attachment, this.#key % 2 ** 32)
    this.rejected(reason)
  }

  withdrawn(): void {
    if (binding.advance(this.request.handle.attachment)) settle()
  }

  #end(): void {
    if (this.request.signal !== undefined) offAbort(this.request.signal, this)
  }
}

/** Gives `error`, which an event of the loop brought, the stack of `caller`, which it is about. */
function setStack(error: LockError, caller: { stack?: unknown }): void {
  Object.defineProperty(error, 'stack', {
    configurable: true,
    get() {
      const { stack } = caller
      const frames = typeof stack === 'string' ? stack.search(/\n +at /) : -1
      const value =
        frames === -1
          ? `${error.name}: ${error.message}`
          : `${error.name}: ${error.message}${(stack as string).slice(frames)}`
      Object.defineProperty(error, 'stack', { value, writable: true, configurable: true })
      return value
    },
    set(value) {
      Object.defineProperty(error, 'stack', { value, writable: true, configurable: true })
    },
  })
}

/** Tells everybody whose request was settled. */
export function settle(): void {
  const events = binding.takeEvents()
  for (let index = 0; index < events.length; index += 3) {
    const [attachment, request, hold] = events.slice(index, index + 3) as [number, number, number]
    const key = keyOf(attachment, request)
    const wait = waits.get(key)
    if (wait === undefined) continue
    waits.delete(key)
    if (hold === 0) wait.timedOut()
    else if (Number.isNaN(hold)) wait.rejected(failure(attachment))
    else wait.granted(hold)
  }
}

/** Withdraws every request of `handle`. */
export function withdrawAll(handle: Handle, reason: () => unknown): void {
  for (const wait of waits.values()) {
    if (wait.request.handle === handle) wait.withdraw(reason())
  }
  // Only now that none of them is left, so that none is granted on the way.
  if (binding.advance(handle.attachment)) settle()
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
