// A process with a thousand waits on locks that another process holds: what do they cost the rest
// of the process? UV_THREADPOOL_SIZE is 1: a single blocked job would stop its file system.
import { readdirSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { RWLock } from 'process-rwlock'
import { median } from '../../../scripts/lib/statistics.js'

const ROUNDS = 6
/** The number of waits on each lock. */
const WAITS = 10
const locks = process.argv.slice(2).map((name) => new RWLock(name))
const threads = () => readdirSync('/proc/self/task').length

/** Begins waits on each lock, of every kind, with and without a timeout. */
function pend(signal) {
  return locks.flatMap((lock) =>
    Array.from({ length: WAITS }, (_, n) => {
      const options = n % 2 ? { signal } : { signal, timeout: 600_000 }
      return n % 3 === 0 ? lock.acquireRead(options) : lock.acquireWrite(options)
    }),
  )
}

/** The time to read a file, in ms. */
async function readingTime() {
  const file = fileURLToPath(import.meta.url)
  const times = []
  const end = performance.now() + 100
  while (performance.now() < end) {
    const began = performance.now()
    await readFile(file)
    times.push(performance.now() - began)
  }
  return median(times)
}

/** The 99th percentile of the delay of 1 ms timers, in ms. */
async function lateness() {
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  await setTimeout(250)
  delay.disable()
  return delay.percentile(99) / 1e6
}

/** @type {Record<string, Record<string, number[]>>} */
const measured = { reading: { without: [], pending: [] }, lateness: { without: [], pending: [] } }
await readingTime()
const before = threads()
for (let round = 0; round < ROUNDS; round++) {
  measured.reading.without.push(await readingTime())
  measured.lateness.without.push(await lateness())
  const end = new AbortController()
  const waits = pend(end.signal)
  measured.reading.pending.push(await readingTime())
  measured.lateness.pending.push(await lateness())
  end.abort()
  await Promise.allSettled(waits)
}

/** The share of a processor that this process uses while idle, for each second. */
async function idling(seconds) {
  const shares = []
  for (let second = 0; second < seconds; second++) {
    const [cpu, began] = [process.cpuUsage(), performance.now()]
    await setTimeout(1000)
    const { user, system } = process.cpuUsage(cpu)
    shares.push((user + system) / 1000 / (performance.now() - began))
  }
  return shares
}

globalThis.gc?.()
/** @type {Record<string, number[]>} */
const idle = { without: await idling(2), pending: [] }
const waits = pend()
await setTimeout(100)
const during = threads()
globalThis.gc?.()
idle.pending = await idling(5)
process.send?.({ type: 'measured', ...measured, idle, before, during })

// Tokens belong to their lock: two locks may give the same token.
const tokens = locks.map(() => new Set())
waits.forEach((wait, n) => {
  wait.then((guard) => {
    if (guard.mode === 'write') tokens[Math.floor(n / WAITS)]?.add(guard.token)
    guard.release()
  })
})
await Promise.all(waits)
process.send?.({ type: 'granted', writes: tokens.reduce((sum, { size }) => sum + size, 0) })
const end = performance.now() + 10_000
while (threads() > before && performance.now() < end) await setTimeout(20)
process.send?.({ type: 'quiet', after: threads() })
