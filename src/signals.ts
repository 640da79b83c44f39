/** What to do when a signal aborts, however many wait with it: one listener a signal, so that Node sees no leak. */
const waiting = new WeakMap<AbortSignal, Set<(reason: unknown) => void>>()

/** Calls `withdraw` when `signal` aborts, unless what this returns is called before. */
export function onAbort(signal: AbortSignal | undefined, withdraw: (reason: unknown) => void): () => void {
  if (signal === undefined) return () => {}
  let all = waiting.get(signal)
  if (all === undefined) {
    all = new Set()
    waiting.set(signal, all)
    signal.addEventListener('abort', abort)
  }
  all.add(withdraw)
  return () => {
    if (all.delete(withdraw) && all.size === 0) {
      waiting.delete(signal)
      signal.removeEventListener('abort', abort)
    }
  }
}

function abort(this: AbortSignal): void {
  for (const withdraw of waiting.get(this) ?? []) withdraw(this.reason)
}
