// The limits of a wait: timeouts and signals, what they say, and that they leave nothing behind. And what holds are called.
import { getEventListeners } from 'node:events'
import { setImmediate } from 'node:timers/promises'
import { LockError } from 'process-rwlock'
import { childPool } from '../helpers/child-pool.js'
import { openLock, spawnThread, test, uniqueName, waitFor } from '../helpers/index.js'
import { acquire, isFree, MODES, never } from '../helpers/modes.js'
import { queued, timed } from '../helpers/observe.js'

const pooledChild = childPool()

// ---- timeout

for (const mode of MODES) {
  test(`timeout 0 takes a free lock for ${mode}, and never waits for a held one`, async (t) => {
    const lock = openLock(t)
    t.is(await lock[mode]((guard) => guard.mode, { timeout: 0 }), mode)
    const guard = await acquire[mode](lock, { timeout: 0 })
    guard.release()

    const writer = await lock.acquireWrite()
    const outcome = lock[mode](never, { timeout: 0 })
    t.deepEqual(lock.inspect().waiters, [])
    await t.throwsAsync(outcome, { code: 'ERR_LOCK_TIMEOUT', instanceOf: LockError })
    await t.throwsAsync(acquire[mode](lock, { timeout: 0 }), { code: 'ERR_LOCK_TIMEOUT' })
    writer.release()
    t.true(isFree(lock))
  })

  test(`a wait for ${mode} ends when its timeout has passed, and not before`, async (t) => {
    const lock = openLock(t)
    const writer = await lock.acquireWrite()
    // Others have lost the fraction of a second.
    const [half, third] = await Promise.all([
      timed(() => lock[mode](never, { timeout: 500 })),
      timed(() => acquire[mode](lock, { timeout: 300.5 })),
    ])
    t.is(half.error?.code, 'ERR_LOCK_TIMEOUT')
    t.is(third.error?.code, 'ERR_LOCK_TIMEOUT')
    // Timers of JavaScript and of the kernel differ by less than a millisecond.
    t.true(half.ms >= 499 && half.ms < 5000, `${half.ms} ms`)
    t.true(third.ms >= 299.5 && third.ms < 5000, `${third.ms} ms`)
    writer.release()
    t.is(await lock[mode]((guard) => guard.mode, { timeout: 300 }), mode)
  })

  test(`a wait for ${mode} without timeout, or with Infinity, lasts until the lock is free`, async (t) => {
    const lock = openLock(t)
    const writer = await lock.acquireWrite()
    const log = []
    const waits = [undefined, {}, { timeout: undefined }, { timeout: Infinity }, { timeout: 1e300 }].map(
      (options) => lock[mode](() => log.push('granted'), options),
    )
    // A short one beside them ends, and they stay.
    await t.throwsAsync(lock[mode](never, { timeout: 20 }), { code: 'ERR_LOCK_TIMEOUT' })
    t.deepEqual(log, [])
    writer.release()
    await Promise.all(waits)
    t.is(log.length, 5)
  })
}

test('the timeout limits the wait, never the hold', async (t) => {
  const lock = openLock(t)
  const result = await lock.write(
    async (guard) => {
      const start = performance.now()
      await waitFor(() => performance.now() - start > 60)
      t.false(guard.released)
      t.false(isFree(lock))
      return 'done'
    },
    { timeout: 20 },
  )
  t.is(result, 'done')
})

test('a wait ends at its own time, though one that lasts longer is before it in the queue', async (t) => {
  const lock = openLock(t)
  const writer = await lock.acquireWrite()
  const log = []
  await Promise.all([
    lock.acquireWrite({ timeout: 500 }).catch(() => log.push('500 ms')),
    lock.acquireRead({ timeout: 40 }).catch(() => log.push('40 ms')),
  ])
  t.deepEqual(log, ['40 ms', '500 ms'])
  writer.release()
})

test('a timeout that has passed as soon as the wait begins is one like any other', async (t) => {
  const lock = openLock(t)
  const writer = await lock.acquireWrite()
  for (const mode of MODES) {
    await t.throwsAsync(lock[mode](never, { timeout: 1e-6 }), { code: 'ERR_LOCK_TIMEOUT' })
    await t.throwsAsync(acquire[mode](lock, { timeout: Number.MIN_VALUE }), { code: 'ERR_LOCK_TIMEOUT' })
  }
  t.deepEqual(lock.inspect().waiters, [])
  writer.release()
  t.true(isFree(lock))
})

test('after a writer timed out, the readers behind it go on beside the reader before it', async (t) => {
  const name = uniqueName(t)
  const lock = openLock(t, name, { fairness: 0 })
  const [holder, writer, reader] = await Promise.all([pooledChild(t), pooledChild(t), pooledChild(t)])
  await holder.ask('hold', { ref: name, mode: 'read' })
  await Promise.all([writer.ask('open', { ref: name }), reader.ask('open', { ref: name })])
  const waits = timed(() => writer.ask('acquireWrite', { options: { timeout: 400 } }))
  await queued(lock, writer)
  const behind = reader.ask('acquireRead')
  const here = lock.read((guard) => guard.mode)
  await Promise.race([queued(lock, reader), waits])
  t.is((await waits).error.code, 'ERR_LOCK_TIMEOUT')
  t.is((await behind).mode, 'read')
  t.is(await here, 'read')
})

test('after a writer of this thread timed out, the readers behind it go on', async (t) => {
  const name = uniqueName(t)
  const lock = openLock(t, name, { fairness: 0 })
  const holder = await pooledChild(t)
  await holder.ask('hold', { ref: name, mode: 'read' })
  const writer = lock.acquireWrite({ timeout: 100 })
  const reader = lock.read((guard) => guard.mode)
  await t.throwsAsync(writer, { code: 'ERR_LOCK_TIMEOUT' })
  t.is(await reader, 'read')
})

test('timeouts in the queue leave the rest of it in order', async (t) => {
  const lock = openLock(t, uniqueName(t), { fairness: 0 })
  const log = []
  const writer = await lock.acquireWrite()
  const timeouts = []
  const waits = []
  for (let i = 0; i < 10; i++) {
    waits.push(lock.write(() => log.push(i)))
    timeouts.push(lock.write(never, { timeout: 10 + i }))
  }
  for (const end of timeouts) await t.throwsAsync(end, { code: 'ERR_LOCK_TIMEOUT' })
  writer.release()
  await Promise.all(waits)
  t.deepEqual(log, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
})

test('a grant that comes together with the timeout is either given or given back, never lost', async (t) => {
  const name = uniqueName(t)
  const lock = openLock(t, name)
  const thread = await spawnThread(t)
  await thread.ask('open', { ref: name })
  let granted = 0
  let timedOut = 0
  for (let round = 0; round < 150; round++) {
    await thread.ask('acquireWrite')
    const waits = acquire[MODES[round % 3]](lock, { timeout: (round % 16) / 8 })
    const released = thread.ask('release')
    await waits.then(
      (guard) => {
        granted++
        guard.release()
      },
      (error) => {
        timedOut++
        t.is(error.code, 'ERR_LOCK_TIMEOUT')
      },
    )
    await released
    if (!isFree(lock)) return t.fail(`lost in round ${round}`)
  }
  t.is(granted + timedOut, 150)
  t.true(timedOut > 0)
})

test('the error of a timeout says who holds the lock, in which mode and for how long', async (t) => {
  const name = uniqueName(t)
  const lock = openLock(t, name)
  const child = await pooledChild(t)
  await child.ask('hold', { ref: name, mode: 'write', options: { label: 'rebuild' } })
  const error = await t.throwsAsync(lock.read(never, { timeout: 30 }), { instanceOf: LockError })
  t.is(error.name, 'LockError')
  t.is(error.code, 'ERR_LOCK_TIMEOUT')
  t.regex(error.message, new RegExp(`held for write by pid ${child.pid} \\('rebuild'\\) for \\d+ m?s`))
  t.true(error.message.includes(name), 'it says which lock')
  t.regex(error.message, /\b30 ms\b/)
  t.is(error.holders?.length, 1)
  t.like(error.holders?.[0], { pid: child.pid, threadId: 0, mode: 'write', count: 1, label: 'rebuild' })
  t.true((error.holders?.[0].ms ?? -1) >= 20)
})

test('the message tells seconds once there are any', async (t) => {
  const name = uniqueName(t)
  const lock = openLock(t, name)
  const child = await pooledChild(t)
  await child.ask('hold', { ref: name, mode: 'write' })
  await waitFor(() => lock.inspect().holders[0].ms >= 1000)
  await t.throwsAsync(lock.read(never, { timeout: 0 }), { message: /for \d+ s/ })
})

test('the error of a timeout names every holder', async (t) => {
  const name = uniqueName(t)
  const lock = openLock(t, name)
  const children = await Promise.all([pooledChild(t), pooledChild(t), pooledChild(t)])
  await Promise.all(children.map((child) => child.ask('hold', { ref: name, mode: 'read' })))
  for (const timeout of [0, 20]) {
    const error = await t.throwsAsync(lock.write(never, { timeout }), { instanceOf: LockError })
    t.deepEqual(
      error.holders?.map(({ pid, mode }) => [pid, mode]).sort(),
      children.map(({ pid }) => [pid, 'read']).sort(),
    )
    const named = error.message.match(/held for read by (.*)/)?.[1] ?? ''
    for (const { pid } of children) t.regex(named, new RegExp(`\\bpid ${pid}\\b`))
  }
})

test('a body does not run when a nested acquisition times out', async (t) => {
  const lock = openLock(t)
  let ran = false
  const body = () => {
    ran = true
  }
  for (const outer of MODES) {
    for (const inner of MODES) {
      const granted = (outer === 'read' || inner === 'read') && outer !== 'write' && inner !== 'write'
      if (granted) continue
      await t.throwsAsync(
        lock[outer](async () => {
          await lock[inner](body, { timeout: 20 })
          body()
        }),
        { code: 'ERR_LOCK_TIMEOUT' },
        `${inner} in ${outer}`,
      )
      t.false(ran)
      t.true(isFree(lock))
    }
  }
})

test('the holder itself is named when a thread waits for itself', async (t) => {
  const lock = openLock(t)
  const error = await t.throwsAsync(
    lock.write(() => lock.write(never, { timeout: 20 }), { label: 'outer' }),
    {
      instanceOf: LockError,
      message: new RegExp(`pid ${process.pid} \\('outer'\\)`),
    },
  )
  t.like(error.holders, [{ pid: process.pid, mode: 'write', label: 'outer' }])
})

test('a timeout that a hold of the same thread causes says so, and what to do', async (t) => {
  const lock = openLock(t)
  for (const [outer, inner] of /** @type {const} */ ([
    ['write', 'read'],
    ['write', 'write'],
    ['read', 'write'],
    ['upgradable', 'write'],
    ['upgradable', 'upgradable'],
  ])) {
    for (const timeout of [0, 10]) {
      await t.throwsAsync(
        lock[outer](() => lock[inner](never, { timeout })),
        {
          message: new RegExp(
            `held for ${outer} by this very thread, pid ${process.pid} .*cannot be released while .*: release it first, or`,
          ),
        },
        `${inner} in ${outer}`,
      )
    }
  }
  for (const timeout of [0, 10]) {
    await t.throwsAsync(
      lock.upgradable((guard) => lock.read(() => guard.upgrade({ timeout }))),
      { message: /upgradable hold of .* held for read by this very thread.*: release it first/ },
    )
  }
})

test('a hold of another thread of this process is not said to be of this one', async (t) => {
  const name = uniqueName(t)
  const lock = openLock(t, name)
  const thread = await spawnThread(t)
  await thread.ask('hold', { ref: name, mode: 'write' })
  const error = await t.throwsAsync(lock.read(never, { timeout: 10 }), { instanceOf: LockError })
  t.regex(error.message, new RegExp(`held for write by pid ${process.pid} thread \\d+ `))
  t.notRegex(error.message, /very thread/)
})

test('a read that waits behind a queued writer names that one, and whom it waits for', async (t) => {
  const name = uniqueName(t)
  const lock = openLock(t, name)
  const [reader, writer] = await Promise.all([pooledChild(t), pooledChild(t)])
  await reader.ask('hold', { ref: name, mode: 'read' })
  writer.tell('hold', { ref: name, mode: 'write' })
  await waitFor(() => lock.inspect().waiters.some(({ pid, ms }) => pid === writer.pid && ms >= 20))
  const error = await t.throwsAsync(lock.read(never, { timeout: 10 }), { instanceOf: LockError })
  t.regex(
    error.message,
    new RegExp(`write is waited for first by pid ${writer.pid}.*; held for read by pid ${reader.pid}`),
  )
  await reader.ask('release')
})

test('the error of a timeout has the stack of the caller', async (t) => {
  const lock = openLock(t)
  const held = await lock.acquireUpgradable()
  const asksFor = {
    read: async () => await lock.write(never, { timeout: 10 }),
    acquire: async () => await lock.acquireWrite({ timeout: 10 }),
    none: async () => await lock.acquireWrite({ timeout: 0 }),
    upgrade: async () => await lock.read(async () => await held.upgrade({ timeout: 10 })),
  }
  const limit = Error.stackTraceLimit
  for (const [name, asks] of Object.entries(asksFor)) {
    const error = await t.throwsAsync(asks(), { code: 'ERR_LOCK_TIMEOUT' })
    const [heading, ...frames] = error?.stack?.split('\n') ?? []
    t.is(heading, `LockError: ${error?.message}`)
    t.true(
      frames.some((frame) => frame.includes('waiting.test.js')),
      `${name}: ${error?.stack}`,
    )
    t.false(Object.keys(error ?? {}).includes('stack'))
    t.is(structuredClone(error)?.stack, error?.stack)
    Error.stackTraceLimit = 1
    const short = await t.throwsAsync(asks(), { code: 'ERR_LOCK_TIMEOUT' }).finally(() => {
      Error.stackTraceLimit = limit
    })
    t.is(short?.stack?.split('\n').length, 2, short?.stack)
  }
})

// ---- signal

for (const mode of MODES) {
  test(`a signal that was aborted before keeps ${mode} from even trying`, async (t) => {
    const lock = openLock(t)
    const reason = new Error('not today')
    const signal = AbortSignal.abort(reason)
    t.is(await t.throwsAsync(lock[mode](never, { signal })), reason)
    t.is(await t.throwsAsync(acquire[mode](lock, { signal })), reason)
    t.is(await t.throwsAsync(acquire[mode](lock, { signal, timeout: 0 })), reason)
    t.deepEqual(lock.inspect().holders, [])
  })

  test(`a signal that is aborted ends a wait for ${mode} with its reason`, async (t) => {
    const lock = openLock(t)
    const writer = await lock.acquireWrite()
    for (const reason of [new Error('enough'), 'a string', 0, null]) {
      const controller = new AbortController()
      const waits = lock[mode](never, { signal: controller.signal }).then(never, (reason) => ({ reason }))
      await setImmediate()
      controller.abort(reason)
      t.deepEqual(lock.inspect().waiters, [])
      t.deepEqual(await waits, { reason })
    }
    writer.release()
    t.true(isFree(lock))
  })
}

test('abort() without a reason rejects with an AbortError', async (t) => {
  const lock = openLock(t)
  const writer = await lock.acquireWrite()
  const controller = new AbortController()
  const waits = lock.acquireRead({ signal: controller.signal })
  controller.abort()
  // A DOMException, which ava takes for no error.
  const error = await t.throwsAsync(waits, { any: true, name: 'AbortError', instanceOf: DOMException })
  t.is(error, controller.signal.reason)
  writer.release()
})

test('AbortSignal.timeout rejects with its TimeoutError', async (t) => {
  const lock = openLock(t)
  const writer = await lock.acquireWrite()
  await t.throwsAsync(lock.read(never, { signal: AbortSignal.timeout(20) }), {
    any: true,
    name: 'TimeoutError',
    instanceOf: DOMException,
  })
  writer.release()
})

test('AbortSignal.any ends a wait with the reason of the first', async (t) => {
  const lock = openLock(t)
  const writer = await lock.acquireWrite()
  const [one, two] = [new AbortController(), new AbortController()]
  const waits = lock.read(never, { signal: AbortSignal.any([one.signal, two.signal]) })
  two.abort(new Error('two'))
  one.abort(new Error('one'))
  await t.throwsAsync(waits, { message: 'two' })
  writer.release()
})

test('whichever comes first ends the wait: timeout or signal', async (t) => {
  const lock = openLock(t)
  const writer = await lock.acquireWrite()
  await t.throwsAsync(lock.read(never, { timeout: 20, signal: AbortSignal.timeout(5000) }), {
    code: 'ERR_LOCK_TIMEOUT',
  })
  await t.throwsAsync(lock.read(never, { timeout: 5000, signal: AbortSignal.timeout(20) }), {
    any: true,
    name: 'TimeoutError',
  })
  writer.release()
})

test('a signal that is aborted after the grant does nothing', async (t) => {
  const lock = openLock(t)
  const controller = new AbortController()
  const guard = await lock.acquireWrite({ signal: controller.signal })
  controller.abort()
  await setImmediate()
  t.false(guard.released)
  t.false(isFree(lock))
  guard.release()
})

test('after an abort those behind it go on, here and in other processes', async (t) => {
  const name = uniqueName(t)
  const lock = openLock(t, name, { fairness: 0 })
  const child = await pooledChild(t)
  await child.ask('hold', { ref: name, mode: 'read' })
  const other = await pooledChild(t)
  await other.ask('open', { ref: name })
  const controller = new AbortController()
  const writer = lock.acquireWrite({ signal: controller.signal })
  await waitFor(() => lock.inspect().waiters.length === 1)
  const here = lock.read((guard) => guard.mode)
  const there = other.ask('acquireRead')
  await queued(lock, other)
  controller.abort(new Error('enough'))
  await t.throwsAsync(writer, { message: 'enough' })
  t.is(await here, 'read')
  t.is((await there).mode, 'read')
})

test('an abort in the middle of the queue leaves the rest of it in order', async (t) => {
  const lock = openLock(t, uniqueName(t), { fairness: 0 })
  const log = []
  const writer = await lock.acquireWrite()
  const controllers = Array.from({ length: 6 }, () => new AbortController())
  const waits = controllers.map(({ signal }, i) => lock.write(() => log.push(i), { signal }))
  for (const i of [0, 3, 5]) controllers[i].abort(new Error(`${i}`))
  writer.release()
  const ends = await Promise.allSettled(waits)
  t.deepEqual(
    ends.map(({ status }) => status),
    ['rejected', 'fulfilled', 'fulfilled', 'rejected', 'fulfilled', 'rejected'],
  )
  t.deepEqual(log, [1, 2, 4])
})

test('one signal ends all the waits that share it', async (t) => {
  const lock = openLock(t)
  const writer = await lock.acquireWrite()
  const { signal, abort } = sharedSignal()
  const waits = Array.from({ length: 30 }, (_, i) => lock[MODES[i % 3]](never, { signal }))
  abort(new Error('all'))
  for (const wait of waits) await t.throwsAsync(wait, { message: 'all' })
  t.deepEqual(lock.inspect().waiters, [])
  writer.release()
  t.true(isFree(lock))
})

test('one signal ends all the waits that share it, also those that the end of another would let in', async (t) => {
  const name = uniqueName(t)
  const lock = openLock(t, name, { fairness: 0 })
  const child = await pooledChild(t)
  await child.ask('hold', { ref: name, mode: 'read' })
  const controller = new AbortController()
  const { signal } = controller
  const waits = [
    lock.acquireWrite({ signal }),
    lock.acquireRead({ signal }),
    lock.acquireUpgradable({ signal }),
    lock.read(never, { signal }),
  ]
  const beside = lock.acquireRead()
  t.is(lock.inspect().waiters[0].count, 5)
  controller.abort(new Error('all'))
  const ends = await Promise.allSettled(waits)
  t.deepEqual(
    ends.map((end) => end.status === 'rejected' && end.reason.message),
    ['all', 'all', 'all', 'all'],
  )
  t.is((await beside).mode, 'read')
})

test('a signal that many waits share gives no MaxListenersExceededWarning, and none keeps a listener', async (t) => {
  /** @type {Error[]} */
  const warnings = []
  const listen = (warning) => warnings.push(warning)
  process.on('warning', listen)
  t.teardown(() => process.off('warning', listen))
  const lock = openLock(t)
  const { signal } = sharedSignal()

  const writer = await lock.acquireWrite({ signal })
  const waits = Array.from({ length: 100 }, (_, i) => acquire[MODES[i % 3]](lock, { signal }))
  await setImmediate()
  writer.release()
  for (const wait of waits) (await wait).release()
  t.is(getEventListeners(signal, 'abort').length, 0)

  const again = await lock.acquireWrite()
  await t.throwsAsync(lock.read(never, { signal, timeout: 10 }), { code: 'ERR_LOCK_TIMEOUT' })
  const open = lock.acquireRead({ signal })
  lock.close()
  await t.throwsAsync(open, { code: 'ERR_LOCK_CLOSED' })
  t.is(getEventListeners(signal, 'abort').length, 0)
  t.true(again.released)
  // Warnings are told on the next turn.
  await setImmediate()
  t.deepEqual(warnings, [])
})

// ---- label

test('a hold shows its own label, and its attachment shows its label again afterwards', async (t) => {
  const lock = openLock(t, uniqueName(t), { label: 'worker 1' })
  const label = () => lock.inspect().holders[0].label
  for (const mode of MODES) {
    const labelled = await acquire[mode](lock, { label: 'rebuild' })
    t.is(label(), 'rebuild', mode)
    labelled.release()
    const plain = await acquire[mode](lock)
    t.is(label(), 'worker 1', mode)
    plain.release()
    await lock[mode](() => t.is(label(), 'in a function', mode), { label: 'in a function' })
  }
})

test('a hold that had to wait shows its own label', async (t) => {
  const lock = openLock(t, uniqueName(t), { label: 'worker 1' })
  for (const mode of MODES) {
    const writer = await lock.acquireWrite({ label: 'before' })
    const waits = acquire[mode](lock, { label: 'after' })
    t.is(lock.inspect().holders[0].label, 'before')
    writer.release()
    const guard = await waits
    t.is(lock.inspect().holders[0].label, 'after', mode)
    guard.release()
  }
})

test('a hold keeps its label when another hold of the thread ends', async (t) => {
  const lock = openLock(t, uniqueName(t), { label: 'worker 1' })
  const one = await lock.acquireRead({ label: 'one' })
  const two = await lock.acquireRead({ label: 'two' })
  two.release()
  t.like(lock.inspect(), { holders: [{ count: 1, label: 'one' }] })
  one.release()
})

test('an upgradable hold and a read hold of one thread show a label each', async (t) => {
  const lock = openLock(t, uniqueName(t), { label: 'worker 1' })
  const upgradable = await lock.acquireUpgradable({ label: 'the upgradable' })
  const read = await lock.acquireRead({ label: 'the read' })
  const labels = () => Object.fromEntries(lock.inspect().holders.map(({ mode, label }) => [mode, label]))
  t.deepEqual(labels(), { upgradable: 'the upgradable', read: 'the read' })
  read.release()
  t.deepEqual(labels(), { upgradable: 'the upgradable' })
  upgradable.release()
})

test('a label goes with its hold when the handle is closed', async (t) => {
  const name = uniqueName(t)
  const [a, b] = [openLock(t, name, { label: 'worker 1' }), openLock(t, name)]
  await a.acquireWrite({ label: 'of a' })
  a.close()
  await b.acquireWrite()
  t.is(b.inspect().holders[0].label, 'worker 1')
})

test('a hold keeps its label through upgrade and downgrade', async (t) => {
  const lock = openLock(t)
  const label = () => lock.inspect().holders[0].label
  const guard = await lock.acquireUpgradable({ label: 'rebuild' })
  await guard.upgrade()
  t.is(label(), 'rebuild')
  guard.downgrade('upgradable')
  t.is(label(), 'rebuild')
  guard.downgrade()
  t.is(label(), 'rebuild')
})

test('a label goes with its hold to another mode, and is not left for the next hold of the mode before', async (t) => {
  const lock = openLock(t, uniqueName(t), { label: 'worker 1' })
  const labels = () => Object.fromEntries(lock.inspect().holders.map(({ mode, label }) => [mode, label]))
  const guard = await lock.acquireWrite({ label: 'rebuild' })
  guard.downgrade()
  const upgradable = await lock.acquireUpgradable()
  t.deepEqual(labels(), { read: 'rebuild', upgradable: 'worker 1' })
  upgradable.release()
  guard.tryUpgrade()
  guard.downgrade('upgradable')
  const read = await lock.acquireRead()
  t.deepEqual(labels(), { read: 'worker 1', upgradable: 'rebuild' })
  read.release()
  guard.release()
})

test('a waiter is not shown under the label of another hold of its thread', async (t) => {
  const lock = openLock(t, uniqueName(t), { label: 'worker 1' })
  const reader = await lock.acquireRead({ label: 'reading' })
  const waits = lock.acquireWrite({ label: 'rebuild' })
  const [waiter] = lock.inspect().waiters
  reader.release()
  const writer = await waits
  writer.release()
  t.is(waiter.mode, 'write')
  t.true(['rebuild', 'worker 1'].includes(waiter.label), waiter.label)
})

function sharedSignal() {
  const controller = new AbortController()
  return { signal: controller.signal, abort: (reason) => controller.abort(reason) }
}
