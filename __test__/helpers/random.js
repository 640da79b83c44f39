// Random numbers that a seed brings back.

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
    /** At least 0, below `end`. @param {number} end */
    below: (end) => Math.floor(next() * end),
    /** One of several. @template T @param {T[]} choices @returns {T} */
    pick: (choices) => choices[Math.floor(next() * choices.length)],
    /** @param {number} share 0 to 1 */
    chance: (share) => next() < share,
  }
}

/** The seed of this run: another one each time, or the one that a failed run named. */
export const SEED = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31))
