// Waiting for what a lock looks like.
import { waitFor } from '../kit/time.js'

/** @typedef {import('process-rwlock').RWLock} RWLock */

/**
 * Waits until a process (or one of its threads) is in the queue of a lock, or drains it as its next writer.
 *
 * @param {RWLock} lock
 * @param {{ pid: number, threadId?: number }} who
 * @param {number} [count] of its requests
 */
export function queued(lock, { pid, threadId = 0 }, count = 1) {
  return waitFor(
    () =>
      lock.inspect().waiters.find((it) => it.pid === pid && it.threadId === threadId && it.count >= count),
    { what: `pid ${pid} waits for the lock` },
  )
}

/**
 * Waits until a process holds a lock.
 *
 * @param {RWLock} lock
 * @param {{ pid: number, threadId?: number }} who
 */
export function holding(lock, { pid, threadId = 0 }) {
  return waitFor(() => lock.inspect().holders.find((it) => it.pid === pid && it.threadId === threadId), {
    what: `pid ${pid} holds the lock`,
  })
}
