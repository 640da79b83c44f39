// Waits with a time limit.
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
