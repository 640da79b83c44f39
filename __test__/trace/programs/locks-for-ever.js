// Acquires and releases a lock, from a message on, until it is killed. Sends "busy" when it does.
//   node locks-for-ever.js NAME
import { RWLock } from 'process-rwlock'

const lock = new RWLock(process.argv[2])
process.once('message', () => {
  for (let i = 0; ; i++) {
    lock.tryWrite()?.release()
    if (i === 100) process.send?.({ type: 'busy' })
  }
})
process.send?.({ type: 'ready' })
