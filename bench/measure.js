// Measuring: all cases take turns, so that what disturbs the machine meanwhile disturbs them alike.

/**
 * @typedef {object} Case
 * @property {string} name
 * @property {(times: number) => unknown} run does it that often; awaited
 *
 * @typedef {object} Result ns for one time: the median of the rounds, and the spread from the 10th to the 90th percentile
 * @property {string} name
 * @property {number} median
 * @property {number} p10
 * @property {number} p90
 * @property {number} rounds
 * @property {number} [ratioToPthread] median of the ratios, round by round
 */

/**
 * @param {Case[]} cases
 * @param {{ rounds: number, batch: number }} options how many rounds, and how many ms each case gets in one
 * @returns {Promise<Result[]>}
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
  return cases.map(({ name }, index) => ({ name, ...summary(samples[index]) }))
}

/**
 * How often a case fits into `batch` ms, once it is warm. The fastest of some, since a pause in between would count for
 * slowness.
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

/** @param {number[]} samples */
function summary(samples) {
  const sorted = samples.toSorted((a, b) => a - b)
  const percentile = (/** @type {number} */ percent) =>
    sorted[Math.floor(((sorted.length - 1) * percent) / 100)]
  return { median: percentile(50), p10: percentile(10), p90: percentile(90), rounds: sorted.length }
}

/**
 * @param {string} title
 * @param {Result[]} results
 */
export function print(title, results) {
  console.log(`\n${title.padEnd(46)}${'median ns'.padStart(12)}${'10-90 %'.padStart(24)}`)
  for (const { name, median, p10, p90, ratioToPthread } of results) {
    const spread = `${number(p10)}-${number(p90)}`
    const ratio = ratioToPthread === undefined ? '' : `   ${ratioToPthread.toFixed(2)} x pthread`
    console.log(`${name.padEnd(46)}${number(median).padStart(12)}${spread.padStart(24)}${ratio}`)
  }
}

/** @param {number} value */
function number(value) {
  return value < 100 ? value.toFixed(1) : Math.round(value).toLocaleString('en')
}
