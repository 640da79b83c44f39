// The checks in the test suites of older libraries (prwlock, fasteners, multiprocessing_utils),
// with this API.
import { Worker } from 'node:worker_threads'
import { childPool } from '../helpers/child-pool.js'
import { cleanUp } from '../helpers/cleanup.js'
import { openLock, spawnThread, test, uniqueName, waitFor } from '../helpers/index.js'
import { acquire, isFree, MODES, never, ops, tryTo } from '../helpers/modes.js'
import { queued, timed } from '../helpers/observe.js'
import { FIELDS } from './programs/meets-in-room.js'

const pooledChild = childPool()

/**
 * Runs actors that enter a room, in several threads; all begin together. Resolves with the counters
 * of the room.
 *
 * @param {import('ava').ExecutionContext<any>} t
 * @param {Array<{ readers?: number, writers?: number, chaos?: number }>} threads
 * @param {{ rounds?: number, gather?: number }} [options]
 */
async function visitRoom(t, threads, options) {
  const name = uniqueName(t)
  const lock = openLock(t, name)
  const door = await lock.acquireWrite()
  const counters = new Int32Array(new SharedArrayBuffer(32))
  const ends = threads.map((actors) =>
    sendIn(t, { ref: name, counters, readers: 0, writers: 0, rounds: 1, ...options, ...actors }),
  )
  const all = Promise.all(ends)
  const waiting = () => new Set(lock.inspect().waiters.map(({ threadId }) => threadId))
  await Promise.race([all, waitFor(() => waiting().size === threads.length)])
  door.release()
  t.deepEqual(
    await all,
    threads.map(() => 0),
  )
  t.true(isFree(lock))
  return Object.fromEntries(Object.entries(FIELDS).map(([key, index]) => [key, counters[index]]))
}

/**
 * A thread of actors (`programs/meets-in-room.js`). Resolves with its exit code.
 *
 * @param {import('ava').ExecutionContext<any>} t
 * @param {import('./programs/meets-in-room.js').Visit} visit
 */
function sendIn(t, visit) {
  const worker = new Worker(new URL('./programs/meets-in-room.js', import.meta.url), {
    workerData: { visit },
  })
  cleanUp(t, 'processes', () => worker.terminate())
  return new Promise((resolve, reject) => {
    worker.once('error', reject)
    worker.once('exit', resolve)
  })
}

// ---- prwlock

test('prwlock: a second release has no effect, not even on other holds', async (t) => {
  const name = uniqueName(t)
  const lock = openLock(t, name)
  const child = await pooledChild(t)
  const guard = await lock.acquireWrite()
  guard.release()
  await child.ask('hold', { ref: name, mode: 'write' })
  for (let round = 0; round < 5; round++) guard.release()
  t.like(lock.inspect(), { holders: [{ pid: child.pid, mode: 'write', count: 1 }] })
})

test('prwlock: writing twice by one owner is detected', async (t) => {
  const lock = openLock(t)
  const guard = await lock.acquireWrite({ label: 'once' })
  t.is(lock.tryWrite(), null)
  t.throws(() => lock.acquireWriteSync({ timeout: 5000 }), { code: 'ERR_LOCK_DEADLOCK' })
  await t.throwsAsync(lock.acquireWrite({ timeout: 20 }), { code: 'ERR_LOCK_TIMEOUT', message: /'once'/ })
  guard.release()
  t.true(isFree(lock))
})

test('prwlock: ten readers in children and a writer in the parent all finish', async (t) => {
  const name = uniqueName(t)
  const lock = openLock(t, name)
  const children = await Promise.all(Array.from({ length: 10 }, () => pooledChild(t)))
  const readers = children.map(async (child) => {
    await child.ask('hold', { ref: name, mode: 'read' })
    await child.ask('release')
    await child.ask('acquireRead')
    await child.ask('release')
  })
  let written = 0
  for (let round = 0; round < 5; round++) await lock.write(() => written++)
  await Promise.all(readers)
  t.is(written, 5)
  t.true(isFree(lock))
})

test('prwlock: while a writer holds, requests with 0.3 s time out, and afterwards they are granted', async (t) => {
  const name = uniqueName(t)
  const lock = openLock(t, name)
  const child = await pooledChild(t)
  await child.ask('open', { ref: name })
  const guard = await lock.acquireWrite()
  for (const mode of MODES) t.is(await child.ask(ops[mode].try), null)
  const waits = ['acquireRead', 'acquireWrite', 'acquireReadSync'].map((op) =>
    timed(() => child.ask(op, { options: { timeout: 300 } })),
  )
  for (const wait of waits) {
    const { error, ms } = await wait
    t.is(error?.code, 'ERR_LOCK_TIMEOUT')
    t.true(ms >= 299, `${ms} ms`)
  }
  guard.release()
  for (const op of ['acquireRead', 'acquireWrite', 'acquireReadSync', 'acquireWriteSync']) {
    await child.ask(op, { options: { timeout: 5000 } })
    await child.ask('release')
  }
  for (const mode of MODES) {
    t.is((await child.ask(ops[mode].try)).mode, mode)
    await child.ask('release')
  }
})

// ---- fasteners, threads

for (const [readers, writers] of [
  [10, 10],
  [9, 1],
  [0, 10],
  [18, 2],
]) {
  test(`fasteners: ${readers} readers and ${writers} writers in four threads never overlap in conflict`, async (t) => {
    const rounds = 15
    const threads = Array.from({ length: 4 }, () => ({ readers: 0, writers: 0 }))
    for (let i = 0; i < readers; i++) threads[i % 4].readers++
    for (let i = 0; i < writers; i++) threads[(i + 1) % 4].writers++
    const counters = await visitRoom(t, threads, { rounds })
    t.is(counters.violations, 0)
    t.is(counters.visits, (readers + writers) * rounds)
    t.true(counters.most <= readers)
  })
}

test('fasteners: an exception in a reader, a writer and a nested reader frees the lock', async (t) => {
  const lock = openLock(t)
  const fail = () => {
    throw new Error('inside')
  }
  for (const mode of MODES) await t.throwsAsync(lock[mode](fail), { message: 'inside' })
  await t.throwsAsync(
    lock.read(() => lock.read(fail)),
    { message: 'inside' },
  )
  await t.throwsAsync(
    lock.upgradable(() => lock.read(fail)),
    { message: 'inside' },
  )
  t.throws(() => lock.readSync(() => lock.readSync(fail)), { message: 'inside' })
  t.true(isFree(lock))
})

test('fasteners: holders that throw at random lose no request', async (t) => {
  const rounds = 15
  const counters = await visitRoom(
    t,
    [1, 2, 3].map((chaos) => ({ readers: 3, writers: 2, chaos: chaos * 7919 })),
    { rounds },
  )
  t.is(counters.violations, 0)
  t.is(counters.visits, 3 * 5 * rounds)
  t.true(counters.failures > 0 && counters.failures < counters.visits)
})

test('fasteners: write, read, write by downgrade and upgrade is one hold without a gap', async (t) => {
  const name = uniqueName(t)
  const lock = openLock(t, name)
  const child = await pooledChild(t)
  await child.ask('open', { ref: name })
  const guard = await lock.acquireWrite()
  const { token } = guard
  const writer = child.ask('acquireWrite')
  await queued(lock, child)
  guard.downgrade('upgradable')
  await guard.upgrade()
  t.is(guard.token, token + 1n)
  guard.release()
  t.is((await writer).token, token + 2n)
})

test('fasteners: read, write, read in sequence', async (t) => {
  const lock = openLock(t)
  const log = []
  await lock.read(({ mode }) => log.push(mode))
  await lock.write(({ mode }) => log.push(mode))
  await lock.read(({ mode }) => log.push(mode))
  t.deepEqual(log, ['read', 'write', 'read'])
})

test('fasteners: a change from read to write is an error, and keeps the read hold', async (t) => {
  const lock = openLock(t)
  await lock.read(async (guard) => {
    t.throws(() => lock.writeSync(never), { code: 'ERR_LOCK_DEADLOCK' })
    await t.throwsAsync(guard.upgrade(), { code: 'ERR_LOCK_DEADLOCK' })
    await t.throwsAsync(lock.write(never, { timeout: 20 }), { code: 'ERR_LOCK_TIMEOUT' })
    t.is(lock.tryWrite(), null)
    t.false(guard.released)
    t.is(guard.mode, 'read')
  })
  t.true(isFree(lock))
})

test('fasteners: a change from write to read and back leaves the lock free', async (t) => {
  const lock = openLock(t)
  await lock.write(async (guard) => {
    guard.downgrade('upgradable')
    await lock.read(async (inner) => {
      t.is(inner.mode, 'read')
      t.is(guard.mode, 'upgradable')
    })
    await guard.upgrade()
    t.is(guard.mode, 'write')
    guard.downgrade()
    t.is(await lock.read(({ mode }) => mode), 'read')
  })
  t.true(isFree(lock))
})

test('fasteners: nested reads are counted', async (t) => {
  const lock = openLock(t)
  const count = () => lock.inspect().holders[0]?.count ?? 0
  const counts = []
  await lock.read(async () => {
    counts.push(count())
    await lock.read(async () => {
      counts.push(count())
      lock.readSync(() => counts.push(count()))
      counts.push(count())
      t.is(lock.tryWrite(), null)
    })
    counts.push(count())
  })
  counts.push(count())
  t.deepEqual(counts, [1, 2, 3, 2, 1, 0])
})

test('fasteners: a thousand times from write to read against a writer, without a deadlock', async (t) => {
  const name = uniqueName(t)
  const lock = openLock(t, name)
  const counters = new Int32Array(new SharedArrayBuffer(32))
  // At first each waits for the other in turn; then they run freely.
  const rival = 50
  const end = sendIn(t, { ref: name, counters, readers: 0, writers: 1, rounds: Infinity, rival })
  for (let round = 0; round < 1000; round++) {
    const guard = await lock.acquireWrite()
    if (round < rival) {
      await Promise.race([end, waitFor(() => lock.inspect().waiters.length === 1, { every: 0 })])
    }
    guard.downgrade()
    guard.release()
    await lock.read(() => {})
  }
  counters[FIELDS.closing] = 1
  t.is(await end, 0)
  t.true(counters[FIELDS.visits] > 0)
  t.is(counters[FIELDS.violations], 0)
  t.true(isFree(lock))
})

// ---- fasteners, processes

test('fasteners: tries of ten children fail while the lock is held and succeed afterwards', async (t) => {
  const name = uniqueName(t)
  const lock = openLock(t, name)
  const guard = await lock.acquireWrite()
  const children = await Promise.all(Array.from({ length: 10 }, () => pooledChild(t)))
  await Promise.all(children.map((child) => child.ask('open', { ref: name })))
  const tries = () => Promise.all(children.map((child) => child.ask('tryRead')))
  t.deepEqual(await tries(), Array(10).fill(null))
  guard.release()
  t.deepEqual(
    (await tries()).map(({ mode }) => mode),
    Array(10).fill('read'),
  )
})

test('fasteners: two handles in one process do not both hold the lock', async (t) => {
  const name = uniqueName(t)
  const [a, b] = [openLock(t, name), openLock(t, name)]
  const guard = a.tryWrite()
  for (const mode of MODES) t.is(tryTo[mode](b), null)
  guard?.release()
  t.is(b.tryWrite()?.mode, 'write')
})

test('fasteners: closing another handle of the lock does not end the hold', async (t) => {
  const name = uniqueName(t)
  const lock = openLock(t, name)
  const child = await pooledChild(t)
  await child.ask('open', { ref: name })
  await lock.acquireWrite()
  openLock(t, name).close()
  t.is(await child.ask('tryRead'), null)
})

test('fasteners: functions under one lock nest in functions under another', async (t) => {
  const [a, b, c] = [openLock(t), openLock(t), openLock(t)]
  const result = await a.read(() => b.write(() => c.upgradable(async (guard) => guard.mode)))
  t.is(result, 'upgradable')
  for (const lock of [a, b, c]) t.true(isFree(lock))
})

// Acquires several locks, all or none.
async function acquireAll(locks, options) {
  const held = []
  try {
    for (const lock of locks) held.push(await lock.acquireWrite(options))
    return held
  } catch (error) {
    for (const guard of held) guard.release()
    throw error
  }
}

test('fasteners: of several locks acquired together, all are held or none', async (t) => {
  const names = [uniqueName(t), uniqueName(t), uniqueName(t)]
  const locks = names.map((name) => openLock(t, name))
  const child = await pooledChild(t)
  await child.ask('hold', { ref: names[2], mode: 'read' })
  const noneIsTaken = () => {
    for (const lock of locks) {
      t.false(lock.inspect().holders.some(({ pid }) => pid === process.pid))
      t.deepEqual(lock.inspect().waiters, [])
    }
  }
  await t.throwsAsync(acquireAll(locks, { timeout: 0 }), { code: 'ERR_LOCK_TIMEOUT' })
  noneIsTaken()
  await t.throwsAsync(acquireAll(locks, { timeout: 30 }), { code: 'ERR_LOCK_TIMEOUT' })
  noneIsTaken()
  const controller = new AbortController()
  const taken = acquireAll(locks, { signal: controller.signal })
  await queued(locks[2], process)
  t.is(locks[0].tryRead(), null)
  controller.abort(new Error('enough'))
  await t.throwsAsync(taken, { message: 'enough' })
  noneIsTaken()

  await child.ask('release')
  const held = await acquireAll(locks, { timeout: 5000 })
  for (const lock of locks) t.is(lock.tryRead(), null)
  for (const guard of held) guard.release()
  for (const lock of locks) t.true(isFree(lock))
})

test('fasteners: two tasks that acquire the same locks in opposite order both get them, with timeouts', async (t) => {
  const locks = [openLock(t), openLock(t)]
  let rounds = 0
  const take = async (order, timeout) => {
    for (let done = 0; done < 10; ) {
      try {
        const held = await acquireAll(order, { timeout })
        rounds++
        done++
        for (const guard of held) guard.release()
      } catch (error) {
        if (error.code !== 'ERR_LOCK_TIMEOUT') throw error
      }
    }
  }
  await Promise.all([take(locks, 5), take([...locks].reverse(), 11)])
  t.is(rounds, 20)
  for (const lock of locks) t.true(isFree(lock))
})

// ---- multiprocessing_utils

test('multiprocessing_utils: twenty readers overlap', async (t) => {
  const counters = await visitRoom(
    t,
    Array.from({ length: 4 }, () => ({ readers: 5 })),
    { gather: 20 },
  )
  t.is(counters.most, 20)
  t.is(counters.violations, 0)
})

test('multiprocessing_utils: twenty writers do not overlap', async (t) => {
  const counters = await visitRoom(
    t,
    Array.from({ length: 4 }, () => ({ writers: 5 })),
    { rounds: 5 },
  )
  t.is(counters.violations, 0)
  t.is(counters.visits, 100)
})

test('multiprocessing_utils: a writer waits for five readers', async (t) => {
  const name = uniqueName(t)
  const lock = openLock(t, name)
  const readers = await Promise.all(Array.from({ length: 5 }, () => pooledChild(t)))
  await Promise.all(readers.map((child) => child.ask('hold', { ref: name, mode: 'read' })))
  let written = false
  const writer = lock.write(() => {
    written = true
  })
  await waitFor(() => lock.inspect().waiters.length === 1)
  for (const child of readers) {
    t.false(written)
    await child.ask('release')
  }
  await writer
  t.true(written)
})

test("multiprocessing_utils: a reader's release does not wait behind a waiting writer", async (t) => {
  const name = uniqueName(t)
  const lock = openLock(t, name)
  const child = await pooledChild(t)
  const mine = await lock.acquireRead()
  await child.ask('hold', { ref: name, mode: 'read' })
  const writer = lock.acquireWrite()
  await waitFor(() => lock.inspect().waiters.length === 1)
  await child.ask('release')
  mine.release()
  t.is((await writer).mode, 'write')
})

test('multiprocessing_utils: readers see what the writer wrote', async (t) => {
  const name = uniqueName(t)
  const lock = openLock(t, name)
  const threads = await Promise.all([spawnThread(t), spawnThread(t)])
  await Promise.all(threads.map((thread) => thread.ask('open', { ref: name })))
  const guard = await lock.acquireWrite()
  const waits = threads.map((thread) => thread.ask('acquireRead'))
  for (const thread of threads) await queued(lock, { pid: process.pid, threadId: thread.threadId })
  const { token } = guard
  guard.release()
  for (const wait of waits) t.is((await wait).token, token)
})

test('multiprocessing_utils: an upgrade of a read hold is an error and keeps the hold', async (t) => {
  const name = uniqueName(t)
  const lock = openLock(t, name)
  const child = await pooledChild(t)
  await child.ask('hold', { ref: name, mode: 'read' })
  const guard = await lock.acquireRead()
  await t.throwsAsync(guard.upgrade(), { code: 'ERR_LOCK_DEADLOCK' })
  t.false(guard.tryUpgrade())
  t.false(guard.released)
  await child.ask('release')
  t.is(await child.ask('tryWrite'), null)
})

test('multiprocessing_utils: nested acquisitions to depth four are counted or fail, and leave the lock free', async (t) => {
  const lock = openLock(t)
  const combinations = Array.from({ length: 3 ** 4 }, (_, i) =>
    [0, 1, 2, 3].map((depth) => MODES[Math.floor(i / 3 ** depth) % 3]),
  )
  for (const [first, ...rest] of combinations) {
    const held = [await acquire[first](lock)]
    for (const mode of rest) {
      const modes = held.map((guard) => guard.mode)
      const may =
        !modes.includes('write') && (mode === 'read' || (mode === 'upgradable' && !modes.includes(mode)))
      const guard = tryTo[mode](lock)
      t.is(guard !== null, may, `${mode} inside ${modes}`)
      if (guard) held.push(guard)
    }
    for (const guard of held.reverse()) guard.release()
    if (!isFree(lock)) return t.fail(`${[first, ...rest]} is not free`)
  }
})

test('multiprocessing_utils: extra releases have no effect', async (t) => {
  const lock = openLock(t)
  const [one, two] = [await lock.acquireRead(), await lock.acquireRead()]
  one.release()
  one.release()
  one.release()
  t.false(two.released)
  t.is(lock.tryWrite(), null)
  two.release()
  t.true(isFree(lock))
})
