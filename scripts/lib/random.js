// Random numbers that a seed repeats.

/**
 * mulberry32, by Tommy Ettinger (public domain).
 *
 * @param {number} seed
 */
export function random(seed) {
  let state = seed >>> 0
  /** At least 0, below 1. */
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let bits = Math.imul(state ^ (state >>> 15), state | 1)
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61)
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32
  }
  return {
    next,
    /** An integer, at least 0, below `end`. @param {number} end */
    below: (end) => Math.floor(next() * end),
    /** One of several. @template T @param {T[]} choices @returns {T} */
    pick: (choices) => choices[Math.floor(next() * choices.length)],
    /** Whether an event of this probability happens. @param {number} probability 0 to 1 */
    chance: (probability) => next() < probability,
    /** So many bytes. @param {number} length */
    bytes: (length) => Buffer.from(Array.from({ length }, () => Math.floor(next() * 256))),
  }
}

/**
 * The seed of this run: the environment variable `SEED`, which a failed run names, or a new one.
 */
export const SEED = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31))
