// Closes the locks that a program has dropped, when a new one cannot be opened for lack of
// descriptors or memory. The garbage collector does not know that those are short.
import { performance } from 'node:perf_hooks'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { binding } from './binding.js'
import { handles } from './handle.js'
import { copy } from './library-copy.js'

/**
 * After a garbage collection that freed nothing, the next one waits this long, in ms: a collection
 * stops the thread.
 */
const RETRY_DELAY = 1000
let notBefore = 0

/** Closes the handles of dropped locks. */
export function reclaim(): void {
  const now = performance.now()
  if (closeCollected() || now < notBefore) return
  collectGarbage()
  if (!closeCollected()) notBefore = now + RETRY_DELAY
}

function closeCollected(): boolean {
  const numbers = binding.collected(copy.number)
  for (const number of numbers) handles.get(number)?.leave()
  return numbers.length > 0
}

function collectGarbage(): void {
  try {
    setFlagsFromString('--expose-gc')
    const gc: unknown = runInNewContext('gc')
    if (typeof gc === 'function') gc()
  } catch {
    // This runtime has no such function.
  }
}
