// Cost as it grows: with the slots of a lock, with the locks of a process, with its waiters, and with its labelled holds.
import { fileURLToPath } from 'node:url'
import { capture } from '../../scripts/run.js'
import { fresh } from '../scratch.js'
import { nativePairs } from './pairs.js'

const script = fileURLToPath(new URL('../inprocess/growth.js', import.meta.url))

/** @param {{ quick: boolean, log: (line: string) => void }} options */
export async function growth({ quick, log }) {
  const options = quick
    ? { locks: [1, 100, 1000], waiters: [1, 100, 1000], holds: [1, 100, 1000], rounds: 3 }
    : {
        locks: [1, 10, 100, 1000, 10_000],
        waiters: [1, 10, 100, 1000, 10_000],
        holds: [1, 10, 100, 1000, 10_000],
        rounds: 9,
      }
  const { code, output } = await capture(process.execPath, [
    script,
    JSON.stringify({ ...options, scratch: fresh() }),
  ])
  if (code !== 0) throw new Error(`growth ended with ${code}: ${output}`)
  log('growth: locks, waiters and labelled holds')
  const slots = await nativePairs({ quick, slots: quick ? [1, 100] : [1, 10, 100, 1000] })
  log('growth: slots')
  return { slots, ...JSON.parse(output) }
}
