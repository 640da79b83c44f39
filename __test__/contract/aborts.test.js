// Waits that a signal ends: before, while and after they are granted.
import { getEventListeners } from 'node:events'
import { setImmediate } from 'node:timers/promises'
import { queued, requests, seenBy } from '../helpers/observe.js'
import { contract } from './contract.js'
import { acquire, isFree, never } from './modes.js'

contract(({ test, open, newRef, modes, otherProcess }) => {
  for (const mode of modes) {
    test(`with a signal that has already aborted, ${mode} rejects with its reason and does not try`, async (t) => {
      const lock = open(t)
      const reason = new Error('not today')
      const signal = AbortSignal.abort(reason)
      t.is(await t.throwsAsync(lock[mode](never, { signal })), reason)
      t.is(await t.throwsAsync(acquire[mode](lock, { signal })), reason)
      t.is(await t.throwsAsync(acquire[mode](lock, { signal, timeout: 0 })), reason)
      t.deepEqual((await lock.inspect()).holders, [])
    })

    test(`an abort rejects a wait for ${mode} with the reason of the signal`, async (t) => {
      const lock = open(t)
      const writer = await lock.acquireWrite()
      for (const reason of [new Error('enough'), 'a string', 0, null]) {
        const controller = new AbortController()
        const waits = lock[mode](never, { signal: controller.signal }).then(never, (reason) => ({ reason }))
        await setImmediate()
        controller.abort(reason)
        t.deepEqual((await lock.inspect()).waiters, [])
        t.deepEqual(await waits, { reason })
      }
      await writer.release()
      t.true(await isFree(lock))
    })
  }

  test('abort() without a reason rejects with an AbortError', async (t) => {
    const lock = open(t)
    const writer = await lock.acquireWrite()
    const controller = new AbortController()
    const waits = lock.acquireRead({ signal: controller.signal })
    controller.abort()
    // A DOMException: ava does not recognize it as an error without `any`.
    const error = await t.throwsAsync(waits, { any: true, name: 'AbortError', instanceOf: DOMException })
    t.is(error, controller.signal.reason)
    await writer.release()
  })

  test('a signal of AbortSignal.timeout rejects the wait with its TimeoutError', async (t) => {
    const lock = open(t)
    const writer = await lock.acquireWrite()
    await t.throwsAsync(lock.read(never, { signal: AbortSignal.timeout(20) }), {
      any: true,
      name: 'TimeoutError',
      instanceOf: DOMException,
    })
    await writer.release()
  })

  test('a signal of AbortSignal.any rejects the wait with the reason of the first abort', async (t) => {
    const lock = open(t)
    const writer = await lock.acquireWrite()
    const [one, two] = [new AbortController(), new AbortController()]
    const waits = lock.read(never, { signal: AbortSignal.any([one.signal, two.signal]) })
    two.abort(new Error('two'))
    one.abort(new Error('one'))
    await t.throwsAsync(waits, { message: 'two' })
    await writer.release()
  })

  test('a wait with a timeout and a signal ends at the first of the two', async (t) => {
    const lock = open(t)
    const writer = await lock.acquireWrite()
    await t.throwsAsync(lock.read(never, { timeout: 20, signal: AbortSignal.timeout(5000) }), {
      code: 'ERR_LOCK_TIMEOUT',
    })
    await t.throwsAsync(lock.read(never, { timeout: 5000, signal: AbortSignal.timeout(20) }), {
      any: true,
      name: 'TimeoutError',
    })
    await writer.release()
  })

  test('an abort after the grant has no effect', async (t) => {
    const lock = open(t)
    const controller = new AbortController()
    const guard = await lock.acquireWrite({ signal: controller.signal })
    controller.abort()
    await setImmediate()
    t.false(guard.released)
    t.false(await isFree(lock))
    await guard.release()
  })

  test(
    'after an abort the requests behind it are granted, in this process and in others',
    ['fairness', 'processes'],
    async (t) => {
      const ref = newRef(t)
      const lock = open(t, ref, { fairness: 0 })
      const child = await otherProcess(t)
      await child.ask('hold', { ref, mode: 'read' })
      const other = await otherProcess(t)
      await other.ask('open', { ref })
      const controller = new AbortController()
      const writer = lock.acquireWrite({ signal: controller.signal })
      // In the queue that all processes share.
      await queued(seenBy(other), process)
      const here = lock.read((guard) => guard.mode)
      const there = other.ask('acquireRead')
      await queued(lock, other)
      controller.abort(new Error('enough'))
      await t.throwsAsync(writer, { message: 'enough' })
      t.is(await here, 'read')
      t.is((await there).mode, 'read')
    },
  )

  test(
    'an abort in the middle of the queue does not change the order of the rest',
    ['fairness'],
    async (t) => {
      const lock = open(t, undefined, { fairness: 0 })
      const log = []
      const writer = await lock.acquireWrite()
      const controllers = Array.from({ length: 6 }, () => new AbortController())
      const waits = controllers.map(({ signal }, i) => lock.write(() => log.push(i), { signal }))
      for (const i of [0, 3, 5]) controllers[i].abort(new Error(`${i}`))
      await writer.release()
      const ends = await Promise.allSettled(waits)
      t.deepEqual(
        ends.map(({ status }) => status),
        ['rejected', 'fulfilled', 'fulfilled', 'rejected', 'fulfilled', 'rejected'],
      )
      t.deepEqual(log, [1, 2, 4])
    },
  )

  test('one signal rejects all waits that share it', async (t) => {
    const lock = open(t)
    const writer = await lock.acquireWrite()
    const { signal, abort } = sharedSignal()
    const waits = Array.from({ length: 30 }, (_, i) => lock[modes[i % modes.length]](never, { signal }))
    abort(new Error('all'))
    for (const wait of waits) await t.throwsAsync(wait, { message: 'all' })
    t.deepEqual((await lock.inspect()).waiters, [])
    await writer.release()
    t.true(await isFree(lock))
  })

  test(
    'one signal rejects all waits that share it, including those that the end of another would let in',
    ['upgradable', 'fairness', 'processes'],
    async (t) => {
      const ref = newRef(t)
      const lock = open(t, ref, { fairness: 0 })
      const child = await otherProcess(t)
      await child.ask('hold', { ref, mode: 'read' })
      const controller = new AbortController()
      const { signal } = controller
      const waits = [
        lock.acquireWrite({ signal }),
        lock.acquireRead({ signal }),
        lock.acquireUpgradable({ signal }),
        lock.read(never, { signal }),
      ]
      const other = lock.acquireRead()
      t.is(requests((await lock.inspect()).waiters), 5)
      controller.abort(new Error('all'))
      const ends = await Promise.allSettled(waits)
      t.deepEqual(
        ends.map((end) => end.status === 'rejected' && end.reason.message),
        ['all', 'all', 'all', 'all'],
      )
      t.is((await other).mode, 'read')
    },
  )

  test('a signal shared by many waits gives no MaxListenersExceededWarning and keeps no listener', async (t) => {
    /** @type {Error[]} */
    const warnings = []
    const listen = (warning) => warnings.push(warning)
    process.on('warning', listen)
    t.teardown(() => process.off('warning', listen))
    const lock = open(t)
    const { signal } = sharedSignal()

    const writer = await lock.acquireWrite({ signal })
    const waits = Array.from({ length: 100 }, (_, i) => acquire[modes[i % modes.length]](lock, { signal }))
    await setImmediate()
    await writer.release()
    for (const wait of waits) (await wait).release()
    t.is(getEventListeners(signal, 'abort').length, 0)

    const again = await lock.acquireWrite()
    await t.throwsAsync(lock.read(never, { signal, timeout: 10 }), { code: 'ERR_LOCK_TIMEOUT' })
    const pending = lock.acquireRead({ signal })
    lock.close()
    await t.throwsAsync(pending, { code: 'ERR_LOCK_CLOSED' })
    t.is(getEventListeners(signal, 'abort').length, 0)
    t.true(again.released)
    // Warnings are emitted on the next turn.
    await setImmediate()
    t.deepEqual(warnings, [])
  })

  /** The lock has no holder and no waiter. */
  async function assertFree(t, lock) {
    const { holders, waiters } = await lock.inspect()
    t.deepEqual([...holders, ...waiters], [])
    t.true(await isFree(lock))
  }

  function sharedSignal() {
    const controller = new AbortController()
    return { signal: controller.signal, abort: (reason) => controller.abort(reason) }
  }

  // ---- before fn, and in it

  for (const method of modes) {
    test(`${method}(fn) does not run fn if its signal aborts first, even if the lock was free`, async (t) => {
      const lock = open(t)
      const controller = new AbortController()
      let ran = false
      const done = lock[method](
        () => {
          ran = true
        },
        { signal: controller.signal },
      )
      controller.abort()
      t.is(await done.catch((reason) => reason), controller.signal.reason)
      t.false(ran)
      await assertFree(t, lock)
    })

    test(`${method}(fn) does not run fn if its signal aborts between the grant and fn`, async (t) => {
      const lock = open(t)
      const controller = new AbortController()
      let ran = false
      const guard = await lock.tryWrite()
      const done = lock[method](
        () => {
          ran = true
        },
        { signal: controller.signal },
      )
      void guard?.release() // grants the wait
      controller.abort()
      t.is(await done.catch((reason) => reason), controller.signal.reason)
      t.false(ran)
      await assertFree(t, lock)
    })

    test(`${method}(fn) continues if its signal aborts after fn has begun`, async (t) => {
      const lock = open(t)
      const controller = new AbortController()
      const done = lock[method](
        async () => {
          controller.abort()
          await null
          return 'whole'
        },
        { signal: controller.signal },
      )
      t.is(await done, 'whole')
      await assertFree(t, lock)
    })
  }

  test('an abort before fn does not clear ownerDied', ['ownerDied', 'processes'], async (t) => {
    const ref = newRef(t)
    const lock = open(t, ref)
    const victim = await otherProcess(t)
    await victim.ask('hold', { ref, mode: 'write' })
    await victim.kill()
    await lock.read(() => {}, { timeout: 5000 }) // detects the death
    const controller = new AbortController()
    const done = lock.write(() => {}, { signal: controller.signal })
    controller.abort()
    t.is(await done.catch((reason) => reason), controller.signal.reason)
    t.is((await lock.inspect()).ownerDied?.pid, victim.pid)
  })
})
