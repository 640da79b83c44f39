// A process that exits on a message, while its threads hold and wait for a lock.
import { Worker } from 'node:worker_threads'

const { ref, ways } = JSON.parse(process.argv[2])
for (const way of ways) {
  const worker = new Worker(new URL('./dies-holding-or-waiting.js', import.meta.url), {
    workerData: { ref, way },
  })
  await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject))
}
process.once('message', () => process.exit(7))
process.send?.({ type: 'begun' })
