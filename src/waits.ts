import * as binding from '../index.js'
import { LockError, type LockErrorCode } from './errors.js'
import type { Handle, Mode } from './handle.js'
import { onAbort } from './signals.js'

/** What is asked for, and on which terms. */
export interface Request {
  handle: Handle
  mode: Mode
  timeout: number
  signal: AbortSignal | undefined
}

/** A request on its way. */
export interface Pending<T> {
  promise: Promise<T>
  /** Ends it with `reason`, unless it is settled. */
  withdraw(reason: unknown): void
}

/** A request that the binding has not settled yet. */
interface Wait extends Request {
  /** `hold` is as the binding tells it. */
  granted(hold: number): void
  rejected(reason: unknown): void
}

const waits = new Map<number, Wait>()

/** One number for an attachment's request. */
const keyOf = (attachment: number, request: number) => attachment * 2 ** 32 + request

binding.start(() => {
  if (binding.poll()) settle()
})

/** A promise for what `granted` makes of the hold; `id` is what the binding gave for the request just made. */
export function pend<T>(request: Request, id: number, granted: (hold: number) => T): Pending<T> {
  const { attachment } = request.handle
  const key = keyOf(attachment, Math.abs(id))
  let wait!: Wait
  const abortable = {
    withdraw(reason: unknown) {
      if (!waits.delete(key)) return
      binding.cancel(attachment, Math.abs(id))
      wait.rejected(reason)
    },
    withdrawn() {
      if (binding.advance(attachment)) settle()
    },
  }
  const promise = new Promise<T>((resolve, reject) => {
    const stop = onAbort(request.signal, abortable)
    wait = {
      ...request,
      granted: (hold) => {
        stop()
        resolve(granted(hold))
      },
      rejected: (reason) => {
        stop()
        reject(reason)
      },
    }
  })
  waits.set(key, wait)
  if (id < 0) settle()
  return {
    promise,
    withdraw(reason) {
      abortable.withdraw(reason)
      abortable.withdrawn()
    },
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
    if (hold === 0) wait.rejected(timeoutError(wait.handle, wait.mode, wait.timeout))
    else if (Number.isNaN(hold)) wait.rejected(failure(attachment))
    else wait.granted(hold)
  }
}

/** Withdraws every request of `handle`. */
export function withdrawAll(handle: Handle, reason: () => unknown): void {
  for (const [key, wait] of waits) {
    if (wait.handle !== handle) continue
    waits.delete(key)
    binding.cancel(handle.attachment, key % 2 ** 32)
    wait.rejected(reason())
  }
  // Only now that none of them is left, so that none is granted on the way.
  if (binding.advance(handle.attachment)) settle()
}

export function timeoutError(handle: Handle, mode: Mode, timeout: number): LockError {
  const message = binding.timeoutMessage(handle.attachment, mode, timeout)
  return new LockError(
    'ERR_LOCK_TIMEOUT',
    message,
    binding.inspect(handle.attachment).holders as LockError['holders'],
  )
}

/** Why the binding gave up on every request of an attachment. */
function failure(attachment: number): LockError {
  const { code, message } = binding.failure(attachment)
  return new LockError(code as LockErrorCode, message)
}
