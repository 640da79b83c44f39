// Holds a lock in the mode asked for, and then forks without exec, as an addon with workers of its own does.
import { RWLock } from 'process-rwlock'
import { native } from '../../helpers/native.js'

const [ref, mode] = process.argv.slice(2)
const lock = new RWLock(JSON.parse(ref), { label: 'forker' })
const guard = await { read: () => lock.acquireRead(), write: () => lock.acquireWrite() }[mode]()
process.send?.({ type: 'forked', child: native.forkAndSleep(), token: guard.token })
setInterval(() => lock, 60_000)
