/** Something that a signal can end. */
export interface Abortable {
  /** Ends it with `reason`. */
  withdraw(reason: unknown): void
  /** Called after everything that waits with the same signal was withdrawn. */
  withdrawn(): void
}

/**
 * What waits with a signal, and one listener for all of it: Node reports many listeners as a leak.
 */
interface Waiting {
  all: Set<Abortable>
  abort: () => void
}

const waiting = new WeakMap<AbortSignal, Waiting>()

/**
 * Withdraws `abortable` when `signal` aborts.
 *
 * The signal may be of another library: it may lack `throwIfAborted` and `reason`, and its methods
 * may throw.
 */
export function onAbort(signal: AbortSignal, abortable: Abortable): void {
  const known = waiting.get(signal)
  if (known !== undefined) {
    known.all.add(abortable)
    return
  }
  const all = new Set([abortable])
  const entry = { all, abort: () => abort(all, signal) }
  waiting.set(signal, entry)
  try {
    signal.addEventListener('abort', entry.abort)
  } catch (error) {
    waiting.delete(signal)
    throw error
  }
}

/** Forgets `abortable`, which has ended. */
export function offAbort(signal: AbortSignal, abortable: Abortable): void {
  const entry = waiting.get(signal)
  if (!entry?.all.delete(abortable) || entry.all.size > 0) return
  waiting.delete(signal)
  try {
    signal.removeEventListener('abort', entry.abort)
  } catch {
    // The listener stays, without effect.
  }
}

function abort(all: Set<Abortable>, signal: AbortSignal): void {
  const reason = reasonOf(signal)
  const those = [...all]
  for (const each of those) each.withdraw(reason)
  for (const each of those) each.withdrawn()
}

export function isAborted(signal: AbortSignal): boolean {
  return Boolean(signal.aborted)
}

export function throwIfAborted(signal: AbortSignal): void {
  if (isAborted(signal)) throw reasonOf(signal)
}

/** Why it aborted. Signals of earlier standards have no reason. */
export function reasonOf(signal: AbortSignal): unknown {
  try {
    if (signal.reason !== undefined) return signal.reason
  } catch (error) {
    return error
  }
  const error = Object.assign(new Error('This operation was aborted'), { code: 'ABORT_ERR' })
  error.name = 'AbortError'
  return error
}
