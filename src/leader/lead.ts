import { type Abortable, offAbort, onAbort, throwIfAborted } from '../abort.js'
import { bytesOf } from '../bytes.js'
import { invalidType } from '../errors.js'
import { checkAcquireOptions, checkFunction, checkObject } from '../options.js'
import { RWLock } from '../rwlock.js'
import type { AsyncGuard, AsyncRWLock, Guard, Holder, RWLockOptions, RWLockRef } from '../types.js'
import { Watch } from './watch.js'

/** How to wait for the lead, and what others learn of the leader: see {@link lead}. */
export interface LeadOptions {
  /**
   * Ends the wait: the call rejects with `signal.reason`. While `fn` runs, it aborts the signal that
   * `fn` has.
   */
  signal?: AbortSignal | undefined
  /**
   * Up to 1,024 bytes for the others, such as a URL; it is set before `fn` runs, and
   * `guard.setValue()` replaces it. They read it with {@link lockInfo}.
   */
  value?: Uint8Array | string | null | undefined
  /** Names this process for those who inspect the lock. */
  label?: string | undefined
  /**
   * Called while this call waits, for each leader that it finds, and again when that leader changes
   * its value, within a quarter of a second. `value` is `null` until the leader has set one. If it
   * throws, the call rejects with that error, and does not wait any more.
   */
  onOther?: ((holder: Holder, value: Uint8Array | null) => unknown) | undefined
}

/**
 * Waits until this process leads, and then runs `fn`. One process leads at a time: when `fn` ends,
 * or its process ends or is killed, the next one leads, in the order in which they came. That takes
 * some milliseconds.
 *
 * ```ts
 * await lead('my-app/scheduler', async (signal) => {
 *   for await (const _ of setInterval(60_000, null, { signal })) await runDueJobs()
 * })
 * ```
 *
 * Leading is the write hold of the lock that `ref` names. `guard.token` is the fencing token of
 * this term, `guard.ownerDied` says that the last leader was killed, and `guard.contended` that
 * another process waits for the lead.
 *
 * @param target - What `new RWLock()` accepts. Or a lock that is open: then it stays open.
 * @param fn - Gets a signal that aborts when the lead is lost or `options.signal` aborts; and the
 * guard. The lead ends with `fn`: a function that only starts timers must return a promise that
 * settles later.
 * @returns What `fn` returns.
 * @throws What `fn` throws; `signal.reason`, if it aborts before `fn` has begun; like
 * `new RWLock()`.
 */
export async function lead<T, G extends AsyncGuard = Guard>(
  target: RWLockRef | AsyncRWLock<G>,
  fn: (signal: AbortSignal, guard: G) => T | PromiseLike<T>,
  options?: LeadOptions,
): Promise<T> {
  checkFunction('fn', fn)
  checkObject('options', options)
  const { value, onOther } = options ?? {}
  const { signal, label } = checkAcquireOptions(options ?? {})
  if (onOther !== undefined && typeof onOther !== 'function')
    throw invalidType('options.onOther', 'a function', onOther)
  const bytes = value === undefined ? undefined : bytesOf(value)
  if (signal !== undefined) throwIfAborted(signal)

  const isOpen = isLock(target)
  const lock = isOpen ? target : (new RWLock(target, IN_ORDER) as unknown as AsyncRWLock<G>)
  const stop = new AbortController()
  const outer: Abortable = { withdraw: (reason) => stop.abort(reason), withdrawn() {} }
  const watch = onOther && new Watch(lock, onOther, (error) => stop.abort(error))
  try {
    if (signal !== undefined) onAbort(signal, outer)
    return await lock.write(
      async (guard) => {
        watch?.end()
        if (bytes !== undefined) await guard.setValue(bytes)
        forward(guard.signal, stop)
        return fn(stop.signal, guard)
      },
      { signal: stop.signal, label },
    )
  } finally {
    watch?.end()
    if (signal !== undefined) offAbort(signal, outer)
    if (!isOpen) await lock.close()
  }
}

/** A leader that hands over, and waits again at once, must not be the next one. */
const IN_ORDER: RWLockOptions = { fairness: 0 }

function isLock<G extends AsyncGuard>(target: unknown): target is AsyncRWLock<G> {
  return typeof (target as { write?: unknown } | null | undefined)?.write === 'function'
}

function forward(from: AbortSignal, to: AbortController): void {
  const abort = () => to.abort(from.reason)
  if (from.aborted) abort()
  else from.addEventListener('abort', abort, { once: true })
}
