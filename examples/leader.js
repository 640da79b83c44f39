// Three cluster workers wait for the lead. The leader runs the schedule; when it is killed, the next one continues it.
import cluster from 'node:cluster'
import { once } from 'node:events'
import { setInterval } from 'node:timers/promises'
import { lead, lockInfo } from 'process-rwlock/leader'

const SCHEDULER = 'my-app/scheduler'

/** Runs `job` every `ms` milliseconds, in one of the processes that call this. */
async function schedule(ms, job, signal) {
  await lead(
    SCHEDULER,
    async (leading) => {
      for await (const _ of setInterval(ms, undefined, { signal: leading })) await job()
    },
    { signal, label: 'scheduler' },
  )
}

if (cluster.isPrimary) {
  const workers = Array.from({ length: 3 }, () => cluster.fork())
  const [first] = await once(cluster, 'message') // it has run the job
  console.log(lockInfo(SCHEDULER)?.pid === first.process.pid) // true
  first.process.kill('SIGKILL')
  const others = workers.filter((worker) => worker !== first)
  const next = await Promise.race(others.map((worker) => once(worker, 'message').then(() => worker)))
  console.log(lockInfo(SCHEDULER)?.pid === next.process.pid) // true
  for (const worker of others) worker.send('stop')
  await Promise.all(others.map((worker) => once(worker, 'exit')))
  console.log(lockInfo(SCHEDULER)) // null
} else {
  const stopping = new AbortController()
  process.once('message', () => stopping.abort())
  const job = async () => {
    process.send?.('ran')
  }
  await schedule(20, job, stopping.signal).catch((error) => {
    if (error.name !== 'AbortError') throw error
  })
  process.disconnect()
}
