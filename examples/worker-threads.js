// Worker threads share a lock as processes do. Here they count in a SharedArrayBuffer, across awaits.
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { isMainThread, Worker, workerData } from 'node:worker_threads'
import { RWLock } from 'process-rwlock'

if (isMainThread) {
  const lock = new RWLock()
  const shared = new Int32Array(new SharedArrayBuffer(4))

  const workers = Array.from(
    { length: 3 },
    () => new Worker(new URL(import.meta.url), { workerData: { lock: lock.toJSON(), shared } }),
  )
  await Promise.all(workers.map((worker) => once(worker, 'exit')))
  console.log(shared[0]) // 30
} else {
  const { lock: ref, shared } = workerData
  const lock = new RWLock(ref)

  for (let i = 0; i < 10; i++) {
    await lock.write(async () => {
      const seen = shared[0]
      await sleep(1)
      shared[0] = seen + 1
    })
  }
}
