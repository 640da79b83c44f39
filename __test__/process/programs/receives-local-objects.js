// Gets local objects by workerData, by message or as an argument, and says what is in them, and what it has itself.
import { parentPort, workerData } from 'node:worker_threads'
import { bare, mine } from './local-objects.js'

const own = () => [mine.number, Object.getOwnPropertyNames(bare)]
const show = (handed) =>
  Object.entries(handed).map(([key, value]) => [key, Reflect.ownKeys(value), value.number, value.text])

if (parentPort) {
  const port = parentPort
  port.once('message', (message) => {
    port.postMessage({ byData: show(workerData), byMessage: show(message), own: own() })
  })
} else {
  process.once('message', (message) => {
    process.send?.({
      type: 'done',
      byArgument: show(JSON.parse(process.argv[2] ?? '')),
      byMessage: show(message),
      own: own(),
    })
    process.disconnect()
  })
}
