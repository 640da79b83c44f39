// A worker thread of actors that enter and leave a room under a lock, and count the others there.
import { setImmediate, setTimeout } from 'node:timers/promises'
import { workerData } from 'node:worker_threads'
import { LockError, RWLock } from 'process-rwlock'

/** The indexes of the counters. */
export const FIELDS = { readers: 0, writers: 1, violations: 2, most: 3, visits: 4, failures: 5, closing: 6 }

/**
 * @typedef {{ ref: any, counters: Int32Array, readers: number, writers: number, rounds: number, gather?: number, chaos?: number, rival?: number }} Visit
 *   `gather`: the number of readers that a reader waits for in the room; `chaos`: the seed of random failures;
 *   `rival`: the number of times that a writer leaves only when another request waits
 */

/** @param {Visit} visit */
export async function visit({ ref, counters, readers, writers, rounds, gather = 0, chaos = 0, rival = 0 }) {
  const lock = new RWLock(ref)
  let state = chaos
  const fails = () => {
    if (chaos === 0) return false
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state % 4 === 0
  }

  const reader = async () => {
    note(Atomics.add(counters, FIELDS.readers, 1) + 1, FIELDS.most)
    if (Atomics.load(counters, FIELDS.writers) !== 0) Atomics.add(counters, FIELDS.violations, 1)
    const deadline = performance.now() + 10_000
    while (gather > 0 && Atomics.load(counters, FIELDS.most) < gather && performance.now() < deadline)
      await setTimeout(1)
    await setImmediate()
    if (Atomics.load(counters, FIELDS.writers) !== 0) Atomics.add(counters, FIELDS.violations, 1)
    Atomics.sub(counters, FIELDS.readers, 1)
    Atomics.add(counters, FIELDS.visits, 1)
    if (fails()) throw new Error('chaos')
  }
  const writer = async () => {
    const alone = () =>
      Atomics.load(counters, FIELDS.writers) === 1 && Atomics.load(counters, FIELDS.readers) === 0
    Atomics.add(counters, FIELDS.writers, 1)
    if (!alone()) Atomics.add(counters, FIELDS.violations, 1)
    do await setImmediate()
    while (rival > 0 && lock.inspect().waiters.length === 0 && Atomics.load(counters, FIELDS.closing) === 0)
    if (!alone()) Atomics.add(counters, FIELDS.violations, 1)
    rival--
    Atomics.sub(counters, FIELDS.writers, 1)
    Atomics.add(counters, FIELDS.visits, 1)
    if (fails()) throw new Error('chaos')
  }
  const note = (count, index) => {
    for (let most = Atomics.load(counters, index); count > most; most = Atomics.load(counters, index)) {
      Atomics.compareExchange(counters, index, most, count)
    }
  }

  const actor = async (enter) => {
    for (let round = 0; round < rounds && Atomics.load(counters, FIELDS.closing) === 0; round++) {
      try {
        await enter()
      } catch (error) {
        if (error instanceof LockError || error.message !== 'chaos') throw error
        Atomics.add(counters, FIELDS.failures, 1)
      }
    }
  }
  await Promise.all([
    ...Array.from({ length: readers }, () => actor(() => lock.read(reader))),
    ...Array.from({ length: writers }, () => actor(() => lock.write(writer))),
  ])
  lock.close()
}

if (workerData?.visit) await visit(workerData.visit)
