// Holds a lock for reading for 2 ms, again and again, until it receives a message, and some times at
// least.
import { setTimeout as sleep } from 'node:timers/promises'
import { RWLock } from 'process-rwlock'

const lock = new RWLock(JSON.parse(process.argv[2]))
let reads = 0
let stopped = false
process.once('message', () => {
  stopped = true
})
process.send?.({ type: 'ready' })
while (!stopped || reads <= 5) {
  await lock.read(() => sleep(2))
  reads++
}
lock.close()
process.send?.({ type: 'report', reads })
process.disconnect()
