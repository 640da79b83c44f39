// `child.js`, or another such program, in a worker thread: provides the message channel of a child
// process.
import { parentPort, workerData } from 'node:worker_threads'

const port = /** @type {import('node:worker_threads').MessagePort} */ (parentPort)
process.send = (message) => {
  port.postMessage(message)
  return true
}
process.disconnect = () => port.close()
port.on('message', (message) => process.emit('message', message, undefined))
await import(workerData?.program ?? './child.js')
