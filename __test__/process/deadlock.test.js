// Threads that wait for each other's locks are found and named; threads that only wait are not.
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  openLock,
  spawnChild,
  spawnNode,
  spawnThread,
  tempDir,
  test,
  timeoutFactor,
  uniqueName,
  waitFor,
} from '../helpers/index.js'
import { queued } from '../helpers/observe.js'

/** How soon a deadlock is found, in ms. */
const LIMIT = 2000
/** After which time nothing more is expected to be found, in ms. */
const PATIENCE = 2500

/**
 * Opens the locks in each process or thread, lets it hold the first of them, and then wait for the
 * second.
 *
 * @param {import('ava').ExecutionContext<any>} t
 * @param {any[]} parties
 * @param {{ refs: any[], hold?: string, want?: string, label?: string }[]} plans
 */
async function entangle(t, parties, plans) {
  for (const [index, party] of parties.entries()) {
    const { refs, hold = 'Write', label = `party ${index}` } = plans[index]
    for (const ref of refs) await party.ask('open', { ref, options: { label } })
    await party.ask(`acquire${hold}`, { lock: 0 })
  }
  for (const [index, party] of parties.entries()) {
    const { refs, want = 'Write' } = plans[index]
    party.tell(`acquire${want}`, { lock: 1 })
    await queued(openLock(t, refs[1]), party)
  }
  return Date.now()
}

/** The warnings of the parties. @param {any[]} parties */
async function warningsOf(parties) {
  return (await Promise.all(parties.map((party) => party.ask('warnings')))).flat()
}

/**
 * Waits for the first warning.
 *
 * @param {import('ava').ExecutionContext<any>} t
 * @param {any[]} parties
 * @param {number} since `Date.now()` when the last one began to wait
 */
async function found(t, parties, since) {
  const first = await waitFor(async () => {
    const all = await warningsOf(parties)
    return all.sort((a, b) => a.time - b.time)[0]
  })
  t.is(first.code, 'RWLOCK_DEADLOCK')
  const ms = first.time - since
  t.true(ms < LIMIT * timeoutFactor, `found after ${ms} ms`)
  t.log(`found after ${ms} ms`)
  return first.message
}

const text = ({ pid, threadId = 0 }, label) =>
  `pid ${pid}${threadId === 0 ? '' : `, thread ${threadId}`} ('${label}')`

test('two processes that wait for each other are found and named', async (t) => {
  const [a, b] = [uniqueName(t), uniqueName(t)]
  const parties = await Promise.all([spawnChild(t), spawnChild(t)])
  const since = await entangle(t, parties, [{ refs: [a, b] }, { refs: [b, a], hold: 'Read' }])
  const message = await found(t, parties, since)
  const one = `${text(parties[0], 'party 0')} waits for lock '${b}' for write, which is held for read by ${text(parties[1], 'party 1')}`
  const two = `${text(parties[1], 'party 1')} waits for lock '${a}' for write, which is held for write by ${text(parties[0], 'party 0')}`
  t.true(
    message.startsWith(`deadlock of 2 requests: ${one}; ${two}. `) ||
      message.startsWith(`deadlock of 2 requests: ${two}; ${one}. `),
    message,
  )
  t.regex(message, /lockAll\(\)/)
  // Both are told, each once, and the channel has it.
  await waitFor(async () => (await warningsOf(parties)).length === 2)
  for (const [index, party] of parties.entries()) {
    const [deadlock, ...more] = await party.ask('deadlocks')
    t.deepEqual(more, [])
    t.like(deadlock, { name: [b, a][index], path: undefined, mode: 'write' })
    t.like(deadlock.waits, [
      {
        name: [b, a][index],
        queued: false,
        waiter: { pid: party.pid, threadId: 0, label: `party ${index}` },
      },
      { name: [a, b][index], queued: false, blockedBy: { pid: party.pid, threadId: 0 } },
    ])
    t.true(deadlock.waitedMs >= 400 && deadlock.waits[0].blockedBy.ms >= 400)
  }
})

test('three processes that wait in a circle are found, though none has all locks open', async (t) => {
  const [a, b, c] = [uniqueName(t), uniqueName(t), uniqueName(t)]
  const parties = await Promise.all([spawnChild(t), spawnChild(t), spawnChild(t)])
  const since = await entangle(t, parties, [{ refs: [a, b] }, { refs: [b, c] }, { refs: [c, a] }])
  const message = await found(t, parties, since)
  t.true(message.startsWith('deadlock of 3 requests: '), message)
  for (const part of [a, b, c, ...parties.map(({ pid }) => `pid ${pid} (`)]) t.true(message.includes(part))
})

test('two threads of one process that wait for each other are found and named', async (t) => {
  const [a, b] = [uniqueName(t), uniqueName(t)]
  const parties = await Promise.all([spawnThread(t), spawnThread(t)])
  const since = await entangle(t, parties, [{ refs: [a, b] }, { refs: [b, a] }])
  const message = await found(t, parties, since)
  for (const [index, party] of parties.entries())
    t.true(message.includes(text(party, `party ${index}`)), message)
})

test('locks by path are found by the processes that have them open', async (t) => {
  const directory = tempDir(t)
  const [a, b] = ['a', 'b'].map((name) => ({ path: join(directory, name) }))
  const parties = await Promise.all([spawnChild(t), spawnChild(t)])
  const since = await entangle(t, parties, [{ refs: [a, b] }, { refs: [b, a] }])
  const message = await found(t, parties, since)
  t.true(message.includes(`waits for lock ${a.path} for write`), message)
  t.true(message.includes(`waits for lock ${b.path} for write`), message)
})

test('a reader that waits only for its turn is part of a circle', async (t) => {
  const [a, b] = [uniqueName(t), uniqueName(t)]
  const [reader, writer, other] = await Promise.all([spawnChild(t), spawnChild(t), spawnChild(t)])
  // `reader` holds a and waits for b, which `other` holds; `other` waits for a behind `writer`.
  for (const [party, refs] of /** @type {const} */ ([
    [reader, [a, b]],
    [writer, [a]],
    [other, [b, a]],
  ])) {
    for (const ref of refs) await party.ask('open', { ref })
  }
  await reader.ask('acquireRead', { lock: 0 })
  await other.ask('acquireWrite', { lock: 0 })
  writer.tell('acquireWrite', { lock: 0 })
  await queued(openLock(t, a), writer)
  reader.tell('acquireWrite', { lock: 1 })
  await queued(openLock(t, b), reader)
  other.tell('acquireRead', { lock: 1 })
  await queued(openLock(t, a), other)
  const message = await found(t, [reader, writer, other], Date.now())
  t.true(message.startsWith('deadlock of 3 requests: '), message)
  t.true(
    message.includes(`for read, and is queued behind the request for write of pid ${writer.pid}`),
    message,
  )
})

test('a deadlock that a timeout ends is reported, and both go on', async (t) => {
  const [a, b] = [uniqueName(t), uniqueName(t)]
  const parties = await Promise.all([spawnChild(t), spawnChild(t)])
  for (const [party, refs] of /** @type {const} */ ([
    [parties[0], [a, b]],
    [parties[1], [b, a]],
  ])) {
    for (const ref of refs) await party.ask('open', { ref })
    await party.ask('acquireWrite', { lock: 0 })
  }
  const gives = parties[0].ask('acquireWrite', { lock: 1, options: { timeout: 2500 * timeoutFactor } })
  const waits = parties[1].ask('acquireWrite', { lock: 1 })
  await t.throwsAsync(gives, { code: 'ERR_LOCK_TIMEOUT' })
  await parties[0].ask('release')
  t.is((await waits).mode, 'write')
  t.deepEqual(
    (await warningsOf(parties)).map(({ code }) => code),
    ['RWLOCK_DEADLOCK', 'RWLOCK_DEADLOCK'],
  )
})

// ---- no deadlocks

test('a process that holds what others want, and waits for one that waits for nothing, is not reported', async (t) => {
  const [a, b, c] = [uniqueName(t), uniqueName(t), uniqueName(t)]
  const parties = await Promise.all([spawnChild(t), spawnChild(t), spawnChild(t)])
  await parties[2].ask('hold', { ref: c, mode: 'write' })
  await entangle(t, parties.slice(0, 2), [{ refs: [a, b] }, { refs: [b, c] }])
  await sleep(PATIENCE)
  t.deepEqual(await warningsOf(parties), [])
})

test('processes that read a lock and wait to write it are not reported: each waits for itself', async (t) => {
  const a = uniqueName(t)
  const parties = await Promise.all([spawnChild(t), spawnChild(t)])
  await entangle(t, parties, [
    { refs: [a, a], hold: 'Read' },
    { refs: [a, a], hold: 'Read' },
  ])
  await sleep(PATIENCE)
  t.deepEqual(await warningsOf(parties), [])
})

test('a process whose hold began after its wait is not reported: other work of it holds', async (t) => {
  const [a, b] = [uniqueName(t), uniqueName(t)]
  const [one, other] = await Promise.all([spawnChild(t), spawnChild(t)])
  for (const party of [one, other]) for (const ref of [a, b]) await party.ask('open', { ref })
  await other.ask('acquireWrite', { lock: 1 })
  one.tell('acquireWrite', { lock: 1 })
  await queued(openLock(t, b), one)
  await sleep(50) // the clock of holds is coarse
  await one.ask('acquireWrite', { lock: 0 })
  other.tell('acquireWrite', { lock: 0 })
  await queued(openLock(t, a), other)
  await sleep(PATIENCE)
  t.deepEqual(await warningsOf([one, other]), [])
})

test('processes that take several locks in one order, at random, are never reported', async (t) => {
  t.timeout(60_000 * timeoutFactor)
  const refs = Array.from({ length: 4 }, () => uniqueName(t))
  const program = new URL('./programs/takes-in-order.js', import.meta.url)
  const children = Array.from({ length: 5 }, (_, index) =>
    spawnNode(t, program, [JSON.stringify({ refs, seed: index + 1, hold: 1200 })]),
  )
  await sleep(15_000)
  for (const child of children) child.send('stop')
  for (const child of children) {
    const { rounds, warnings } = await child.next('stopped', { bound: 40_000 })
    t.true(rounds > 0)
    t.deepEqual(warnings, [])
  }
})

// ---- a thread that waits for itself

test('a request that waits for 10 s behind a hold of its own thread is reported once', async (t) => {
  t.timeout(60_000 * timeoutFactor)
  const [name, other] = [uniqueName(t), uniqueName(t)]
  const child = await spawnChild(t)
  const owner = await spawnChild(t)
  const blocked = await spawnChild(t)
  await child.ask('open', { ref: name, options: { label: 'the cache' } })
  await child.ask('acquireRead', {})
  child.tell('acquireWrite', {})
  child.tell('acquireWrite', {})
  await owner.ask('hold', { ref: other, mode: 'write' })
  await blocked.ask('open', { ref: other })
  blocked.tell('acquireWrite', {}) // waits as long, but for another process
  const start = Date.now()
  const warning = await waitFor(
    async () => {
      const warnings = await child.ask('warnings')
      return warnings[0]
    },
    { bound: 20_000, every: 50 },
  )
  t.is(warning.code, 'RWLOCK_LONG_WAIT')
  t.true(
    warning.message.startsWith(
      `a request for write of lock '${name}' has waited for more than 10 s for this same thread`,
    ),
  )
  t.regex(warning.message, /held the lock for read \('the cache'\) for 1\d s/)
  t.true(warning.time - start >= 9900, `${warning.time - start} ms`)
  await sleep(1000)
  t.is((await warningsOf([child])).length, 1)
  t.deepEqual(await warningsOf([owner, blocked]), [])
})
