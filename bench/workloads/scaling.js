// Processes that only read: together they should do more than one alone, as far as there are cores.
import { nameOf } from '../competitors.js'
import { fresh } from '../scratch.js'
import { summary } from '../statistics.js'
import { rotated } from './contended.js'

const NOTICE = 30e6
const PROCESSES = [1, 2, 4, 8]

/**
 * @param {{ competitors: import('../competitors.js').Competitor[], quick: boolean, log: (line: string) => void }} options
 */
export async function scaling({ competitors, quick, log }) {
  const { rounds, ns } = quick ? { rounds: 1, ns: 100e6 } : { rounds: 7, ns: 300e6 }
  const most = PROCESSES[PROCESSES.length - 1]
  const teams = await Promise.all(
    competitors.map(async (competitor) => {
      const path = fresh()
      const drivers = []
      for (let i = 0; i < most; i++) drivers.push(await competitor.start(path))
      return { competitor, drivers }
    }),
  )
  /** Pairs per second in total, by round. @type {Map<string, { competitor: typeof competitors[0], processes: number, samples: number[] }>} */
  const found = new Map()
  for (let round = 0; round < rounds; round++) {
    for (const processes of PROCESSES) {
      for (const { competitor, drivers } of rotated(teams, round)) {
        const at = Number(process.hrtime.bigint()) + NOTICE
        const command = { do: 'pair', mode: 'read', ns, at }
        const answers = await Promise.all(drivers.slice(0, processes).map((driver) => driver.ask(command)))
        const key = `${nameOf(competitor)} ${processes}`
        if (!found.has(key)) found.set(key, { competitor, processes, samples: [] })
        found.get(key)?.samples.push(answers.reduce((sum, each) => sum + (each.pairs / each.ns) * 1e9, 0))
      }
    }
    log(`read scaling: round ${round + 1} of ${rounds}`)
  }
  await Promise.all(teams.flatMap(({ drivers }) => drivers.map((driver) => driver.end())))
  return [...found.values()].map(({ competitor: { system, language }, processes, samples }) => ({
    system,
    language,
    processes,
    ...summary(samples),
  }))
}
