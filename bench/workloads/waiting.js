// The cost of waiting, for a process that waits for locks that others hold.
import { fileURLToPath } from 'node:url'
import { capture } from '../../scripts/lib/run.js'
import { median } from '../../scripts/lib/statistics.js'
import { OURS } from '../competitors.js'
import { fresh } from '../scratch.js'

const script = fileURLToPath(new URL('../inprocess/waits.js', import.meta.url))

const CASES = [
  { waits: 1000, locks: 1 },
  { waits: 1000, locks: 100 },
]
/** The thread pool of libuv has four threads. */
const POOL = [{ waits: 4, locks: 4 }]

/**
 * @param {{ competitors: import('../competitors.js').Competitor[], quick: boolean, log: (line: string) => void }} options
 */
export async function waiting({ competitors, quick, log }) {
  const { rounds, ms } = quick ? { rounds: 1, ms: 1000 } : { rounds: 5, ms: 4000 }
  const rows = []
  for (const competitor of competitors.filter(({ language }) => language === 'Node.js')) {
    for (const { waits, locks } of competitor.waitsInPool ? POOL : CASES) {
      const found = []
      for (let round = 0; round < (competitor.system === OURS ? rounds : 1); round++) {
        found.push(await once(competitor, { waits, locks, ms }))
      }
      const middle = (/** @type {(one: any) => number | null} */ of) => {
        const values = found.map(of)
        return values.includes(null) ? null : median(/** @type {number[]} */ (values))
      }
      rows.push({
        system: competitor.system,
        language: competitor.language,
        waits,
        locks,
        rounds: found.length,
        cpu: middle(({ cpu }) => cpu),
        threads: middle(({ threads }) => threads),
        heapPerWait: middle(({ bytesPerWait }) => bytesPerWait.heap),
        residentPerWait: middle(({ bytesPerWait }) => bytesPerWait.resident),
        readingRatio: middle(({ readingRatio }) => readingRatio),
      })
      log(`waiting: ${competitor.system}, ${waits} waits for ${locks} locks`)
    }
  }
  return rows
}

/**
 * @param {import('../competitors.js').Competitor} competitor
 * @param {{ waits: number, locks: number, ms: number }} options
 */
async function once(competitor, { waits, locks, ms }) {
  const paths = Array.from({ length: locks }, fresh)
  const holder = await competitor.start(paths[0])
  for (const path of paths) await holder.ask({ do: 'hold', mode: 'write', path })
  const options = JSON.stringify({ system: competitor.system, paths, waits, ms })
  const { output } = await capture(process.execPath, ['--expose-gc', script, options])
  await holder.end()
  if (!output.startsWith('{')) throw new Error(`waiting for ${competitor.system}: ${output}`)
  return JSON.parse(output)
}
