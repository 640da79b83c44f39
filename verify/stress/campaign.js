// The rounds of a stress test, one after the other, and what they found.
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Figures } from './figures.js'
import { Round } from './round.js'
import { endOnSignal } from './signals.js'

const ROUND = 30 // s; then the histories of the round's lock are checked and removed
const WORKER = fileURLToPath(new URL('../../target/release/process-rwlock-stress', import.meta.url))

/** @param {string[]} args */
export async function campaign(args) {
  const { seconds, seed, processes, nodes } = parse(args)
  const figures = new Figures()
  /** @type {Round | undefined} */
  let round

  endOnSignal(() => round)

  for (let done = 0, number = 0; done < seconds; done += ROUND, number++) {
    const length = Math.min(ROUND, seconds - done)
    round = new Round({ seed: seed + number, ms: length * 1000, processes, nodes, worker: WORKER })
    console.log(round.title)
    const { violations, folder, figures: found } = await round.run()
    if (found) figures.add(found)
    if (violations.length > 0) {
      round.removeLock()
      console.error(`\nVIOLATED with seed ${seed + number}:\n${violations.join('\n')}`)
      console.error(`\nThe histories are in ${folder}; to check them again: ${WORKER} check ${folder}`)
      console.error(
        `To repeat: npm run stress -- --seconds ${length} --seed ${seed + number} --processes ${processes} --nodes ${nodes}`,
      )
      process.exit(1)
    }
    round.remove()
  }
  console.log(`\n${figures.text}\n\nNo violation.`)
}

/** @param {string[]} args */
function parse(args) {
  try {
    const { values } = parseArgs({
      args,
      options: {
        minutes: { type: 'string' },
        seconds: { type: 'string' },
        seed: { type: 'string' },
        processes: { type: 'string', default: '16' },
        nodes: { type: 'string' },
      },
    })
    const number = (/** @type {string} */ name, /** @type {string} */ text, least = 0, most = 2 ** 31) => {
      const value = Number(text)
      if (value >= least && value <= most) return value
      throw new Error(`--${name} takes a number from ${least} to ${most}`)
    }
    const processes = number('processes', values.processes, 1, 16)
    return {
      seconds: values.minutes
        ? number('minutes', values.minutes) * 60
        : number('seconds', values.seconds ?? '60'),
      seed: number('seed', values.seed ?? String(Math.floor(Math.random() * 2 ** 30))),
      processes,
      nodes: number('nodes', values.nodes ?? String(processes >> 1), 0, processes),
    }
  } catch (error) {
    console.error(
      `${error.message}\nUsage: npm run stress [-- --minutes N | --seconds S] [--seed X] [--processes N] [--nodes N]`,
    )
    process.exit(2)
  }
}
