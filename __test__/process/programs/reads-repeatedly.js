// Reads a lock for 2 ms at a time and comes back at once, until it is told to stop.
import { setTimeout as sleep } from 'node:timers/promises'
import { RWLock } from 'process-rwlock'

const lock = new RWLock(JSON.parse(process.argv[2]))
let reads = 0
let stopped = false
process.once('message', () => {
  stopped = true
})
process.send?.({ type: 'ready' })
while (!stopped) {
  await lock.read(() => sleep(2))
  reads++
}
lock.close()
process.send?.({ type: 'report', reads })
process.disconnect()
