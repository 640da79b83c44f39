// The rounds of a stress test, one after the other, and what they found.
import { fileURLToPath } from 'node:url'
import { Figures } from './figures.js'
import { Round } from './round.js'
import { endOnSignal } from './signals.js'

const ROUND = 30 // s; then the histories of the round's lock are checked and removed
const WORKER = fileURLToPath(new URL('../../target/release/process-rwlock-stress', import.meta.url))

/** @param {{ seconds: number, seed: number, processes: number, nodes: number }} options */
export async function campaign({ seconds, seed, processes, nodes }) {
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
