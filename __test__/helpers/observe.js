// Waits for the state of a lock in other processes and threads, and processes that keep it in use.
import { TOGETHER } from './modes.js'
import { spawnNode } from './process.js'
import { waitFor } from './time.js'

/** @typedef {import('process-rwlock').AsyncRWLock} AsyncRWLock */

/**
 * The lock as another process sees it, which has it open. A request over PostgreSQL is known to its
 * own process before its server has it.
 *
 * @param {{ ask: (op: 'inspect') => Promise<import('process-rwlock').LockSnapshot> }} child
 */
export const seenBy = (child) => ({ inspect: () => child.ask('inspect') })

/**
 * Waits until a process (or one of its threads) is in the queue of a lock, or drains its readers.
 *
 * @param {Pick<AsyncRWLock, 'inspect'>} lock
 * @param {{ pid: number, threadId?: number }} waiter
 * @param {number} [count] of its requests
 */
export function queued(lock, { pid, threadId = 0 }, count = 1) {
  return waitFor(
    async () => {
      const all = (await lock.inspect()).waiters.filter((it) => it.pid === pid && it.threadId === threadId)
      // Over PostgreSQL, a request between its two locks is a waiter in no queue, for 0 ms.
      const its = all.filter(({ ms }) => ms > 0)
      return requests(its) >= count && its[0]
    },
    { what: `pid ${pid} waits for the lock` },
  )
}

/** The number of requests that the rows of `waiters` stand for. @param {{ more: number }[]} waiters */
export const requests = (waiters) => waiters.reduce((sum, { more }) => sum + 1 + more, 0)

/**
 * The requests that were granted before an earlier one that excludes them: `[earlier, later]`.
 * `modes`: those of the requests, in their order; `granted`: their numbers in the order of the
 * grants.
 *
 * @param {Array<keyof typeof TOGETHER>} modes
 * @param {number[]} granted
 */
export function overtakings(modes, granted) {
  const at = modes.map((_, number) => granted.indexOf(number))
  const pairs = modes.flatMap((_, later) => modes.slice(0, later).map((_, earlier) => [earlier, later]))
  return pairs.filter(
    ([earlier, later]) => at[later] < at[earlier] && !TOGETHER[modes[earlier]][modes[later]],
  )
}

/**
 * Waits until a process holds a lock.
 *
 * @param {AsyncRWLock} lock
 * @param {{ pid: number, threadId?: number }} holder
 */
export function holding(lock, { pid, threadId = 0 }) {
  return waitFor(
    async () => (await lock.inspect()).holders.find((it) => it.pid === pid && it.threadId === threadId),
    {
      what: `pid ${pid} holds the lock`,
    },
  )
}

/** The outcome of an operation, and how many ms it took. @param {() => Promise<any>} begin */
export async function timed(begin) {
  const start = performance.now()
  const outcome = await begin().then(
    (value) => ({ value, error: undefined }),
    (error) => ({ value: undefined, error }),
  )
  return { ...outcome, ms: performance.now() - start }
}

/**
 * A process that acquires the lock repeatedly, in lanes that overlap.
 *
 * @param {import('ava').ExecutionContext<any>} t
 * @param {{ ref: any, mode: 'read' | 'write' | 'upgradable', lanes?: number, hold?: number, fairness?: number, engine?: string }} what
 *   `hold` in ms; `engine`: see `child.js`
 */
export async function stream(t, { lanes = 1, hold = 2, ...what }) {
  const child = spawnNode(t, new URL('./programs/takes-repeatedly.js', import.meta.url), [
    JSON.stringify({ lanes, hold, ...what }),
  ])
  await child.next('streaming')
  return {
    pid: child.pid,
    /** Ends it, and returns how often it held the lock. @returns {Promise<number>} */
    async stop() {
      child.send('stop')
      return (await child.next('stopped')).count
    },
  }
}
