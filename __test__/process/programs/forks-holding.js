// Holds a lock in the given mode, and then forks without exec, like an addon with worker processes.
import { RWLock } from 'process-rwlock'
import { native } from '../../helpers/native.js'

const [ref, mode] = process.argv.slice(2)
const lock = new RWLock(JSON.parse(ref), { label: 'forker' })
const guard = await { read: () => lock.acquireRead(), write: () => lock.acquireWrite() }[mode]()
process.send?.({ type: 'forked', child: native.forkAndSleep(), token: guard.token })
setInterval(() => lock, 60_000)
