// How costs grow with the slots and the readers of a lock, with the locks, waiters and labelled holds
// of a process, and with the named locks of a user.
import { mkdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { capture } from '../../scripts/lib/run.js'
import { rustDriver } from '../competitors.js'
import { fresh } from '../scratch.js'
import { nativePairs } from './pairs.js'

const script = fileURLToPath(new URL('../inprocess/growth.js', import.meta.url))

/** @param {{ quick: boolean, log: (line: string) => void }} options */
export async function growth({ quick, log }) {
  const options = quick
    ? {
        locks: [1, 100, 1000],
        named: [1, 100, 1000],
        waiters: [1, 100, 1000],
        holds: [1, 100, 1000],
        rounds: 3,
      }
    : {
        locks: [1, 10, 100, 1000, 10_000],
        named: [1, 10, 100, 1000],
        waiters: [1, 10, 100, 1000, 10_000],
        holds: [1, 10, 100, 1000, 10_000],
        rounds: 9,
      }
  const env = { ...process.env, PROCESS_RWLOCK_DIR: fresh() }
  mkdirSync(env.PROCESS_RWLOCK_DIR)
  const { code, output } = await capture(
    process.execPath,
    [script, JSON.stringify({ ...options, scratch: fresh() })],
    { env },
  )
  if (code !== 0) throw new Error(`growth ended with ${code}: ${output}`)
  log('growth: locks, named locks, waiters and labelled holds')
  const slots = await nativePairs({ quick, slots: quick ? [1, 100] : [1, 10, 100, 1000] })
  log('growth: slots')
  const readers = await crowds(quick ? [1, 100, 1000] : [1, 10, 100, 1000, 4000])
  log('growth: readers')
  return { slots, readers, ...JSON.parse(output) }
}

/**
 * The cost of many readers, in ns: to attach one more; of a refused tryWrite, and of the slowest
 * one; of an inspection.
 *
 * @param {number[]} sizes
 * @returns {Promise<{ size: number, attach: number, refused: number, worst: number, inspect: number }[]>}
 */
async function crowds(sizes) {
  const args = ['crowd', '--json', '--readers', sizes.join()]
  const { code, output } = await capture(rustDriver, args)
  if (code !== 0) throw new Error(`${rustDriver} ${args.join(' ')} ended with ${code}: ${output}`)
  return JSON.parse(output)
}
