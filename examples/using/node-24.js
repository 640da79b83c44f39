import { RWLock } from 'process-rwlock'

using lock = new RWLock()
{
  using guard = await lock.acquireRead()
  console.log('using:', guard.mode) // using: read
} // released here, also if the block throws
console.log(lock.inspect().holders.length) // 0
// closed here
