// From the release of a writer in one process to the start of the next, in another, that waits for it.
import { fileURLToPath } from 'node:url'
import { capture } from '../../scripts/run.js'
import { fresh } from '../scratch.js'
import { summary } from '../statistics.js'
import { rotated } from './contended.js'

const wake = fileURLToPath(new URL('../inprocess/wake.js', import.meta.url))

/** How long each writes, and how long it stays away then: the other one must have come to wait, and gone to sleep. */
const HOLD = 2e6
const PAUSE = 1e6

/**
 * @param {{ competitors: import('../competitors.js').Competitor[], quick: boolean, log: (line: string) => void }} options
 */
export async function handoff({ competitors, quick, log }) {
  const { rounds, times } = quick ? { rounds: 2, times: 25 } : { rounds: 15, times: 50 }
  const pairs = await Promise.all(
    competitors.map(async (competitor) => {
      const path = fresh()
      return {
        competitor,
        drivers: [await competitor.start(path), await competitor.start(path)],
        samples: /** @type {number[]} */ ([]),
        medians: /** @type {number[]} */ ([]),
      }
    }),
  )
  const command = { do: 'handoff', times, hold: HOLD, pause: PAUSE }
  for (let round = 0; round < rounds; round++) {
    for (const { drivers, samples, medians } of rotated(pairs, round)) {
      const answers = await Promise.all(drivers.map((driver) => driver.ask(command)))
      const passed = handoffs(answers.map(({ holds }) => holds))
      samples.push(...passed)
      if (passed.length > 0) medians.push(summary(passed).median)
    }
    log(`handoff: round ${round + 1} of ${rounds}`)
  }
  await Promise.all(pairs.flatMap(({ drivers }) => drivers.map((driver) => driver.end())))
  return [
    { system: 'thread-safe function', language: 'Node.js', ...summary(await wakes(times * rounds)) },
    ...pairs.map(({ competitor: { system, language }, samples, medians }) => ({
      system,
      language,
      ...summary(samples),
      rounds: medians,
    })),
  ]
}

/** From a call on another thread to the function's start: what any lock pays that leaves waiting to a thread. @param {number} times */
async function wakes(times) {
  const { code, output } = await capture(process.execPath, [wake, String(times), String(PAUSE / 1e3)])
  if (code !== 0) throw new Error(`${wake} ended with ${code}: ${output}`)
  return JSON.parse(output)
}

/**
 * Of two processes' holds, how long each took to begin that had been waited for.
 *
 * @param {number[][][]} holds of each, as protocol.md has them
 */
export function handoffs(holds) {
  const all = holds
    .flatMap((list, who) => list.map(([asked, start, released]) => ({ who, asked, start, released })))
    .sort((a, b) => a.start - b.start)
  return all.flatMap((next, index) => {
    const last = all[index - 1]
    return last && last.who !== next.who && next.asked < last.released ? [next.start - last.released] : []
  })
}
