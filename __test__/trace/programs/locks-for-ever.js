// Acquires and releases a lock until it is killed.
//   node locks-for-ever.js NAME
import { RWLock } from 'process-rwlock'

const lock = new RWLock(process.argv[2])
for (let i = 0; ; i++) {
  lock.tryWrite()?.release()
  if (i === 100) process.send?.({ type: 'busy' })
}
