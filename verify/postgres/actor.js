// One process of the stress test over PostgreSQL: its tasks acquire locks at random, and write what happens to a log.
//   node actor.js '{ "url", "locks", "ms", "tasks", "log", "options", "witness", "limit" }'
// url: of the server; options: of PostgresLocks; witness: the name of locks in shared memory, which must always be free for
// the holder of the same lock in PostgreSQL; limit: the most readers of both. Not where sessions end: there a holder is told late.
import { openSync, readFileSync, writeSync } from 'node:fs'
import { RWLock } from 'process-rwlock'
import { PostgresLocks } from 'process-rwlock/postgres'
import { now as clock, EXCLUDES } from './history.js'

const { url, locks: count, ms, tasks, log, options, witness, limit } = JSON.parse(process.argv[2] ?? '{}')
const file = openSync(log, 'a')
const locks = new PostgresLocks({ connectionString: url, ...options })
const opened = Array.from({ length: count }, (_, number) =>
  locks.open(`stress/${number}`, { maxReaders: limit }),
)
const witnesses = opened.map((_, number) =>
  witness === undefined ? undefined : new RWLock(`${witness}/${number}`, { maxReaders: limit }),
)
const end = Date.now() + ms
let lastHold = 0

/** Survives SIGKILL, because the kernel has it. @param {object} event */
function write(event) {
  const text = JSON.stringify(event, (_, value) => (typeof value === 'bigint' ? String(value) : value))
  writeSync(file, `${text}\n`)
}

const random = (/** @type {number} */ below) => Math.floor(Math.random() * below)
const pause = (/** @type {number} */ below) =>
  new Promise((resolve) => setTimeout(resolve, Math.random() * below))

/**
 * A hold in the log, from when it is known to when it is given back: within what it really is.
 *
 * @param {number} lock
 * @param {import('process-rwlock').AsyncGuard} guard
 */
function begin(lock, guard) {
  const hold = `${process.pid}/${++lastHold}`
  write({ event: 'held', hold, pid: process.pid, lock, ...state(guard), at: clock() })
  guard.signal.addEventListener('abort', () => write({ event: 'lost', hold, at: clock() }), { once: true })
  return hold
}

/**
 * The witness of a hold. A process that was killed may have it for a moment longer than its sessions.
 *
 * @param {number} lock
 * @param {import('process-rwlock').AsyncGuard} guard
 */
function testify(lock, { mode }) {
  const it = witnesses[lock]
  if (!it) return undefined
  const got = mode === 'read' ? it.tryRead() : mode === 'write' ? it.tryWrite() : it.tryUpgradable()
  if (got) return got
  const { holders } = it.inspect()
  const others = holders.filter((other) => EXCLUDES[mode]?.includes(other.mode))
  const readers = mode === 'read' ? holders.filter((other) => other.mode === 'read') : []
  setTimeout(() => {
    const left = others.filter(({ pid }) => isAlive(pid))
    const reads = readers.filter(({ pid }) => isAlive(pid))
    if (reads.reduce((sum, { count }) => sum + count, 0) >= limit) left.push(...reads)
    if (left.length > 0)
      write({ event: 'failed', code: 'witness', message: `${mode} beside ${JSON.stringify(left)}` })
  }, DEATH)
  return undefined
}

/** How long a killed process needs to be gone, at most. */
const DEATH = 1000

/** @param {number} pid */
function isAlive(pid) {
  try {
    return !/^State:\t[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

/** @param {import('process-rwlock').AsyncGuard} guard */
function state(guard) {
  const { mode, token, ownerDied } = guard
  return { mode, token, ownerDied }
}

/**
 * @param {string} hold
 * @param {import('process-rwlock').AsyncGuard} guard
 * @param {() => Promise<unknown>} change
 * @param {string} lowest the mode that it has for certain meanwhile
 */
async function change(hold, guard, change, lowest) {
  write({ event: 'changing', hold, mode: lowest, at: clock() })
  try {
    await change()
  } finally {
    write({ event: 'changed', hold, ...state(guard), at: clock() })
  }
}

async function once() {
  const lock = random(count)
  const it = opened[lock]
  const wait = random(3) === 0 ? { timeout: random(30) } : {}
  const signal = random(4) === 0 ? { signal: AbortSignal.timeout(random(20)) } : {}
  const kind = random(10)
  const now = random(4) === 0
  /** @type {import('process-rwlock').AsyncGuard | null} */
  let guard
  if (kind < 5) guard = now ? await it.tryRead() : await it.acquireRead({ ...wait, ...signal })
  else if (kind < 8) guard = now ? await it.tryWrite() : await it.acquireWrite({ ...wait, ...signal })
  else guard = now ? await it.tryUpgradable() : await it.acquireUpgradable({ ...wait, ...signal })
  if (!guard) return 'refused'
  const hold = begin(lock, guard)
  const asked = guard.mode
  let seen = testify(lock, guard)
  await pause(4)
  try {
    if (guard.mode === 'upgradable' && random(2)) {
      const held = guard
      seen?.release()
      seen = undefined
      await change(hold, guard, () => held.upgrade(random(2) ? { timeout: random(20) } : {}), 'upgradable')
      seen = testify(lock, guard)
      await pause(3)
    }
    if (guard.mode === 'write' && random(4) === 0) {
      const held = guard
      const to = random(2) ? 'read' : 'upgradable'
      seen?.release()
      seen = undefined
      await change(hold, guard, async () => held.downgrade(to), to)
      seen = testify(lock, guard)
      await pause(3)
    }
  } finally {
    seen?.release()
    write({ event: 'released', hold, at: clock() })
    const released = guard.release()
    if (random(2)) await released
  }
  return asked
}

const counts = /** @type {Record<string, number>} */ ({})

async function task() {
  while (Date.now() < end) {
    let outcome
    try {
      outcome = await once()
    } catch (error) {
      outcome = error.name === 'TimeoutError' ? error.name : error.code
      if (!['ERR_LOCK_TIMEOUT', 'TimeoutError'].includes(outcome)) {
        write({ event: 'failed', code: outcome, message: error.message, at: clock() })
        await pause(20)
      }
    }
    counts[outcome] = (counts[outcome] ?? 0) + 1
  }
}

// Before it has connected, a short timeout is ERR_LOCK_UNAVAILABLE.
await locks.list().catch(() => {})
await Promise.all(Array.from({ length: tasks }, task))
await locks.close()
await Promise.all(witnesses.map((each) => each?.close()))
process.send?.(counts)
process.disconnect?.()
