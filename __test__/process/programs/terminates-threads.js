// A process that uses a lock, and terminates threads that do the same, one after the other.
import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { RWLock } from 'process-rwlock'
import { random } from '../../helpers/random.js'

const WAYS = [
  ...['holds read', 'holds write', 'holds upgradable', 'upgrades', 'waits for read', 'waits for write'],
  ...[
    'waits for upgradable',
    'waits in many ways at once',
    'waits with timeouts',
    'blocks for read',
    'blocks for write',
  ],
]

const { ref, times, atOnce, seed } = JSON.parse(process.argv[2])
const dice = random(seed)
const lock = new RWLock(ref)
const terminated = {}
let begun = 0

async function terminateSome(share) {
  for (let i = 0; i < share; i++) {
    const way = WAYS[begun++ % WAYS.length]
    const worker = new Worker(new URL('./dies-holding-or-waiting.js', import.meta.url), {
      workerData: { ref, way },
    })
    await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject))
    const pause = dice.below(4)
    if (pause > 0) await sleep(pause)
    await worker.terminate()
    terminated[way] = (terminated[way] ?? 0) + 1
  }
}

// The others continue: this thread, and the other process.
let ended = false
let turns = 0
let longest = 0
const others = (async () => {
  while (!ended) {
    const start = performance.now()
    await lock.write(() => sleep(1))
    longest = Math.max(longest, performance.now() - start)
    await lock.read(() => {})
    turns++
  }
})()
process.send?.({ type: 'ready' })
await Promise.all(Array.from({ length: atOnce }, () => terminateSome(times / atOnce)))
ended = true
await others
lock.close()
process.send?.({ type: 'report', terminated, turns, longest })
process.disconnect()
