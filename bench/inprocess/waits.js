// The cost of waiting for locks that other processes hold:
//
//   node --expose-gc waits.js '{"system":…,"paths":[…],"waits":n,"ms":duration}'
import { readFile } from 'node:fs/promises'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { median } from '../../scripts/lib/statistics.js'
import { shared } from '../drivers/locks.js'

const { system, paths, waits, ms } = JSON.parse(process.argv[2])
const file = fileURLToPath(import.meta.url)
/** Time limit for reading a small file, in ms. */
const BOUND = 1000
const READS = 50

const locks = []
for (const path of paths) locks.push(await shared[system](path))
for (let i = 0; i < 3; i++) await reading() // warm
const before = { memory: await memory(), reading: await reading(), cpu: await cpu() }
const fn = () => {}
for (let i = 0; i < waits; i++) locks[i % locks.length].write(fn)
await setTimeout(300)
const after = { memory: await memory(), cpu: await cpu(), threads: await threads(), reading: await reading() }

const result = `${JSON.stringify({
  cpu: after.cpu - before.cpu,
  threads: after.threads,
  bytesPerWait: {
    resident: (after.memory.resident - before.memory.resident) / waits,
    heap: (after.memory.heap - before.memory.heap) / waits,
  },
  // How many times as long reading a file takes; null if it does not finish.
  readingRatio: after.reading === null || before.reading === null ? null : after.reading / before.reading,
})}\n`
// process.exit() would wait for libuv's thread pool, whose threads may wait for locks.
process.stdout.write(result, () => process.kill(process.pid, 'SIGKILL'))
await new Promise(() => {})

/** The share of one core that this process uses while it only waits. */
async function cpu() {
  const start = { at: performance.now(), used: process.cpuUsage() }
  await setTimeout(ms)
  const { user, system } = process.cpuUsage(start.used)
  return (user + system) / 1000 / (performance.now() - start.at)
}

/** Bytes in use, after garbage collection. */
async function memory() {
  for (let i = 0; i < 3; i++) {
    globalThis.gc?.()
    await setTimeout(20)
  }
  const { rss, heapUsed } = process.memoryUsage()
  return { resident: rss, heap: heapUsed }
}

async function threads() {
  const status = await within(readFile('/proc/self/status', 'utf8'))
  return status === null ? null : Number(/Threads:\s*(\d+)/.exec(status)?.[1])
}

/** The median time to read a file, in ms. */
async function reading() {
  const times = []
  for (let i = 0; i < READS; i++) {
    const start = performance.now()
    if ((await within(readFile(file))) === null) return null
    times.push(performance.now() - start)
  }
  return median(times)
}

/**
 * @template T
 * @param {Promise<T>} work
 * @returns {Promise<T | null>}
 */
function within(work) {
  return Promise.race([work, setTimeout(BOUND, null)])
}
