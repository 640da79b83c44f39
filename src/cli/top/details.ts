import type { RWLockRef } from '../../types.js'
import { type LockReport, reportsOf } from '../report.js'
import type { LockSource } from '../source.js'

/**
 * A lock with the processes of its holders and waiters; `null` if there is none, or if it cannot be
 * read.
 */
export async function detailsOf(ref: RWLockRef, source: LockSource): Promise<LockReport | null> {
  // There a look at the processes takes longer than the interval.
  if (process.platform === 'win32') return null
  try {
    const found = await source.inspect(ref)
    const [report = null] = found === null ? [] : await reportsOf([found])
    return report
  } catch {
    return null // the list says why
  }
}
