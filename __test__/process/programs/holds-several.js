// Acquires the locks it is given (references, as JSON) for write, together; holds them until it is killed.
import { acquireAll, RWLock } from 'process-rwlock'

/** @type {any[]} */
const refs = JSON.parse(process.argv[2] ?? '')
const held = acquireAll(refs.map((ref) => ({ lock: new RWLock(ref) })))
process.send?.({ type: 'asked' })
globalThis.held = await held
process.send?.({ type: 'holds' })
setInterval(() => {}, 1000)
