// Is bundled together with the package.
import { RWLock } from 'process-rwlock'

console.log(RWLock.name)
