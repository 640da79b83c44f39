// A guard is disposable. `using` needs Node.js 24 (node-24.js) or TypeScript (typescript.ts); try and finally have the same
// effect everywhere.
import { RWLock } from 'process-rwlock'

const lock = new RWLock()

const guard = await lock.acquireRead()
try {
  console.log('try/finally:', guard.mode) // try/finally: read
} finally {
  guard.release()
}
lock.close()

const [major] = process.versions.node.split('.')
if (Number(major) >= 24) await import('./node-24.js')
