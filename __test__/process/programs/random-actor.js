// An actor that acquires one lock in random ways, and writes and reads a shared record during each
// hold. It starts and stops with the flags of the record, as a child process (with threads, if
// requested) or as a thread of one.
import { setTimeout as sleep, setImmediate as tick } from 'node:timers/promises'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { RWLock } from 'process-rwlock'
import { random } from '../../helpers/random.js'
import { SharedRecord } from '../../helpers/shared-record.js'

/**
 * @typedef Job
 * @property {any} ref
 * @property {string} page
 * @property {number} actor 0 to 30
 * @property {number} seed
 * @property {number} tasks that run side by side in one thread
 * @property {number} [threads] the number of worker threads; each is one more actor
 */

/** @typedef {{ actor: number, writes: number, overlap: number, violations: string[], counts: Record<string, number> }} Report */

/** @type {Job} */
const job = isMainThread ? JSON.parse(process.argv[2]) : workerData
const record = new SharedRecord(job.page, job.actor)
const lock = new RWLock(job.ref)
const counts = {}
let writes = 0

const threads = Array.from({ length: job.threads ?? 0 }, (_, index) => {
  const workerData = { ...job, threads: 0, actor: job.actor + index + 1 }
  const worker = new Worker(new URL(import.meta.url), { workerData })
  const next = () => new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject))
  return { ready: next(), report: async () => (await next()).reports[0] }
})
await Promise.all(threads.map((thread) => thread.ready))
const theirs = threads.map((thread) => thread.report())
tell({ type: 'ready' })
while (!record.started) await sleep(1)
await Promise.all(
  Array.from({ length: job.tasks }, (_, task) => run(random(job.seed + job.actor * 1000 + task))),
)
lock.close()
const { violations, overlap } = record
/** @type {Report} */
const mine = { actor: job.actor, writes, overlap, violations, counts }
tell({ type: 'report', reports: [mine, ...(await Promise.all(theirs))] })
if (isMainThread) process.disconnect()

/** @param {ReturnType<typeof random>} dice */
async function run(dice) {
  const ways = [
    ...[
      readWith,
      readWith,
      acquireRead,
      tryRead,
      readSync,
      writeWith,
      writeWith,
      acquireWrite,
      tryWrite,
      writeSync,
    ],
    ...[upgradable, upgradable, downgradeToRead, downgradeToUpgradable, upgradeFromRead],
  ]
  while (!record.stopped) {
    const way = dice.pick(ways)
    try {
      /** @type {unknown} */
      const done = await way(dice)
      count(done === false ? `${way.name}: not now` : way.name)
    } catch (error) {
      // Expected if another task of this thread holds the lock.
      if (error.code !== 'ERR_LOCK_TIMEOUT' && error.code !== 'ERR_LOCK_DEADLOCK') throw error
      count(`${way.name}: ${error.code}`)
    }
    await pause(dice)
  }
}

function readWith(dice) {
  return lock.read(() => reading(dice), options(dice))
}

async function acquireRead(dice) {
  const guard = await lock.acquireRead(options(dice))
  await reading(dice)
  guard.release()
}

async function tryRead(dice) {
  const guard = lock.tryRead()
  if (guard) await reading(dice)
  guard?.release()
  return guard !== null
}

function readSync(dice) {
  lock.readSync(
    () => {
      record.enter('read')
      const value = record.check()
      spin(dice)
      record.check(value)
      record.leave('read')
    },
    { timeout: dice.below(5) },
  )
}

function writeWith(dice) {
  return lock.write(() => writing(dice), options(dice))
}

async function acquireWrite(dice) {
  const guard = await lock.acquireWrite(options(dice))
  await writing(dice)
  guard.release()
}

async function tryWrite(dice) {
  const guard = lock.tryWrite()
  if (guard) await writing(dice)
  guard?.release()
  return guard !== null
}

function writeSync(dice) {
  lock.writeSync(
    () => {
      record.enter('write')
      record.writeSync(() => spin(dice))
      writes++
      record.leave('write')
    },
    { timeout: dice.below(5) },
  )
}

function upgradable(dice) {
  return lock.upgradable(async (guard) => {
    record.enter('upgradable')
    const value = record.check()
    await pause(dice)
    record.check(value)
    if (dice.chance(0.3)) return record.leave('upgradable')
    // It still shares the lock with readers until it is the writer.
    record.leave('upgradable')
    try {
      if (dice.chance(0.3)) {
        if (!guard.tryUpgrade()) return count('tryUpgrade: not now')
      } else {
        await guard.upgrade(options(dice))
      }
    } catch (error) {
      if (error.code !== 'ERR_LOCK_TIMEOUT') throw error
      count('upgrade: ERR_LOCK_TIMEOUT')
      record.enter('upgradable')
      record.check(value)
      return record.leave('upgradable')
    }
    record.check(value)
    await writing(dice)
  }, options(dice))
}

async function downgradeToRead(dice) {
  const guard = await lock.acquireWrite(options(dice))
  const value = await writing(dice)
  guard.downgrade()
  await reading(dice, value)
  guard.release()
}

async function downgradeToUpgradable(dice) {
  const guard = await lock.acquireWrite(options(dice))
  const value = await writing(dice)
  guard.downgrade('upgradable')
  record.enter('upgradable')
  record.check(value)
  await pause(dice)
  record.check(value)
  record.leave('upgradable')
  if (dice.chance(0.5)) {
    guard.downgrade()
    await reading(dice, value)
  }
  guard.release()
}

async function upgradeFromRead(dice) {
  const guard = await lock.acquireRead(options(dice))
  const value = await reading(dice)
  const upgraded = guard.tryUpgrade()
  record.check(value)
  if (upgraded) await writing(dice)
  guard.release()
  return upgraded
}

async function reading(dice, expected) {
  record.enter('read')
  const value = record.check(expected)
  await pause(dice)
  record.check(value)
  record.leave('read')
  return value
}

async function writing(dice) {
  record.enter('write')
  const value = await record.write(() => pause(dice))
  writes++
  record.leave('write')
  return value
}

function options(dice) {
  return dice.chance(0.5) ? { timeout: dice.below(6) } : undefined
}

async function pause(dice) {
  const kind = dice.below(10)
  if (kind < 3) return
  if (kind < 8) return tick()
  await sleep(1)
}

function spin(dice) {
  const end = performance.now() + dice.next() * 0.2
  while (performance.now() < end);
}

function count(what) {
  counts[what] = (counts[what] ?? 0) + 1
}

function tell(message) {
  if (isMainThread) process.send?.(message)
  else parentPort?.postMessage(message)
}
