// Acquires a lock for writing, and sets its value without a pause, until it is killed: each value
// has one byte many times.
import { RWLock } from 'process-rwlock'

const guard = await new RWLock(JSON.parse(process.argv[2])).acquireWrite()
await new Promise((resolve) => process.send?.({ type: 'sets' }, resolve))
for (let number = 0; ; number++) guard.setValue(new Uint8Array(1 + ((number * 37) % 1024)).fill(number))
