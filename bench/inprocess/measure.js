// Measures within one process. All cases take turns, so that other load of the machine affects them
// equally.
import { summary } from '../../scripts/lib/statistics.js'

/**
 * @typedef {object} Case
 * @property {string} name
 * @property {(times: number) => unknown} run repeats the case; awaited
 */

/**
 * @param {Case[]} cases
 * @param {{ rounds: number, batch: number }} options the number of rounds, and the ms of each case in a round
 * @returns {Promise<{ name: string, times: number[] }[]>} ns for one repetition, by round
 */
export async function measure(cases, { rounds, batch }) {
  const times = []
  for (const each of cases) times.push(await fill(each, batch))
  const samples = cases.map(() => /** @type {number[]} */ ([]))
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < cases.length; turn++) {
      const index = (turn + round) % cases.length
      samples[index].push(((await time(cases[index], times[index])) / times[index]) * 1e6)
    }
  }
  return cases.map(({ name }, index) => ({ name, times: samples[index] }))
}

/**
 * The repetitions of a warm case that take `batch` ms. Counts the fastest of three attempts,
 * because a pause of the process would make the case look slow.
 *
 * @param {Case} each
 * @param {number} batch
 */
async function fill(each, batch) {
  for (let times = 1; ; times *= 2) {
    let fastest = Number.POSITIVE_INFINITY
    for (let attempt = 0; attempt < 3; attempt++) fastest = Math.min(fastest, await time(each, times))
    if (fastest >= batch / 2) return Math.ceil((times * batch) / fastest)
  }
}

/**
 * @param {Case} each
 * @param {number} times
 */
async function time({ run }, times) {
  const start = performance.now()
  await run(times)
  return performance.now() - start
}

/**
 * The ratio of each case to the case `base`: the median of the ratios in each round, because a slow
 * moment affects both.
 *
 * @param {{ name: string, times: number[] }[]} measured
 * @param {string} base
 */
export function ratiosTo(measured, base) {
  const measure = measured.find(({ name }) => name === base)
  if (!measure) throw new Error(`nothing called ${base} was measured`)
  return Object.fromEntries(
    measured.map(({ name, times }) => [
      name,
      summary(times.map((time, round) => time / measure.times[round])).median,
    ]),
  )
}
