// A histogram of waits by their duration.

/** Adds up the histograms of several drivers; protocol.md describes their format. */
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

  /**
   * The upper bound of the bucket that contains the percentile, which may be 9 % too high.
   *
   * @param {number} percent
   */
  percentile(percent) {
    let seen = 0
    for (const [index, count] of [...this.#buckets].sort(([a], [b]) => a - b)) {
      seen += count
      if (seen >= (this.#count * percent) / 100) return Math.min(2 ** ((index + 1) / 8), this.max)
    }
    return 0
  }
}
