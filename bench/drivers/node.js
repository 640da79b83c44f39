// A process that uses one lock as the benchmark tells it to:  node node.js <system> <path>
//
// One command a line on its standard input, one answer a line on its standard output, both JSON; see protocol.md.
import { createInterface } from 'node:readline'
import { setTimeout } from 'node:timers/promises'
import { shared } from './locks.js'
import { pipe } from './pipe.js'

/** Each pair or mix looks at the clock only after so many ns. */
const BATCH = 100_000
/** The last bit of waiting for a moment is spent awake. */
const SPIN = 200_000

// As process.hrtime.bigint(), the clock of all processes, but without an allocation.
// The most of many, since whatever comes between the two readings makes it less.
const offsets = Array.from({ length: 1000 }, () => Number(process.hrtime.bigint()) - performance.now() * 1e6)
const offset = Math.max(...offsets)
const now = () => performance.now() * 1e6 + offset

function spin(/** @type {number} */ ns) {
  for (const end = now() + ns; now() < end; );
}

async function until(/** @type {number} */ time) {
  await setTimeout(Math.max(0, (time - SPIN - now()) / 1e6))
  while (now() < time);
}

/** Waits by what they took: eight buckets to an octave. */
class Histogram {
  /** @type {Map<number, number>} */
  #buckets = new Map()
  #max = 0

  add(/** @type {number} */ ns) {
    const index = Math.floor(8 * Math.log2(ns + 1))
    this.#buckets.set(index, (this.#buckets.get(index) ?? 0) + 1)
    if (ns > this.#max) this.#max = ns
  }

  toJSON() {
    return { buckets: [...this.#buckets], max: this.#max }
  }
}

/** What the commands do, with `lock`. */
function commandsOf(/** @type {import('./locks.js').Lock} */ lock) {
  /** @type {((value?: unknown) => void) | undefined} */
  let letGo
  /** @type {unknown[]} */
  const ballast = []
  return {
    async pair({ mode, ns, at }) {
      const pair = lock.sync?.[mode]
      const guarded = lock[mode]
      const empty = () => {}
      if (at) await until(at)
      const start = now()
      let pairs = 0
      for (let batch = 1, elapsed = 0; elapsed < ns; ) {
        if (pair) for (let i = 0; i < batch; i++) pair()
        else for (let i = 0; i < batch; i++) await guarded(empty)
        pairs += batch
        const took = now() - start - elapsed
        elapsed += took
        if (took < BATCH) batch *= 2
      }
      return { pairs, ns: now() - start }
    },

    async mix({ readShare, body, ns, at }) {
      const waits = { read: new Histogram(), write: new Histogram() }
      const done = { read: 0, write: 0 }
      await until(at)
      const end = at + ns
      while (now() < end) {
        const mode = Math.random() < readShare ? 'read' : 'write'
        const asked = now()
        await lock[mode](() => {
          waits[mode].add(now() - asked)
          if (body) spin(body)
        })
        done[mode]++
      }
      return { reads: done.read, writes: done.write, ns: now() - at, waits }
    },

    async handoff({ times, hold, pause }) {
      const holds = []
      for (let i = 0; i < times; i++) {
        const asked = now()
        let start = 0
        let released = 0
        await lock.write(() => {
          start = now()
          spin(hold)
          released = now()
        })
        holds.push([asked, start, released])
        await setTimeout(pause / 1e6) // by then the other one has it
      }
      return { holds }
    },

    /** Of its own lock, or of another one as well. */
    async hold({ mode, path: other = path }) {
      const held = other === path ? lock : await shared[system](other)
      return new Promise((resolve, reject) => {
        held[mode](() => {
          resolve({ start: now() })
          return new Promise((release) => {
            letGo = release
          })
        }).catch(reject)
      })
    },

    release() {
      letGo?.()
      return { released: now() }
    },

    async acquire({ mode }) {
      let start = 0
      await lock[mode](() => {
        start = now()
      })
      return { start }
    },

    grow({ mb }) {
      ballast.push(Buffer.alloc(mb * 2 ** 20, 1))
      return { grown: mb }
    },

    ping: () => ({ now: now() }),
  }
}

const [system, path] = process.argv.slice(2)
const answer = (/** @type {object} */ value) => process.stdout.write(`${JSON.stringify(value)}\n`)

const lock = system === 'pipe' ? { version: process.version } : await shared[system](path)
const commands = system === 'pipe' ? pipe(path, { now, spin }) : commandsOf(/** @type {any} */ (lock))
answer({ ready: true, system, version: lock.version })

createInterface({ input: process.stdin })
  .on('line', async (line) => {
    const { do: name, ...options } = JSON.parse(line)
    try {
      answer(await commands[name](options))
    } catch (error) {
      answer({ error: error instanceof Error ? error.message : String(error) })
    }
  })
  .on('close', () => process.exit())
