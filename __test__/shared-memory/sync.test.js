// Synchronous calls. Each has a timeout here, because a blocked thread cannot be stopped by the
// test.
import { LockError } from 'process-rwlock'
import { childPool } from '../helpers/child-pool.js'
import { openLock, spawnThread, test, uniqueName } from '../helpers/index.js'
import { acquire, isFree, MODES, never, TOGETHER } from '../helpers/modes.js'
import { queued, stream } from '../helpers/observe.js'

const pooledChild = childPool()

const BOUND = { timeout: 10_000 }

const acquireSync = {
  read: (lock, options = BOUND) => lock.acquireReadSync(options),
  write: (lock, options = BOUND) => lock.acquireWriteSync(options),
}
const runSync = {
  read: (lock, fn, options = BOUND) => lock.readSync(fn, options),
  write: (lock, fn, options = BOUND) => lock.writeSync(fn, options),
}
const SYNC_MODES = /** @type {const} */ (['read', 'write'])

/** Makes a child release after this thread has been blocked for a while. */
function releaseSoon(child, ms = 60) {
  child.tell('busy', { ms })
  child.tell('release')
}

for (const mode of SYNC_MODES) {
  test(`${mode}Sync(fn) holds the lock while fn runs, and returns its result`, (t) => {
    const lock = openLock(t)
    /** @type {import('process-rwlock').Guard | undefined} */
    let inside
    const result = runSync[mode](lock, (guard) => {
      inside = guard
      t.is(guard.mode, mode)
      t.false(guard.released)
      t.like(lock.inspect(), { holders: [{ mode, count: 1 }] })
      return 'result'
    })
    t.is(result, 'result')
    t.true(inside?.released)
    t.true(isFree(lock))
    t.is(
      lock[`${mode}Sync`](() => 'without options'),
      'without options',
    )
  })

  test(`${mode}Sync(fn) throws the error of fn, and releases`, (t) => {
    const lock = openLock(t)
    const error = new Error('thrown in fn')
    const thrown = t.throws(() =>
      runSync[mode](lock, () => {
        throw error
      }),
    )
    t.is(thrown, error)
    t.true(isFree(lock))
  })

  test(`${mode}Sync(fn) refuses a function that returns a promise, and releases`, (t) => {
    const lock = openLock(t)
    t.throws(() => runSync[mode](lock, async () => {}), { code: 'ERR_INVALID_ARG_VALUE', message: /promise/ })
    t.true(isFree(lock))
  })

  test(`a guard acquired synchronously for ${mode} works like any other guard`, async (t) => {
    const lock = openLock(t)
    const before = await lock.write((guard) => guard.token)
    const guard = acquireSync[mode](lock)
    t.is(guard.mode, mode)
    t.true(mode === 'write' ? guard.token > before : guard.token === before)
    t.is(guard.ownerDied, null)
    if (mode === 'write') guard.downgrade()
    t.is(lock.tryWrite(), null)
    guard.release()
    guard.release()
    t.true(guard.released)
    t.true(isFree(lock))
  })

  test(`${mode}Sync blocks this thread and waits for another process`, async (t) => {
    const name = uniqueName(t)
    const lock = openLock(t, name)
    const child = await pooledChild(t)
    await child.ask('hold', { ref: name, mode: 'write' })
    let turns = 0
    setImmediate(() => turns++)
    t.is(lock.tryRead(), null)
    releaseSoon(child)
    const guard = acquireSync[mode](lock)
    t.is(turns, 0)
    t.is(guard.mode, mode)
  })

  test(`${mode}Sync waits for another thread of this process`, async (t) => {
    const name = uniqueName(t)
    const lock = openLock(t, name)
    const thread = await spawnThread(t)
    await thread.ask('hold', { ref: name, mode: 'write' })
    thread.tell('busy', { ms: 60 })
    thread.tell('release')
    t.is(
      runSync[mode](lock, (guard) => guard.mode),
      mode,
    )
  })

  test(`a synchronous wait for ${mode} ends when its timeout has passed, and not before`, async (t) => {
    const name = uniqueName(t)
    const lock = openLock(t, name)
    const child = await pooledChild(t)
    await child.ask('hold', { ref: name, mode: 'write', options: { label: 'rebuild' } })
    for (const timeout of [0, 40.5, 300]) {
      const start = performance.now()
      const error = t.throws(() => runSync[mode](lock, never, { timeout }), {
        code: 'ERR_LOCK_TIMEOUT',
        instanceOf: LockError,
      })
      const ms = performance.now() - start
      t.true(ms >= timeout - 1 && ms < timeout + 5000, `${ms} ms`)
      t.regex(error?.message ?? '', new RegExp(`held for write by pid ${child.pid} \\('rebuild'\\) for`))
      t.like(error?.holders, [{ pid: child.pid, mode: 'write', label: 'rebuild' }])
    }
    t.deepEqual(lock.inspect().waiters, [])
    t.throws(() => acquireSync[mode](lock, { timeout: 0 }), { code: 'ERR_LOCK_TIMEOUT' })
    await child.ask('release')
    t.is(acquireSync[mode](lock, { timeout: 0 }).mode, mode)
  })

  test(`with a signal that has already aborted, ${mode}Sync throws its reason and does not try`, (t) => {
    const lock = openLock(t)
    const reason = new Error('not today')
    const options = { ...BOUND, signal: AbortSignal.abort(reason) }
    t.is(
      t.throws(() => runSync[mode](lock, never, options)),
      reason,
    )
    t.is(
      t.throws(() => acquireSync[mode](lock, options)),
      reason,
    )
    t.deepEqual(lock.inspect().holders, [])
  })

  test(`${mode}Sync shows the label of its hold, even after it had to wait`, async (t) => {
    const name = uniqueName(t)
    const lock = openLock(t, name)
    const label = () => lock.inspect().holders[0].label
    t.is(runSync[mode](lock, label, { ...BOUND, label: 'at once' }), 'at once')
    const child = await pooledChild(t)
    await child.ask('hold', { ref: name, mode: 'write' })
    releaseSoon(child)
    t.is(runSync[mode](lock, label, { ...BOUND, label: 'later' }), 'later')
  })
}

// ---- holds of the same thread

for (const held of MODES) {
  for (const wanted of SYNC_MODES) {
    const may = TOGETHER[held][wanted]
    test(`while this thread holds ${held}, ${wanted}Sync ${may ? 'is granted' : 'throws ERR_LOCK_DEADLOCK immediately'}`, async (t) => {
      const name = uniqueName(t)
      const [lock, again] = [openLock(t, name), openLock(t, name)]
      const guard = await acquire[held](lock)
      for (const handle of [lock, again]) {
        if (may) {
          const inner = acquireSync[wanted](handle)
          t.is(inner.mode, wanted)
          inner.release()
          continue
        }
        const start = performance.now()
        const deadlock = { code: 'ERR_LOCK_DEADLOCK', name: 'LockError' }
        const error = t.throws(() => acquireSync[wanted](handle), deadlock)
        t.true((error?.message ?? '').includes(name), 'it says which lock')
        t.throws(() => runSync[wanted](handle, never), deadlock)
        t.true(performance.now() - start < 5000)
      }
      t.false(guard.released)
      t.is(guard.mode, held)
      t.deepEqual(lock.inspect().waiters, [])
      guard.release()
      t.true(isFree(lock))
    })
  }
}

test('a hold of another thread is not a deadlock', async (t) => {
  const name = uniqueName(t)
  const lock = openLock(t, name)
  const thread = await spawnThread(t)
  await thread.ask('hold', { ref: name, mode: 'write' })
  t.throws(() => lock.writeSync(never, { timeout: 30 }), { code: 'ERR_LOCK_TIMEOUT' })
})

test('synchronous functions nest in compatible modes', (t) => {
  const lock = openLock(t)
  const depth = (n) => (n === 0 ? 'deep' : lock.readSync(() => depth(n - 1), BOUND))
  t.is(depth(50), 'deep')
  t.throws(() => lock.readSync(() => lock.writeSync(never, BOUND)), { code: 'ERR_LOCK_DEADLOCK' })
  t.throws(() => lock.writeSync(() => lock.readSync(never, BOUND)), { code: 'ERR_LOCK_DEADLOCK' })
  t.true(isFree(lock))
})

// ---- pending requests of the same thread

for (const sync of SYNC_MODES) {
  for (const pending of MODES) {
    test(`${sync}Sync is granted before a pending ${pending} of the same thread, which is granted afterwards`, async (t) => {
      const name = uniqueName(t)
      const lock = openLock(t, name, { fairness: 0 })
      const child = await pooledChild(t)
      await child.ask('hold', { ref: name, mode: 'write' })
      const log = []
      const waits = [1, 2].map((n) => lock[pending](() => log.push(n)))
      await queued(lock, process, 2)
      releaseSoon(child)
      runSync[sync](lock, () => log.push('sync'))
      t.deepEqual(log, ['sync'])
      await Promise.all(waits)
      t.deepEqual(log, ['sync', 1, 2])
      t.true(isFree(lock))
    })
  }
}

test('a synchronous call that waits is shown with its own mode and label', async (t) => {
  const name = uniqueName(t)
  const lock = openLock(t, name)
  const child = await pooledChild(t)
  await child.ask('open', { ref: name })
  for (const [op, mode] of [
    ['acquireReadSync', 'read'],
    ['acquireWriteSync', 'write'],
  ]) {
    const guard = await lock.acquireWrite()
    const waits = child.ask(op, { options: { label: `for ${mode}` } })
    await queued(lock, child)
    t.like(lock.inspect().waiters, [{ pid: child.pid, mode, label: `for ${mode}`, count: 1, more: 0 }])
    guard.release()
    await waits
    t.is(lock.inspect().holders[0].label, `for ${mode}`)
    await child.ask('release')
  }
})

test('a synchronous call does not overtake requests of other processes that came before it', async (t) => {
  const name = uniqueName(t)
  const lock = openLock(t, name, { fairness: 0 })
  const [holder, writer] = await Promise.all([pooledChild(t), pooledChild(t)])
  await writer.ask('open', { ref: name, options: { fairness: 0 } })
  // Another order than that of the queue may come about on a busy machine: see order.test.js.
  const orders = []
  for (let go = 0; go < 12 && orders.at(-1) !== 'other,here,pending'; go++) {
    await holder.ask('hold', { ref: name, mode: 'write' })
    /** @type {[bigint | undefined, string][]} */
    const tokens = []
    const pending = lock.write(({ token }) => tokens.push([token, 'pending']))
    await queued(lock, process)
    const other = writer.ask('pass', { mode: 'write' }).then(({ token }) => tokens.push([token, 'other']))
    await queued(lock, writer)
    releaseSoon(holder)
    lock.writeSync(({ token }) => tokens.push([token, 'here']), BOUND)
    await Promise.all([pending, other])
    orders.push(
      tokens
        .sort(([a = 0n], [b = 0n]) => Number(a - b))
        .map(([, who]) => who)
        .join(),
    )
    await holder.ask('close')
  }
  t.is(orders.at(-1), 'other,here,pending')
})

test('readSync is granted before a draining writer of the same thread', async (t) => {
  const name = uniqueName(t)
  const lock = openLock(t, name, { fairness: 0 })
  const child = await pooledChild(t)
  await child.ask('hold', { ref: name, mode: 'read' })
  let written = false
  const writer = lock.write(() => {
    written = true
  })
  await queued(lock, process)
  t.is(
    lock.readSync(() => lock.inspect().holders.length, BOUND),
    2,
  )
  t.false(written)
  t.like(lock.inspect(), { waiters: [{ mode: 'write' }] })
  await child.ask('release')
  await writer
  t.true(isFree(lock))
})

test('writeSync is granted before a draining writer of the same thread', async (t) => {
  const name = uniqueName(t)
  const lock = openLock(t, name, { fairness: 0 })
  const child = await pooledChild(t)
  await child.ask('hold', { ref: name, mode: 'read' })
  const log = []
  const writer = lock.write(() => log.push('async'))
  await queued(lock, process)
  releaseSoon(child)
  lock.writeSync(() => log.push('sync'), BOUND)
  await writer
  t.deepEqual(log, ['sync', 'async'])
})

test('a synchronous guard blocks a pending writer until its release', async (t) => {
  const name = uniqueName(t)
  const lock = openLock(t, name, { fairness: 0 })
  const child = await pooledChild(t)
  await child.ask('hold', { ref: name, mode: 'read' })
  let written = false
  const writer = lock.write(() => {
    written = true
  })
  await queued(lock, process)
  const guard = lock.acquireReadSync(BOUND)
  await child.ask('release')
  await child.ask('open', { ref: name })
  t.false(written)
  guard.release()
  await writer
  t.true(written)
})

test('readSync is granted before a pending upgrade of the same thread, which is granted afterwards', async (t) => {
  const name = uniqueName(t)
  const lock = openLock(t, name, { fairness: 0 })
  const child = await pooledChild(t)
  await child.ask('hold', { ref: name, mode: 'read' })
  const guard = await lock.acquireUpgradable()
  const upgrade = guard.upgrade()
  await queued(lock, process)
  t.is(
    lock.readSync(() => guard.mode, BOUND),
    'upgradable',
  )
  const reading = lock.acquireReadSync(BOUND)
  await child.ask('release')
  t.is(guard.mode, 'upgradable')
  reading.release()
  await upgrade
  t.is(guard.mode, 'write')
  guard.release()
  t.true(isFree(lock))
})

test('writeSync while an upgrade of the same thread waits throws ERR_LOCK_DEADLOCK, and the upgrade continues', async (t) => {
  const name = uniqueName(t)
  const lock = openLock(t, name, { fairness: 0 })
  const child = await pooledChild(t)
  await child.ask('hold', { ref: name, mode: 'read' })
  const guard = await lock.acquireUpgradable()
  const upgrade = guard.upgrade()
  await queued(lock, process)
  t.throws(() => lock.writeSync(never, BOUND), { code: 'ERR_LOCK_DEADLOCK' })
  await child.ask('release')
  await upgrade
  t.is(guard.mode, 'write')
})

test('a synchronous wait that times out does not affect the pending acquisitions of its thread', async (t) => {
  const name = uniqueName(t)
  const lock = openLock(t, name, { fairness: 0 })
  const child = await pooledChild(t)
  for (const held of /** @type {const} */ (['read', 'write'])) {
    await child.ask('hold', { ref: name, mode: held })
    const log = []
    const waits = [
      lock.write(() => log.push('w1')),
      lock.read(() => log.push('r2')),
      lock.write(() => log.push('w3')),
    ]
    await queued(lock, process, 3)
    t.throws(() => lock.writeSync(never, { timeout: 30 }), { code: 'ERR_LOCK_TIMEOUT' })
    await child.ask('release')
    await Promise.all(waits)
    t.deepEqual(log, ['w1', 'r2', 'w3'])
    t.true(isFree(lock))
  }
})

test('pending acquisitions whose timeout passes during a synchronous wait reject afterwards', async (t) => {
  const name = uniqueName(t)
  const lock = openLock(t, name)
  const child = await pooledChild(t)
  await child.ask('hold', { ref: name, mode: 'write' })
  const late = lock.read(never, { timeout: 20 })
  await queued(lock, process)
  releaseSoon(child, 200)
  lock.writeSync(() => {}, BOUND)
  await t.throwsAsync(late, { code: 'ERR_LOCK_TIMEOUT' })
})

test('synchronous and asynchronous callers in several processes all get the lock', async (t) => {
  const name = uniqueName(t)
  const lock = openLock(t, name)
  const streams = await Promise.all([
    stream(t, { ref: name, mode: 'write', lanes: 2, hold: 0 }),
    stream(t, { ref: name, mode: 'read', lanes: 2, hold: 1 }),
  ])
  let here = 0
  for (let i = 0; i < 40; i++) {
    runSync[SYNC_MODES[i % 2]](lock, () => here++)
    // Not together: an acquisition granted immediately is already a hold of this thread.
    await lock[MODES[i % 3]](() => here++)
  }
  t.is(here, 80)
  for (const { stop } of streams) t.true((await stop()) > 0)
  t.true(isFree(lock))
})
