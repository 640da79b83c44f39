import { performance } from 'node:perf_hooks'
import { hrtime } from 'node:process'

/**
 * What to add to a time of `performance.now()`, which begins with the process or thread, to get it on
 * the clock of `process.hrtime()`, which all of them share; in ms.
 */
export const SHARED = difference()

/** Both clocks are the same one. The reading that was interrupted least has the difference best. */
function difference(): number {
  let best = { gap: Number.POSITIVE_INFINITY, difference: 0 }
  for (let i = 0; i < 20; i++) {
    const before = performance.now()
    const shared = Number(hrtime.bigint()) / 1e6
    const gap = performance.now() - before
    if (gap < best.gap) best = { gap, difference: shared - before - gap / 2 }
  }
  return best.difference
}
