// Waits with a time limit, and limits of time that a busy machine keeps.
import { median } from '../../scripts/lib/statistics.js'
import { timeoutFactor } from './timeout-factor.js'

/**
 * Polls until the condition holds, and returns what it returned.
 *
 * @template T
 * @param {() => T | Promise<T>} condition holds when truthy
 * @param {{ bound?: number, every?: number, what?: string }} [options] ms, ms, and what the error says is missing
 * @returns {Promise<T>}
 */
export async function waitFor(condition, { bound = 10_000, every = 2, what = String(condition) } = {}) {
  const deadline = performance.now() + bound * timeoutFactor
  for (;;) {
    const value = await condition()
    if (value) return value
    if (performance.now() > deadline) throw new Error(`still not so after ${bound} ms: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, every))
  }
}

/**
 * How long others may take after a death: `limit`, but on a machine that is too busy for that, as
 * long as this process itself took to learn of the deaths, twice.
 *
 * @param {number} limit in ms
 * @param {number[]} exits the times from the kill to the exit of the process, in ms
 */
export const afterDeath = (limit, exits) => Math.max(limit, 2 * median(exits))
