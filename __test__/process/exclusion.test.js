// Exclusion: a writer holds the lock alone, among processes, threads and tasks.
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  openLock,
  spawnChild,
  spawnNode,
  tempDir,
  test,
  timeoutFactor,
  uniqueName,
  waitFor,
} from '../helpers/index.js'
import { random, SEED } from '../helpers/random.js'
import { SharedRecord } from '../helpers/shared-record.js'

test('6 processes that take the lock at random lose no write and tear none', async (t) => {
  const { writes, record, reports, violations } = await chaos(t, {
    ref: uniqueName(t),
    processes: 6,
    ms: 4000,
  })
  t.deepEqual(violations, [], seed)
  t.is(record.value, writes, `writes were lost; ${seed}`)
  record.check()
  t.deepEqual(record.violations, [], seed)
  t.deepEqual(record.inside, { read: 0, upgradable: 0, write: 0 }, seed)

  const done = total(reports)
  t.true(Math.max(...reports.map((report) => report.overlap)) >= 2, `readers never overlapped; ${seed}`)
  for (const report of reports) t.true(report.writes > 0, `actor ${report.actor} never wrote; ${seed}`)
  for (const way of [
    ...[
      'readWith',
      'acquireRead',
      'tryRead',
      'readSync',
      'writeWith',
      'acquireWrite',
      'tryWrite',
      'writeSync',
    ],
    ...['upgradable', 'downgradeToRead', 'downgradeToUpgradable', 'upgradeFromRead'],
    ...['writeWith: ERR_LOCK_TIMEOUT', 'readWith: ERR_LOCK_TIMEOUT', 'upgrade: ERR_LOCK_TIMEOUT'],
  ]) {
    t.true(done[way] > 0, `"${way}" never came to pass; ${seed}`)
  }
})

test('6 processes that share the lock by a file lose no write and tear none', async (t) => {
  const ref = { path: join(tempDir(t), 'lock') }
  const { writes, record, violations } = await chaos(t, { ref, processes: 6, ms: 1500 })
  t.deepEqual(violations, [], seed)
  t.is(record.value, writes, `writes were lost; ${seed}`)
})

test('processes and worker threads together lose no write and tear none', async (t) => {
  const options = { ref: uniqueName(t), processes: 3, threads: 2, ms: 2000 }
  const { writes, record, reports, violations } = await chaos(t, options)
  t.deepEqual(violations, [], seed)
  t.is(reports.length, 9)
  t.is(record.value, writes, `writes were lost; ${seed}`)
  t.true(Math.max(...reports.map((report) => report.overlap)) >= 2, `readers never overlapped; ${seed}`)
})

test('many tasks in each thread of each process lose no write and tear none', async (t) => {
  const options = { ref: uniqueName(t), processes: 4, threads: 1, tasks: 8, ms: 2000 }
  const { writes, record, violations } = await chaos(t, options)
  t.deepEqual(violations, [], seed)
  t.is(record.value, writes, `writes were lost; ${seed}`)
})

test('processes that are stopped again and again, at any instruction, lose no write and tear none', async (t) => {
  const dice = random(SEED)
  const disturb = async (children) => {
    const child = dice.pick(children)
    child.stop()
    await sleep(dice.below(30))
    child.resume()
  }
  const options = { ref: uniqueName(t), processes: 6, ms: 3000, disturb }
  const { writes, record, violations } = await chaos(t, options)
  t.deepEqual(violations, [], seed)
  t.is(record.value, writes, `writes were lost; ${seed}`)
})

test('the shared record shows missing exclusion: each process has a different lock', async (t) => {
  const { writes, record, violations } = await chaos(t, { processes: 6, ms: 500 })
  t.true(violations.some((violation) => violation.includes('a writer met')))
  t.true(violations.some((violation) => violation.includes('should be')))
  t.true(record.value < writes)
})

test('20 processes read at the same time', async (t) => {
  const lock = openLock(t)
  const children = await Promise.all(Array.from({ length: 20 }, () => spawnChild(t)))
  for (const child of children) await child.ask('hold', { ref: lock.toJSON(), mode: 'read' })
  const { holders } = lock.inspect()
  t.deepEqual(pids(holders), pids(children))
  t.true(holders.every(({ mode }) => mode === 'read'))
  t.is(lock.tryWrite(), null)
})

test('20 writers write one after the other, and readers see the last write', async (t) => {
  const lock = openLock(t)
  const page = join(tempDir(t), 'page')
  const record = new SharedRecord(page)
  const writers = Array.from({ length: 20 }, (_, index) =>
    spawnNode(t, new URL('./programs/writes-record.js', import.meta.url), [
      JSON.stringify({ ref: lock, page, actor: index, times: 5 }),
    ]),
  )
  await Promise.all(writers.map((writer) => writer.next('ready')))
  record.go()
  const reports = await Promise.all(writers.map((writer) => writer.next('report')))
  t.deepEqual(
    reports.flatMap(({ violations }) => violations),
    [],
  )
  // Each writer saw a different value, and together they saw all: none overwrote a value that it
  // had not seen.
  const written = reports.flatMap(({ values }) => values).sort((a, b) => a - b)
  t.deepEqual(
    written,
    Array.from({ length: 100 }, (_, index) => index + 1),
  )
  t.is(await lock.read(() => record.check()), 100)
  const readers = await Promise.all(Array.from({ length: 3 }, () => spawnReader(t, lock, page)))
  t.deepEqual(readers, [100, 100, 100])
  await waitFor(() => lock.inspect().waiters.length === 0 && lock.inspect().holders.length === 0)
})

const seed = `SEED=${SEED} brings it back`

/**
 * Runs actors (`random-actor.js`) with one lock, or with a lock each.
 *
 * @param {import('ava').ExecutionContext<any>} t
 * @param {{ ref?: any, processes: number, threads?: number, tasks?: number, ms: number,
 *   disturb?: (children: ReturnType<typeof spawnNode>[]) => Promise<unknown> }} options
 */
async function chaos(t, { ref, processes, threads = 0, tasks = 1, ms, disturb = () => sleep(10) }) {
  const page = join(tempDir(t), 'page')
  const record = new SharedRecord(page)
  const children = Array.from({ length: processes }, (_, index) => {
    const actor = index * (threads + 1)
    const job = { ref: ref ?? uniqueName(t), page, actor, seed: SEED, tasks, threads }
    return spawnNode(t, new URL('./programs/random-actor.js', import.meta.url), [JSON.stringify(job)])
  })
  await Promise.all(children.map((child) => child.next('ready')))
  record.go()
  const end = performance.now() + ms * timeoutFactor
  while (performance.now() < end) await disturb(children)
  record.stop()
  const messages = await Promise.all(children.map((child) => child.next('report')))
  const reports = messages.flatMap((message) => message.reports)
  return {
    record,
    reports,
    violations: reports.flatMap((report) => report.violations),
    writes: reports.reduce((sum, report) => sum + report.writes, 0),
  }
}

/** @param {Array<{ counts: Record<string, number> }>} reports */
function total(reports) {
  /** @type {Record<string, number>} */
  const sum = {}
  for (const { counts } of reports) {
    for (const [what, count] of Object.entries(counts)) sum[what] = (sum[what] ?? 0) + count
  }
  return sum
}

function pids(parties) {
  return parties.map(({ pid }) => pid).sort((a, b) => a - b)
}

async function spawnReader(t, lock, page) {
  const reader = spawnNode(t, new URL('./programs/writes-record.js', import.meta.url), [
    JSON.stringify({ ref: lock, page, actor: 30, times: 0 }),
  ])
  await reader.next('ready')
  return (await reader.next('report')).seen
}
