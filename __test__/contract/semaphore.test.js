// Semaphores: permits of all users together. The rest of their behaviour is that of the lock
// (limit.test.js).
import { LockError } from 'process-rwlock'
import { contract } from './contract.js'
import { never, tryTo } from './modes.js'

const turn = () => new Promise((resolve) => setImmediate(resolve))

contract(({ test, open, semaphore, newRef, otherProcess }) => {
  test('at most as many functions run at once as there are permits', ['semaphores'], async (t) => {
    const it = semaphore(t, 3)
    let [running, most] = [0, 0]
    const results = await Promise.all(
      Array.from({ length: 20 }, (_, n) =>
        it.use(async () => {
          most = Math.max(most, ++running)
          // Until the others that there may be run, too; the last ones may be fewer.
          for (let turns = 0; running < 3 && n < 15 && turns < 10_000; turns++) await turn()
          running--
          return n
        }),
      ),
    )
    t.is(most, 3)
    t.deepEqual(
      results,
      Array.from({ length: 20 }, (_, n) => n),
    )
    t.like(await it.inspect(), { permits: 3, available: 3, holders: [], waiters: [] })
  })

  test(
    'use() returns its promise before the function runs, and passes its error on',
    ['semaphores'],
    async (t) => {
      const it = semaphore(t, 1)
      let ran = false
      const use = it.use(() => {
        ran = true
      })
      t.false(ran)
      await use
      t.true(ran)
      const error = new Error('of the function')
      t.is(await t.throwsAsync(it.use(() => Promise.reject(error))), error)
      t.is((await it.inspect()).available, 1)
      await t.throwsAsync(it.use(/** @type {any} */ (1)), { code: 'ERR_INVALID_ARG_TYPE' })
    },
  )

  test('a permit is held until it is released', ['semaphores'], async (t) => {
    const it = semaphore(t, 2)
    const permits = [await it.acquire(), await it.tryAcquire()]
    t.is(await it.tryAcquire(), null)
    t.is((await it.inspect()).available, 0)
    await permits[0]?.release()
    await permits[0]?.release()
    t.true(permits[0]?.released)
    t.is((await it.inspect()).available, 1)
    await permits[1]?.[Symbol.asyncDispose]()
    t.is((await it.inspect()).available, 2)
  })

  test('the permits of another process count', ['semaphores', 'processes'], async (t) => {
    const ref = newRef(t)
    const it = semaphore(t, 3, ref)
    t.is((await it.inspect()).permits, 3)
    const child = await otherProcess(t)
    await child.ask('hold', { ref, mode: 'read' })
    await child.ask('acquireRead')
    t.is((await it.inspect()).available, 1)
    const own = await it.acquire()
    t.is(await it.tryAcquire(), null)
    t.is((await it.inspect()).available, 0)
    await own.release()
  })

  test('waits take timeout, signal and label', ['semaphores'], async (t) => {
    const it = semaphore(t, 1)
    const permit = await it.acquire({ label: 'the only one' })
    for (const wait of [
      () => it.use(never, { timeout: 10 }),
      () => it.acquire({ timeout: 10 }),
      async () => it.use(never, { timeout: 0 }),
    ]) {
      const error = await t.throwsAsync(wait(), { code: 'ERR_LOCK_TIMEOUT', instanceOf: LockError })
      t.like(error, { holders: [{ label: 'the only one', count: 1 }] })
    }
    const reason = new Error('not any more')
    const controller = new AbortController()
    const aborted = it.acquire({ signal: controller.signal })
    controller.abort(reason)
    t.is(await t.throwsAsync(aborted), reason)
    t.is(await t.throwsAsync(it.use(never, { signal: AbortSignal.abort(reason) })), reason)
    await permit.release()
    t.like(await it.inspect(), { available: 1, waiters: [] })
  })

  test('a writer of the lock keeps all permits out, and is kept out by each', ['semaphores'], async (t) => {
    const ref = newRef(t)
    const it = semaphore(t, 2, ref)
    const permit = await it.acquire()
    const lock = open(t, ref)
    t.is((await lock.inspect()).maxReaders, 2)
    t.is(await tryTo.write(lock), null)
    await permit.release()
    const guard = await tryTo.write(lock)
    t.is(await it.tryAcquire(), null)
    t.is((await it.inspect()).available, 0)
    await guard?.release()
    t.truthy(await it.tryAcquire())
  })

  test('the number of permits is that of the creator', ['semaphores'], async (t) => {
    const ref = newRef(t)
    t.is((await semaphore(t, 3, ref).inspect()).permits, 3)
    t.is((await semaphore(t, 5, ref).inspect()).permits, 3)
  })

  test('a number of permits is required, and is checked', ['semaphores'], (t) => {
    for (const wrong of [undefined, null, '2', 1n, {}])
      t.throws(() => semaphore(t, /** @type {any} */ (wrong)), { code: 'ERR_INVALID_ARG_TYPE' })
    for (const wrong of [0, -1, 1.5, Number.NaN, 65_536, Infinity])
      t.throws(() => semaphore(t, wrong), { code: 'ERR_INVALID_ARG_VALUE' })
  })

  test('closing returns the permits, and ends the waits', ['semaphores'], async (t) => {
    const ref = newRef(t)
    const [it, other] = [semaphore(t, 1, ref), semaphore(t, 1, ref)]
    const permit = await it.acquire()
    const wait = t.throwsAsync(it.acquire(), { code: 'ERR_LOCK_CLOSED' })
    await it.close()
    await wait
    t.true(permit.released)
    t.truthy(await other.tryAcquire())
    for (const call of [() => it.tryAcquire(), () => it.inspect(), () => it.use(never)])
      await t.throwsAsync(async () => call(), { code: 'ERR_LOCK_CLOSED' })
    await it.close()
  })

  test('a permit says that somebody waits for it', ['semaphores', 'contention'], async (t) => {
    const it = semaphore(t, 1)
    const permit = await it.acquire()
    const wait = it.acquire()
    await permit.whenContended()
    t.true(permit.contended)
    await permit.release()
    await (await wait).release()
  })
})
