// Processes that only read: the throughput should grow with the number of processes, up to the
// number of cores.

import { summary } from '../../scripts/lib/statistics.js'
import { nameOf } from '../competitors.js'
import { endTeams, rotated, startTeams, together } from './teams.js'

const PROCESSES = [1, 2, 4, 8]

/**
 * @param {{ competitors: import('../competitors.js').Competitor[], quick: boolean, log: (line: string) => void }} options
 */
export async function scaling({ competitors, quick, log }) {
  const { rounds, ns } = quick ? { rounds: 1, ns: 100e6 } : { rounds: 7, ns: 300e6 }
  const teams = await startTeams(competitors, Math.max(...PROCESSES))
  /**
   * Total pairs per second, by round.
   *
   * @type {Map<string, { competitor: typeof competitors[0], processes: number, samples: number[] }>}
   */
  const found = new Map()
  for (let round = 0; round < rounds; round++) {
    for (const processes of PROCESSES) {
      for (const { competitor, drivers } of rotated(teams, round)) {
        const answers = await together(drivers.slice(0, processes), { do: 'pair', mode: 'read', ns })
        const key = `${nameOf(competitor)} ${processes}`
        if (!found.has(key)) found.set(key, { competitor, processes, samples: [] })
        found.get(key)?.samples.push(answers.reduce((sum, each) => sum + (each.pairs / each.ns) * 1e9, 0))
      }
    }
    log(`read scaling: round ${round + 1} of ${rounds}`)
  }
  await endTeams(teams)
  return [...found.values()].map(({ competitor: { system, language }, processes, samples }) => ({
    system,
    language,
    processes,
    ...summary(samples),
  }))
}
