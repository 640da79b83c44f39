/** Something that ends with a signal. */
export interface Abortable {
  /** Ends it. */
  withdraw(reason: unknown): void
  /** Called when everything that waits with the same signal has been withdrawn. */
  withdrawn(): void
}

/** What waits with a signal, and the one listener for all of it, so that Node sees no leak. */
interface Waiting {
  all: Set<Abortable>
  abort: () => void
}

const waiting = new WeakMap<AbortSignal, Waiting>()

/**
 * Withdraws `abortable` when `signal` aborts.
 *
 * A signal need not be Node's own: it may lack `throwIfAborted` and `reason`, and what it calls may throw.
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

/** It has ended otherwise. */
export function offAbort(signal: AbortSignal, abortable: Abortable): void {
  const entry = waiting.get(signal)
  if (!entry?.all.delete(abortable) || entry.all.size > 0) return
  waiting.delete(signal)
  try {
    signal.removeEventListener('abort', entry.abort)
  } catch {
    // A listener for nothing is left.
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

/** Why it aborted. Signals before the present standard do not say. */
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
