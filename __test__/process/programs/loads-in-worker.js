// Loads the package only in a worker thread, which then ends: with it the addon may be unloaded.
// Then starts processes.
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { Worker } from 'node:worker_threads'

const opens = `
  import(${JSON.stringify(import.meta.resolve('process-rwlock'))}).then(async ({ RWLock }) => {
    using lock = new RWLock()
    await lock.write(() => {})
  })
`.replace('using lock', 'const lock')
for (let round = 0; round < 5; round++) {
  const worker = new Worker(opens, { eval: true })
  await new Promise((resolve, reject) => worker.once('exit', resolve).once('error', reject))
  await promisify(execFile)(process.execPath, ['--version'])
}
process.send?.({ type: 'done' })
process.disconnect?.()
