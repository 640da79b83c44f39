// Takes some of several locks, always in the same order, one inside the other, until it
// receives a message. So there is no deadlock, but much waiting.
//   node takes-in-order.js '{ "refs": […], "seed": 1, "hold": 1000 }'
import { setTimeout } from 'node:timers/promises'
import { RWLock } from 'process-rwlock'
import { random as randomOf } from '../../helpers/random.js'

const { refs, seed, hold } = JSON.parse(process.argv[2])
const locks = refs.map((ref) => new RWLock(ref))
const { next: random } = randomOf(seed)
const warnings = []
process.on('warning', (/** @type {any} */ { code, message }) => warnings.push({ code, message }))
let stopped = false
let rounds = 0

async function take(index) {
  if (index === locks.length) return setTimeout(random() * hold)
  if (random() < 0.4) return take(index + 1)
  const mode = random() < 0.5 ? 'read' : 'write'
  return locks[index][mode](() => take(index + 1))
}

async function task() {
  while (!stopped) {
    await take(0)
    rounds++
  }
}

process.once('message', () => {
  stopped = true
})
await task()
process.send?.({ type: 'stopped', rounds, warnings })
process.disconnect()
