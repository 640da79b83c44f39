// From the release of a writer in one process to the start of the next writer, which waits in
// another process.
import { fileURLToPath } from 'node:url'
import { capture } from '../../scripts/lib/run.js'
import { summary } from '../../scripts/lib/statistics.js'
import { endTeams, rotated, startTeams } from './teams.js'

const wake = fileURLToPath(new URL('../inprocess/wake.js', import.meta.url))

/**
 * The duration of a write and of the pause after it: long enough that the other process waits, and
 * sleeps.
 */
const HOLD = 2e6
const PAUSE = 1e6

/**
 * @param {{ competitors: import('../competitors.js').Competitor[], quick: boolean, log: (line: string) => void }} options
 */
export async function handoff({ competitors, quick, log }) {
  const { rounds, times } = pace(quick)
  return [
    { system: 'thread-safe function', language: 'Node.js', ...summary(await wakes(times * rounds)) },
    ...(await handoffBetween({ competitors, quick, log })),
  ]
}

const pace = (/** @type {boolean} */ quick) => (quick ? { rounds: 2, times: 25 } : { rounds: 15, times: 50 })

/**
 * @param {{ competitors: import('../competitors.js').Competitor[], quick: boolean, log: (line: string) => void }} options
 */
export async function handoffBetween({ competitors, quick, log }) {
  const { rounds, times } = pace(quick)
  const teams = await startTeams(competitors, 2)
  const samples = new Map(competitors.map((competitor) => [competitor, /** @type {number[]} */ ([])]))
  const command = { do: 'handoff', times, hold: HOLD, pause: PAUSE }
  for (let round = 0; round < rounds; round++) {
    for (const { competitor, drivers } of rotated(teams, round)) {
      const answers = await Promise.all(drivers.map((driver) => driver.ask(command)))
      samples.get(competitor)?.push(...handoffs(answers.map(({ holds }) => holds)))
    }
    log(`handoff: round ${round + 1} of ${rounds}`)
  }
  await endTeams(teams)
  return [...samples].map(([{ system, language }, passed]) => ({ system, language, ...summary(passed) }))
}

/**
 * From a call on another thread to the start of the function: the floor for a lock that waits on a
 * thread.
 *
 * @param {number} times
 */
async function wakes(times) {
  const { code, output } = await capture(process.execPath, [wake, String(times), String(PAUSE / 1e3)])
  if (code !== 0) throw new Error(`${wake} ended with ${code}: ${output}`)
  return JSON.parse(output)
}

/**
 * The durations of the handoffs between two processes: a hold counts if it was requested before the
 * previous one ended.
 *
 * @param {number[][][]} holds of each process, as in protocol.md
 */
export function handoffs(holds) {
  const all = holds
    .flatMap((list, index) =>
      list.map(([asked, start, released]) => ({ process: index, asked, start, released })),
    )
    .sort((a, b) => a.start - b.start)
  return all.flatMap((next, index) => {
    const last = all[index - 1]
    return last && last.process !== next.process && next.asked < last.released
      ? [next.start - last.released]
      : []
  })
}
