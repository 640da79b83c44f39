// A process of the storm that runs Node: its main thread and a worker thread, each an actor with several tasks side by side.
//
//   node worker.js FOLDER PLACE FAIRNESS PROCESS LIFE SEED
import { createRequire } from 'node:module'
import { setTimeout as sleep } from 'node:timers/promises'
import { isMainThread, Worker } from 'node:worker_threads'
import { random } from '../__test__/helpers/random.js'
import { Actor } from './actor.js'

const TASKS = 3

const [folder, place, fairness, process_, life, seed] = process.argv.slice(2)
const { StormWitness } = createRequire(import.meta.url)('../__test__/helpers/testkit.node')
const witness = new StormWitness(folder, Number(process_), Number(life), isMainThread ? 0 : 1)
const dice = random(Number(seed) + (isMainThread ? 0 : 1))

const other = isMainThread ? new Worker(new URL(import.meta.url), { argv: process.argv.slice(2) }) : undefined
let ended = false
other?.once('exit', () => {
  ended = true
})
other?.once('error', (error) => fail(error))

const [kind, where] = [place.slice(0, 4), place.slice(5)]
const ref = kind === 'name' ? { name: where } : { path: where }
const actor = new Actor(witness, ref, Number(fairness))
try {
  await Promise.all([
    ...Array.from({ length: TASKS }, (_, task) => actor.run(random(Number(seed) * 7 + task))),
    ...(isMainThread ? [end()] : []),
  ])
} catch (error) {
  fail(error)
}
actor.close()

/** Terminates the worker thread at some time, wherever it is; or ends the whole process. */
async function end() {
  while (!witness.isOver) {
    await sleep(dice.below(300))
    if (dice.chance(0.01)) {
      witness.ends()
      process.exit(0)
    }
    if (ended || !dice.chance(0.02)) continue
    witness.terminates()
    await other?.terminate()
    witness.terminated()
  }
}

/** @param {Error} error */
function fail(error) {
  witness.violation(`an error: ${error.stack}`)
  process.exit(1)
}
