// Waiting for what others do, as the lock shows it.
import { spawnNode, waitFor } from '../kit/index.js'

/**
 * Waits until so many requests of a process, or of one of its threads, wait for the lock.
 *
 * @param {import('process-rwlock').RWLock} lock
 * @param {{ pid: number, threadId?: number }} who
 * @param {number} [count]
 */
export function queued(lock, { pid, threadId = 0 }, count = 1) {
  return waitFor(
    () =>
      lock.inspect().waiters.find((it) => it.pid === pid && it.threadId === threadId && it.count >= count),
    { what: `pid ${pid} waits for the lock` },
  )
}

/** How long something took, in ms, and what came of it. @param {() => Promise<any>} begin */
export async function timed(begin) {
  const start = performance.now()
  const outcome = await begin().then(
    (value) => ({ value, error: undefined }),
    (error) => ({ value: undefined, error }),
  )
  return { ...outcome, ms: performance.now() - start }
}

/**
 * A process that takes the lock over and over, in lanes that overlap.
 *
 * @param {import('ava').ExecutionContext<any>} t
 * @param {{ ref: any, mode: 'read' | 'write' | 'upgradable', lanes?: number, hold?: number, fairness?: number }} what
 *   `hold` in ms
 */
export async function stream(t, { lanes = 1, hold = 2, ...what }) {
  const child = spawnNode(t, new URL('./stream.js', import.meta.url), [
    JSON.stringify({ lanes, hold, ...what }),
  ])
  await child.next('streaming')
  return {
    pid: child.pid,
    /** Ends it, and tells how often it held the lock. @returns {Promise<number>} */
    async stop() {
      child.send('stop')
      return (await child.next('stopped')).count
    },
  }
}
