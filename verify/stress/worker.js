// A Node process of the stress test: its main thread and a worker thread, each an actor with several concurrent tasks.
//
//   node worker.js FOLDER LOCATION FAIRNESS PROCESS LIFE SEED
import { createRequire } from 'node:module'
import { setTimeout as sleep } from 'node:timers/promises'
import { isMainThread, Worker } from 'node:worker_threads'
import { random } from '../../scripts/lib/random.js'
import { Actor } from './actor.js'

const TASKS = 3

const [folder, location, fairness, process_, life, seed] = process.argv.slice(2)
const { StressRecorder } = createRequire(import.meta.url)('../../__test__/helpers/testkit.node')
const recorder = new StressRecorder(folder, Number(process_), Number(life), isMainThread ? 0 : 1)
const dice = random(Number(seed) + (isMainThread ? 0 : 1))

const other = isMainThread ? new Worker(new URL(import.meta.url), { argv: process.argv.slice(2) }) : undefined
let ended = false
other?.once('exit', () => {
  ended = true
})
other?.once('error', (error) => fail(error))

const [kind, where] = [location.slice(0, 4), location.slice(5)]
const ref = kind === 'name' ? { name: where } : { path: where }
const actor = new Actor(recorder, ref, Number(fairness))
// No top-level await: Node.js 20 aborts if a thread is terminated at its beginning (nodejs/node#43182).
Promise.all([
  ...Array.from({ length: TASKS }, (_, task) => actor.run(random(Number(seed) * 7 + task))),
  ...(isMainThread ? [end()] : []),
])
  .catch(fail)
  .then(() => actor.close())

/** Terminates the worker thread at a random time, whatever it does; or ends the process. */
async function end() {
  while (!recorder.isOver) {
    await sleep(dice.below(300))
    if (dice.chance(0.01)) {
      recorder.ends()
      process.exit(0)
    }
    if (ended || !dice.chance(0.02)) continue
    recorder.terminates()
    await other?.terminate()
    recorder.terminated()
  }
}

/** @param {Error} error */
function fail(error) {
  recorder.violation(`an error: ${error.stack}`)
  process.exit(1)
}
