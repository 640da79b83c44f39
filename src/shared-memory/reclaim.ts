// Closing the locks that a program has dropped, when a new one cannot be opened for want of descriptors or memory: the garbage
// collector does not know of those, and comes when it likes.
import { performance } from 'node:perf_hooks'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { binding } from './binding.js'
import { handles } from './handle.js'
import { copy } from './library-copy.js'

/** How long after a collection that freed nothing there is no other, in ms: it stops the thread for a while. */
const VAIN = 1000
let vainUntil = 0

/** Closes the handles of locks that were dropped, if there are any. */
export function reclaim(): void {
  const now = performance.now()
  if (closeCollected() || now < vainUntil) return
  collectGarbage()
  if (!closeCollected()) vainUntil = now + VAIN
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
    // Not on this runtime.
  }
}
