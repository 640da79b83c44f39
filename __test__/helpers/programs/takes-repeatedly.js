// Acquires a lock repeatedly, in several lanes that overlap, until it receives a message.
//   node takes-repeatedly.js '{ "ref": …, "mode": "read", "lanes": 3, "hold": 2, "fairness": 1 }'
import { setTimeout } from 'node:timers/promises'
import { RWLock } from 'process-rwlock'

const { ref, mode, lanes, hold, fairness, engine } = JSON.parse(process.argv[2])
const lock = engine ? (await import(engine)).open(ref, { fairness }) : new RWLock(ref, { fairness })
let count = 0
let stopped = false

async function lane(index) {
  // Each lane starts in the middle of a hold of the one before.
  await setTimeout((hold * index) / lanes)
  while (!stopped) {
    await lock[mode](() => setTimeout(hold))
    if (++count === lanes) process.send?.({ type: 'streaming' })
  }
}

process.once('message', () => {
  stopped = true
})
await Promise.all(Array.from({ length: lanes }, (_, index) => lane(index)))
lock.close()
process.send?.({ type: 'stopped', count })
process.disconnect()
