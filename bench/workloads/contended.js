// Four processes request the lock all the time: their throughput, their waits, and whether each
// gets its share.

import { median, summary } from '../../scripts/lib/statistics.js'
import { nameOf } from '../competitors.js'
import { Histogram } from '../histogram.js'
import { endTeams, rotated, startTeams, together } from './teams.js'

const PROCESSES = 4

export const MIXES = [
  { mix: '90/10', readShare: 0.9 },
  { mix: '50/50', readShare: 0.5 },
  { mix: '0/100', readShare: 0 },
]
const BODIES = [
  { body: 'empty', ns: 0 },
  { body: '50 µs', ns: 50_000 },
]

/**
 * @param {{ competitors: import('../competitors.js').Competitor[], quick: boolean, log: (line: string) => void }} options
 */
export function contended({ competitors, quick, log }) {
  const { rounds, ns } = quick ? { rounds: 1, ns: 250e6 } : { rounds: 5, ns: 600e6 }
  const mixes = quick ? MIXES.slice(0, 1) : MIXES
  const cases = mixes.flatMap((mix) => BODIES.map((body) => ({ ...mix, ...body, length: ns })))
  return mixed({ competitors, cases, rounds, log })
}

/**
 * @typedef {{ mix: string, readShare: number, body: string, ns: number, length: number, tasks?: number }} Case
 * `tasks`: of each process, which only drivers in JavaScript can have.
 *
 * @param {{ competitors: import('../competitors.js').Competitor[], cases: Case[], rounds: number, log: (line: string) => void }} options
 */
export async function mixed({ competitors, cases, rounds, log }) {
  const teams = await startTeams(competitors, PROCESSES)
  /** @type {Map<string, ReturnType<typeof row>>} */
  const rows = new Map()
  for (let round = 0; round < rounds; round++) {
    for (const each of cases) {
      for (const { competitor, drivers } of rotated(teams, round)) {
        const key = `${each.mix} ${each.body} ${nameOf(competitor)}`
        if (!rows.has(key)) rows.set(key, row(competitor, each))
        await once(drivers, each, /** @type {any} */ (rows.get(key)))
      }
      log(`contended: round ${round + 1} of ${rounds}, ${each.mix}, ${each.body}`)
    }
  }
  await endTeams(teams)
  return [...rows.values()].map(({ throughput, luck, waits, worst, ...each }) => ({
    ...each,
    ...summary(throughput),
    luck: median(luck),
    waits: Object.fromEntries(
      Object.entries(waits).map(([mode, histogram]) => [
        mode,
        {
          p50: histogram.percentile(50),
          p99: histogram.percentile(99),
          max: histogram.max,
          // The median of the longest waits of the rounds: one slow moment of the machine is not
          // the fault of the lock.
          usualMax: median(worst[mode]),
        },
      ]),
    ),
  }))
}

/**
 * @param {import('../competitors.js').Competitor} competitor
 * @param {{ mix: string, body: string }} of
 */
function row({ system, language }, { mix, body }) {
  return {
    system,
    language,
    mix,
    body,
    throughput: /** @type {number[]} */ ([]),
    luck: /** @type {number[]} */ ([]),
    waits: { read: new Histogram(), write: new Histogram() },
    worst: { read: /** @type {number[]} */ ([]), write: /** @type {number[]} */ ([]) },
  }
}

/**
 * @param {import('../drivers/start.js').Driver[]} drivers
 * @param {Case} of
 * @param {ReturnType<typeof row>} into
 */
async function once(drivers, { readShare, ns: body, length, tasks }, into) {
  const answers = await together(drivers, { do: 'mix', readShare, body, ns: length, tasks })
  const operations = answers.map(({ reads, writes }) => reads + writes)
  const seconds = Math.max(...answers.map(({ ns }) => ns)) / 1e9
  into.throughput.push(operations.reduce((sum, each) => sum + each, 0) / seconds)
  into.luck.push(Math.max(...operations) / Math.max(1, Math.min(...operations)))
  for (const mode of /** @type {const} */ (['read', 'write'])) {
    for (const { waits } of answers) into.waits[mode].add(waits[mode])
    into.worst[mode].push(Math.max(...answers.map(({ waits }) => waits[mode].max)))
  }
}
