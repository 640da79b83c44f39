// Percentiles, for the benchmarks, the stress test and the tests.

/**
 * A percentile, interpolated linearly between the two closest ranks, as NumPy and R do by default.
 *
 * @param {readonly number[]} samples at least one
 * @param {number} percent 0 to 100
 */
export function percentile(samples, percent) {
  return rank(
    samples.toSorted((a, b) => a - b),
    percent,
  )
}

/** @param {readonly number[]} samples at least one */
export function median(samples) {
  return percentile(samples, 50)
}

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
 * @param {readonly number[]} samples without any, every percentile is NaN
 * @returns {Summary}
 */
export function summary(samples) {
  const sorted = samples.toSorted((a, b) => a - b)
  return {
    median: rank(sorted, 50),
    p10: rank(sorted, 10),
    p90: rank(sorted, 90),
    p99: rank(sorted, 99),
    min: rank(sorted, 0),
    max: rank(sorted, 100),
    samples: sorted.length,
  }
}

/** @param {number[]} sorted @param {number} percent */
function rank(sorted, percent) {
  const position = ((sorted.length - 1) * percent) / 100
  const below = Math.floor(position)
  const lower = sorted[below]
  const upper = sorted[Math.min(below + 1, sorted.length - 1)]
  return lower + (upper - lower) * (position - below)
}
