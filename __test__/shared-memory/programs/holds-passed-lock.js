// Holds for write the lock that it was passed: as an argument, by workerData or by message. Ends on
// the next message.
import { once } from 'node:events'
import { parentPort, workerData } from 'node:worker_threads'
import { RWLock } from 'process-rwlock'

const port = /** @type {NodeJS.EventEmitter} */ (parentPort ?? process)
const send = (message) => (parentPort ? parentPort.postMessage(message) : process.send?.(message))
const nextMessage = async () => (await once(port, 'message'))[0]

const argument = parentPort ? workerData : process.argv[2] && JSON.parse(process.argv[2])
const lock = new RWLock((argument ?? (await nextMessage())).lock)
await lock.write(async () => {
  send({ type: 'holds' })
  await nextMessage()
})
lock.close()
send({ type: 'done' })
if (!parentPort) process.disconnect()
