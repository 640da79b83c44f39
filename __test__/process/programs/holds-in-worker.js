// A process whose worker thread holds a lock. Takes the arguments of the command `hold` of
// ../../helpers/child.js.
import { Worker } from 'node:worker_threads'

const worker = new Worker(new URL('../../helpers/worker.js', import.meta.url))
worker.on('message', ({ type, value }) => {
  if (type === 'ready') worker.postMessage({ id: 1, op: 'hold', args: JSON.parse(process.argv[2]) })
  else process.send?.({ type: 'held', threadId: worker.threadId, ...value })
})
