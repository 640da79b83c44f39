/** Something that ends with a signal. */
export interface Abortable {
  /** Ends it. */
  withdraw(reason: unknown): void
  /** Called when everything that waits with the same signal has been withdrawn. */
  withdrawn(): void
}

/** Who waits with a signal: one listener a signal, however many they are, so that Node sees no leak. */
const waiting = new WeakMap<AbortSignal, Set<Abortable>>()

/** Withdraws `abortable` when `signal` aborts. */
export function onAbort(signal: AbortSignal, abortable: Abortable): void {
  let all = waiting.get(signal)
  if (all === undefined) {
    all = new Set()
    waiting.set(signal, all)
    signal.addEventListener('abort', abort)
  }
  all.add(abortable)
}

/** It has ended otherwise. */
export function offAbort(signal: AbortSignal, abortable: Abortable): void {
  const all = waiting.get(signal)
  if (all?.delete(abortable) && all.size === 0) {
    waiting.delete(signal)
    signal.removeEventListener('abort', abort)
  }
}

function abort(this: AbortSignal): void {
  const all = [...(waiting.get(this) ?? [])]
  for (const each of all) each.withdraw(this.reason)
  for (const each of all) each.withdrawn()
}
