// Waits for the lock argv[2], which somebody else holds, twice, without a descriptor to be had: neither for a doorbell, nor to
// be told of a death.
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
