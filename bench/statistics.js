// What becomes of many samples.

/**
 * @typedef {object} Summary
 * @property {number} median
 * @property {number} p10
 * @property {number} p90
 * @property {number} p99
 * @property {number} min
 * @property {number} max
 * @property {number} samples how many
 */

/**
 * @param {number[]} samples
 * @returns {Summary}
 */
export function summary(samples) {
  const sorted = samples.toSorted((a, b) => a - b)
  const percentile = (/** @type {number} */ percent) =>
    sorted[Math.ceil((sorted.length * percent) / 100) - 1] ?? sorted[0]
  return {
    median: percentile(50),
    p10: percentile(10),
    p90: percentile(90),
    p99: percentile(99),
    min: sorted[0],
    max: sorted[sorted.length - 1],
    samples: sorted.length,
  }
}

export const median = (/** @type {number[]} */ samples) => summary(samples).median

/** The histograms of several drivers, as protocol.md has them, in one. */
export class Histogram {
  /** @type {Map<number, number>} */
  #buckets = new Map()
  #count = 0
  max = 0

  /** @param {{ buckets: [number, number][], max: number }} other */
  add({ buckets, max }) {
    for (const [index, count] of buckets) {
      this.#buckets.set(index, (this.#buckets.get(index) ?? 0) + count)
      this.#count += count
    }
    this.max = Math.max(this.max, max)
  }

  /** The upper end of the bucket in which that many percent have been seen: up to 9 % too much. @param {number} percent */
  percentile(percent) {
    let seen = 0
    for (const [index, count] of [...this.#buckets].sort(([a], [b]) => a - b)) {
      seen += count
      if (seen >= (this.#count * percent) / 100) return Math.min(2 ** ((index + 1) / 8), this.max)
    }
    return 0
  }
}
