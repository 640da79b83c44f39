// The cost of acquiring and releasing a lock without contention.
import { fileURLToPath } from 'node:url'
import { nodeOf } from '../../scripts/lib/node-versions.js'
import { capture } from '../../scripts/lib/run.js'
import { summary } from '../../scripts/lib/statistics.js'
import { oursNative, rustDriver } from '../competitors.js'
import { ratiosTo } from '../inprocess/measure.js'
import { fresh } from '../scratch.js'
import { endTeams, rotated, startTeams } from './teams.js'

const inProcess = fileURLToPath(new URL('../inprocess/main.js', import.meta.url))

/** The numbers of slots in use. */
const SLOTS = [1, 16, 128]

/**
 * The versions of Node.js that are measured: the oldest that is supported, and one with Web Locks.
 */
const NODES = ['20', '24']

/** The case that the others are compared with. */
export const PROMISE = 'await of an async function that awaits a resolved promise'

/**
 * Pairs without Node.js, each compared with `pthread_rwlock_t` in the same round.
 *
 * @param {{ quick: boolean, slots?: number[], driver?: string }} options
 */
export async function nativePairs({ quick, slots = SLOTS, driver = rustDriver }) {
  const args = ['pairs', '--json', '--slots', slots.join(), ...(quick ? ['--quick'] : [])]
  const { code, output } = await capture(driver, args)
  if (code !== 0) throw new Error(`${driver} ${args.join(' ')} ended with ${code}: ${output}`)
  const all = JSON.parse(output)
  const of = (/** @type {string} */ mode) =>
    all.flatMap((/** @type {any} */ { name, ...row }) =>
      name.startsWith(`${mode}: `) ? [{ name: name.slice(mode.length + 2), ...row }] : [],
    )
  return { read: of('read'), write: of('write') }
}

/**
 * Pairs in JavaScript, with a separate run for each version of Node.js.
 *
 * @param {{ quick: boolean, nodes?: string[], peers?: boolean, slots?: number[], log: (line: string) => void }} options
 */
export async function javaScriptPairs({ quick, nodes = NODES, peers = true, slots = SLOTS, log }) {
  const pace = quick ? { rounds: 11, batch: 4 } : { rounds: 51, batch: 20 }
  const rows = []
  for (const major of nodes) {
    /** @type {Record<string, string>} */
    const locks = {}
    const others = []
    for (const count of slots) {
      locks[count] = fresh()
      const other = await oursNative.start(locks[count])
      others.push(other)
      if (count > 2) await other.ask({ do: 'attach', times: count - 2 })
    }
    // For one slot the measuring process is enough.
    await others.shift()?.end()
    const node = await nodeOf(major)
    const compiled = node === process.execPath // native addons are compiled for this version only
    const options = JSON.stringify({ ...pace, locks, peers, compiled, scratch: fresh() })
    const { code, output } = await capture(node, [inProcess, options])
    await Promise.all(others.map((other) => other.end()))
    if (code !== 0) throw new Error(`the pairs with Node.js ${major} ended with ${code}: ${output}`)
    const { version, groups } = JSON.parse(output.slice(output.indexOf('{"version"')))
    const ratios = ratiosTo(
      groups.flatMap((/** @type {any} */ each) => each.cases),
      PROMISE,
    )
    for (const { group, cases } of groups) {
      for (const { name, times } of cases) {
        rows.push({ node: version, group, name, ratio: ratios[name], ...summary(times) })
      }
    }
    log(`pairs in JavaScript: Node.js ${version}`)
  }
  return rows
}

/**
 * Compares with locks of other languages, which cannot run in one process: the drivers take turns.
 * Our pair is the synchronous one in JavaScript.
 *
 * @param {{ competitors: import('../competitors.js').Competitor[], quick: boolean, log: (line: string) => void }} options
 */
export async function pairsBetween({ competitors, quick, log }) {
  const { rounds, ns } = quick ? { rounds: 5, ns: 10e6 } : { rounds: 31, ns: 50e6 }
  const teams = await startTeams(competitors, 1)
  /** @type {Map<string, { system: string, language: string, mode: string, times: number[] }>} */
  const rows = new Map()
  for (let round = -1; round < rounds; round++) {
    for (const {
      competitor,
      drivers: [driver],
    } of rotated(teams, Math.max(0, round))) {
      for (const mode of ['read', 'write']) {
        const { pairs, ns: took } = await driver.ask({ do: 'pair', mode, ns })
        const { system, language } = competitor
        const key = `${system} ${language} ${mode}`
        if (round < 0)
          rows.set(key, { system, language, mode, times: [] }) // warms up
        else rows.get(key)?.times.push(took / pairs)
      }
    }
  }
  await endTeams(teams)
  log('pairs in all languages')
  return [...rows.values()].map(({ times, ...row }) => ({ ...row, ...summary(times) }))
}
