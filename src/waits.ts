import { binding } from './binding.js'
import { LockError, type LockErrorCode, withSystemError } from './errors.js'
import type { Handle, Mode } from './handle.js'
import { type Abortable, offAbort, onAbort } from './signals.js'

/** What is asked for, and on which terms. */
export interface Request {
  handle: Handle
  mode: Mode
  timeout: number
  signal: AbortSignal | undefined
}

/** Those that the binding has not settled yet. */
const waits = new Map<number, Pick<Wait<unknown>, 'request' | 'granted' | 'rejected' | 'withdraw'>>()

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
    if (request.signal !== undefined) onAbort(request.signal, this)
    waits.set(this.#key, this)
    if (id < 0) settle()
  }

  /** `hold` is as the binding tells it. */
  granted(hold: number): void {
    this.#end()
    this.#resolve(this.#grant(hold))
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

/** Tells everybody whose request was settled. */
export function settle(): void {
  const events = binding.takeEvents()
  for (let index = 0; index < events.length; index += 3) {
    const [attachment, request, hold] = events.slice(index, index + 3) as [number, number, number]
    const key = keyOf(attachment, request)
    const wait = waits.get(key)
    if (wait === undefined) continue
    waits.delete(key)
    if (hold === 0) wait.rejected(timeoutError(wait.request))
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

export function timeoutError({ handle, mode, timeout }: Omit<Request, 'signal'>): LockError {
  const message = binding.timeoutMessage(handle.attachment, mode, timeout)
  return new LockError(
    'ERR_LOCK_TIMEOUT',
    message,
    binding.inspect(handle.attachment).holders as LockError['holders'],
  )
}

/** Why the binding gave up on every request of an attachment. */
function failure(attachment: number): LockError {
  const { code, message, cause } = binding.failure(attachment)
  return withSystemError(new LockError(code as LockErrorCode, message), cause)
}
