// Rates and longest waits of locks, from one look at them after the other.
import type { LockSnapshot } from '../../types.js'
import type { FoundActivity } from '../source.js'

/** How many looks the history of a lock covers. */
const HISTORY = 60

/** What is known of a lock after a look. */
export interface Sample {
  /** See {@link keyOf}. */
  key: string
  snapshot: LockSnapshot
  /** The number of holds. */
  holds: number
  /** The number of requests that wait. */
  waiting: number
  /** The longest time that one of them has waited, in ms; 0 if none waits. */
  waitMs: number
  /** The greatest `waitMs` of all looks. */
  worstMs: number
  /** Write holds that began per second since the look before; `null` at the first. */
  writes: number | null
  /** Requests per second that were not granted at once; `null` at the first look. */
  waits: number | null
  /** The last looks, the latest last. */
  history: History
}

/** All locks together. */
export interface Total {
  locks: number
  held: number
  waitedFor: number
  waiting: number
  waitMs: number
  worstMs: number
  writes: number | null
  waits: number | null
  history: History
}

export interface Look {
  samples: Sample[]
  total: Total
}

export interface History {
  writes: (number | null)[]
  waits: (number | null)[]
  waiting: number[]
}

interface Counted {
  sample: Sample
  requests: bigint | null
  created: bigint
  at: number
}

export class Sampler {
  #before = new Map<string, Counted>()
  #total: Total | undefined

  /**
   * @param now in ms, of a monotonic clock
   */
  sample(activities: readonly FoundActivity[], now: number): Look {
    const seen = new Map<string, Counted>()
    for (const activity of activities) {
      const key = keyOf(activity.snapshot)
      seen.set(key, counted(key, activity, now, this.#before.get(key)))
    }
    this.#before = seen
    const samples = Array.from(seen.values(), ({ sample }) => sample)
    this.#total = totalOf(samples, this.#total)
    return { samples, total: this.#total }
  }
}

function totalOf(samples: readonly Sample[], before: Total | undefined): Total {
  const total = { locks: samples.length, held: 0, waitedFor: 0, waiting: 0, waitMs: 0 }
  for (const { holds, waiting, waitMs } of samples) {
    if (holds > 0) total.held++
    if (waiting > 0) total.waitedFor++
    total.waiting += waiting
    total.waitMs = Math.max(total.waitMs, waitMs)
  }
  // At the first look there is no rate, and a lock that is new has none yet.
  const sum = (rates: (number | null)[]) =>
    before === undefined || (rates.length > 0 && rates.every((rate) => rate === null))
      ? null
      : rates.reduce<number>((all, rate) => all + (rate ?? 0), 0)
  const writes = sum(samples.map((sample) => sample.writes))
  const waits = sum(samples.map((sample) => sample.waits))
  const history = appendTo(before?.history, { writes, waits, waiting: total.waiting })
  return { ...total, writes, waits, worstMs: Math.max(total.waitMs, before?.worstMs ?? 0), history }
}

function counted(key: string, activity: FoundActivity, now: number, before: Counted | undefined): Counted {
  const { snapshot, requests, created } = activity
  // A lock that was removed and created again under its name counts anew.
  const same = before?.created === created ? before : undefined
  const seconds = same ? (now - same.at) / 1000 : 0
  const rate = (count: bigint | null, earlier: bigint | null | undefined) =>
    earlier == null || count === null || seconds <= 0 || count < earlier
      ? null
      : Number(count - earlier) / seconds
  const writes = rate(snapshot.token, same?.sample.snapshot.token)
  const waits = rate(requests, same?.requests)
  const waiting = snapshot.waiters.reduce((sum, { count, more }) => sum + count + more, 0)
  const waitMs = snapshot.waiters.reduce((longest, { ms }) => Math.max(longest, ms), 0)
  const sample: Sample = {
    key,
    snapshot,
    holds: snapshot.holders.reduce((sum, { count }) => sum + count, 0),
    waiting,
    waitMs,
    worstMs: Math.max(waitMs, before?.sample.worstMs ?? 0),
    writes,
    waits,
    history: appendTo(before?.sample.history, { writes, waits, waiting }),
  }
  return { sample, requests, created, at: now }
}

type Rates = Pick<Sample, 'writes' | 'waits' | 'waiting'>

function appendTo(past: History | undefined, { writes, waits, waiting }: Rates): History {
  return {
    writes: appended(past?.writes, writes),
    waits: appended(past?.waits, waits),
    waiting: appended(past?.waiting, waiting),
  }
}

function appended<T>(past: readonly T[] = [], value: T): T[] {
  return [...(past.length < HISTORY ? past : past.slice(1)), value]
}

/** Distinguishes a lock from all others. */
export function keyOf({ name, path }: { name?: string | null; path?: string | null }): string {
  return path == null ? `name:${name}` : `path:${path}`
}
