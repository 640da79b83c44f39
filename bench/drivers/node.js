// node node.js <system> <path>: a process that uses one lock as the commands of the benchmark say.
//
// Commands arrive on standard input, answers leave on standard output, one line of JSON each; see
// protocol.md.
import { readFileSync, writeFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { setImmediate, setTimeout } from 'node:timers/promises'
import { shared } from './locks.js'
import { pipe } from './pipe.js'

/**
 * A batch of pairs grows until it takes this long, in ns, so that reading the clock costs nothing
 * in comparison.
 */
const BATCH = 100_000
/** The end of a wait for a moment, in ns, spins, because a timer may be late. */
const SPIN = 200_000
/** Operations without a turn of the event loop. */
const OPERATIONS = 64

// The clock of process.hrtime.bigint(), which all processes share, but without an allocation. The
// offset is the greatest of many, because an interruption between the two readings makes it
// smaller.
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

/** A histogram of waits, with eight buckets for each doubling. */
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

/** The commands of protocol.md, for `lock`. */
function commandsOf(/** @type {import('./locks.js').Lock} */ lock) {
  /** @type {((value?: unknown) => void) | undefined} */
  let letGo
  /** @type {(() => Promise<number[][]>) | undefined} */
  let endKeeping
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

    async mix({ readShare, body, ns, at, tasks = 1 }) {
      const waits = { read: new Histogram(), write: new Histogram() }
      const done = { read: 0, write: 0 }
      await until(at)
      const end = at + ns
      const work = async () => {
        while (now() < end) {
          const mode = Math.random() < readShare ? 'read' : 'write'
          const asked = now()
          await lock[mode](() => {
            waits[mode].add(now() - asked)
            if (body) spin(body)
          })
          done[mode]++
        }
      }
      await Promise.all(Array.from({ length: tasks }, work))
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
        await setTimeout(pause / 1e6) // meanwhile the other process acquires it
      }
      return { holds }
    },

    async keep() {
      const { acquire } = /** @type {Required<import('./locks.js').Lock>} */ (lock)
      const controller = new AbortController()
      const first = await acquire()
      const keeping = (async () => {
        const kept = []
        for (let guard = first; ; guard = await acquire()) {
          const start = now()
          const wait = guard.whenContended({ signal: controller.signal })
          const isWanted = await wait.then(
            () => true,
            () => false,
          )
          const noticed = now()
          guard.release()
          if (!isWanted) return kept
          kept.push([start, noticed, now()])
        }
      })()
      endKeeping = () => {
        controller.abort()
        return keeping
      }
      return { start: now() }
    },

    async kept() {
      return { kept: await endKeeping?.() }
    },

    async operations({ cached, file, ns, at }) {
      const { acquire, write } = /** @type {Required<import('./locks.js').Lock>} */ (lock)
      let value = 0
      const load = () => {
        if (file) value = Number(readFileSync(file, 'utf8'))
      }
      const save = () => {
        if (file) writeFileSync(file, String(value))
      }
      /** @type {import('process-rwlock').Guard | undefined} */
      let guard
      const giveUp = () => {
        save()
        guard?.release()
        guard = undefined
      }
      await until(at)
      let operations = 0
      for (const end = at + ns; now() < end; operations++) {
        if (cached) {
          if (guard === undefined) {
            guard = await acquire()
            load()
          }
          value++
          if (guard.contended) giveUp()
        } else {
          await write(() => {
            load()
            value++
            save()
          })
        }
        if (operations % OPERATIONS === 0) await setImmediate()
      }
      giveUp()
      return { operations, ns: now() - at }
    },

    /** Holds its own lock, or another one. */
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
