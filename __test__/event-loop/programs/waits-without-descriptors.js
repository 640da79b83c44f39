// Waits twice for the lock argv[2], which another process holds, without free descriptors: neither
// for a doorbell nor to be notified of a process exit.
import { once } from 'node:events'
import { openSync } from 'node:fs'
import { RWLock } from 'process-rwlock'

const lock = new RWLock(process.argv[2])
try {
  for (;;) openSync('/dev/null', 'r')
} catch (error) {
  if (error.code !== 'EMFILE') throw error
}
for (let round = 0; round < 2; round++) {
  if (round > 0) await once(process, 'message')
  process.send?.({ type: 'waiting' })
  await lock.write((guard) => process.send?.({ type: 'granted', ownerDied: guard.ownerDied?.pid }))
}
process.disconnect()
