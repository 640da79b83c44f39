// The orders in which locks can be listed.
import type { Sample } from './sampler.js'

/** What each order goes by, the greatest first; among equals, what follows. */
const ORDERS = {
  wait: ({ waitMs }: Sample) => waitMs,
  worst: ({ worstMs }: Sample) => worstMs,
  queue: ({ waiting }: Sample) => waiting,
  holds: ({ holds }: Sample) => holds,
  writes: ({ writes }: Sample) => writes ?? 0,
  waits: ({ waits }: Sample) => waits ?? 0,
} as const

export type SortKey = keyof typeof ORDERS | 'name'

export const SORT_KEYS = ['wait', 'worst', 'queue', 'holds', 'writes', 'waits', 'name'] as const

export function sorted(samples: readonly Sample[], key: SortKey, reversed: boolean): Sample[] {
  const by = key === 'name' ? () => 0 : ORDERS[key]
  const busier = (one: Sample, other: Sample) =>
    by(other) - by(one) ||
    other.waitMs - one.waitMs ||
    other.waiting - one.waiting ||
    (other.writes ?? 0) - (one.writes ?? 0) ||
    Number(other.holds > 0) - Number(one.holds > 0)
  const order = samples.toSorted(
    (one, other) => (key === 'name' ? 0 : busier(one, other)) || byName(one, other),
  )
  return reversed ? order.reverse() : order
}

function byName({ key: one }: Sample, { key: other }: Sample): number {
  return one < other ? -1 : one > other ? 1 : 0
}
