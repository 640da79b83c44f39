// Compiled for Node.js 20 by `tsc --target es2022 --lib es2023,esnext.disposable`.
import { type Guard, RWLock } from 'process-rwlock'

using lock = new RWLock()
{
  using guard: Guard = await lock.acquireWrite()
  console.log('TypeScript:', guard.mode) // TypeScript: write
}
console.log(lock.inspect().holders.length) // 0
