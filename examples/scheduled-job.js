// Three cluster workers have the same timer. The job runs once for each tick. If the worker that runs it dies, another one
// runs it at once.
import cluster from 'node:cluster'
import { once } from 'node:events'
import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { RWLock } from 'process-rwlock'

const lock = new RWLock('my-app/nightly-report')

/** Runs `job` in one of the processes that call this with the same tick. */
async function oncePerTick(tick, state, job) {
  await lock.write(async () => {
    const last = Number(await readFile(state, 'utf8'))
    if (last >= tick) return // another process has run it
    await job()
    await writeFile(state, String(tick))
  })
}

if (cluster.isPrimary) {
  const directory = await mkdtemp(join(tmpdir(), 'scheduled-job-'))
  await writeFile(join(directory, 'last-tick'), '0')
  const workers = Array.from({ length: 3 }, () => cluster.fork({ DIRECTORY: directory }))
  await Promise.all(workers.map((worker) => once(worker, 'exit')))
  const log = await readFile(join(directory, 'log'), 'utf8')
  console.log(log.trim().split('\n').join()) // report 1,report 2
  await rm(directory, { recursive: true })
} else {
  const directory = process.env.DIRECTORY ?? ''
  // A scheduler calls this in every worker; its tick is a number that grows, such as the number of the day.
  for (const tick of [1, 2]) {
    await oncePerTick(tick, join(directory, 'last-tick'), () =>
      appendFile(join(directory, 'log'), `report ${tick}\n`),
    )
  }
  process.disconnect()
}
