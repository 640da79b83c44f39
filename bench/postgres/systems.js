// What is compared: the floors, this lock, and the others.
import { node } from '../competitors.js'

export const OURS = 'process-rwlock/postgres'
/** No lock: `select 1` and a one-row update. */
export const ROUND_TRIP = 'select 1, update'
/** A session that blocks. */
export const BLOCKED = 'pg_advisory_lock'

/** @typedef {import('../competitors.js').Competitor & { server: 'postgres' | 'redis' }} System */

/** @type {System[]} */
export const systems = [
  { ...node(ROUND_TRIP), server: 'postgres' },
  { ...node(BLOCKED), server: 'postgres' },
  { ...node(OURS), server: 'postgres' },
  { ...node('advisory-lock'), server: 'postgres' },
  // Their leases end after 10 and 30 s, so one kill is enough.
  { ...node('redis-semaphore', { polls: true }), server: 'redis' },
  { ...node('redlock', { polls: true }), server: 'redis' },
  { ...node('simple-redis-mutex', { polls: true }), server: 'redis' },
]
