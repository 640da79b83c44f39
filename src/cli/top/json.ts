// A frame as a line of JSON.
import { writable } from '../../inspect.js'
import { deathOf } from '../report.js'
import { jsonOf } from '../text/width.js'
import { type SortKey, sorted } from './order.js'
import type { Look, Sample } from './sampler.js'

export function lineOf({ samples }: Look, time: Date, interval: number, sort: SortKey): string {
  const locks = sorted(samples, sort, false).map(lockOf)
  return jsonOf({ time: time.toISOString(), intervalMs: interval, locks })
}

function lockOf({ snapshot, holds, waiting, waitMs, worstMs, writes, waits }: Sample): object {
  const { name = null, path = null, holders, waiters, contended, token, ownerDied } = snapshot
  const rates = { writesPerSecond: writes, waitsPerSecond: waits }
  const longest = { longestWaitMs: waitMs, worstWaitMs: worstMs }
  const state = { contended, token, ownerDied: ownerDied && deathOf(ownerDied), holders, waiters }
  return writable({ name, path, holds, waiting, ...longest, ...rates, ...state })
}
