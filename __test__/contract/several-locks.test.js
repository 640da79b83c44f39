// Several locks together, and locked functions: they stand on the members of AsyncRWLock only, so they work over every engine.
import { acquireAll, lockAll, locked } from 'process-rwlock'
import { waitFor } from '../helpers/index.js'
import { contract } from './contract.js'
import { engines } from './engines.js'
import { isFree, never } from './modes.js'

/** Whether none of the locks is held. */
async function areFree(locks) {
  for (const lock of locks) if (!(await isFree(lock))) return false
  return true
}

/** @param {any[]} locks */
const writeAll = (locks) => locks.map((lock) => ({ lock }))

contract(({ test, open, newRef, modes }) => {
  test('lockAll holds every lock while its function runs, and none afterwards', async (t) => {
    const locks = [open(t), open(t), open(t)]
    const result = await lockAll(
      locks.map((lock, index) => ({ lock, mode: modes[index % modes.length] })),
      async (guards) => {
        for (const [index, lock] of locks.entries()) {
          t.is(guards[index].mode, modes[index % modes.length])
          t.like(await lock.inspect(), { holders: [{ mode: guards[index].mode, count: 1 }] })
        }
        return 'result'
      },
      { timeout: 5000 },
    )
    t.is(result, 'result')
    t.true(await areFree(locks))
  })

  for (const [way, take] of /** @type {Array<[string, (locks: any[], options: any) => Promise<any>]>} */ ([
    ['lockAll', (locks, options) => lockAll(writeAll(locks), never, options)],
    ['acquireAll', (locks, options) => acquireAll(writeAll(locks), options)],
  ])) {
    test(`${way}: a timeout or an abort leaves no lock held, whichever is missing`, async (t) => {
      const locks = [open(t), open(t), open(t)]
      for (const missing of locks) {
        const guard = await missing.acquireWrite()
        const others = locks.filter((lock) => lock !== missing)
        await t.throwsAsync(take(locks, { timeout: 30 }), {
          code: 'ERR_LOCK_TIMEOUT',
          message: /^of 3 locks, not all were granted within 30 ms/,
        })
        t.true(await areFree(others))
        const controller = new AbortController()
        const taken = take(locks, { signal: controller.signal })
        await waitFor(async () => (await missing.inspect()).waiters.length === 1)
        controller.abort(new Error('too late'))
        await t.throwsAsync(taken, { message: 'too late' })
        t.true(await areFree(others))
        await guard.release()
        t.true(await isFree(missing))
      }
    })

    test(`${way}: a lock that is closed before the others are granted rejects the call`, async (t) => {
      const locks = [open(t), open(t)]
      for (const held of locks) {
        const [closed] = locks.filter((lock) => lock !== held)
        const guard = await held.acquireWrite()
        const taken = take(locks, {})
        await waitFor(async () => (await held.inspect()).waiters.length === 1)
        await closed.close()
        await guard.release()
        await t.throwsAsync(taken, { code: 'ERR_LOCK_CLOSED' })
        t.true(await isFree(held))
        locks[locks.indexOf(closed)] = open(t)
      }
    })
  }

  test('acquireAll: release() ends every hold, and may be awaited', async (t) => {
    const locks = [open(t), open(t)]
    const group = await acquireAll(writeAll(locks))
    t.false(group.released)
    await group.release()
    t.true(group.released)
    t.true(await areFree(locks))
    const again = await acquireAll(writeAll(locks))
    await again[Symbol.asyncDispose]()
    t.true(await areFree(locks))
  })

  test('the same lock twice is acquired once, in the stronger mode', async (t) => {
    const ref = newRef(t)
    const [one, other] = [open(t, ref), open(t, ref)]
    const wants = [
      { lock: one, mode: /** @type {const} */ ('read') },
      { lock: other, mode: /** @type {const} */ ('write') },
    ]
    await lockAll(wants, ([first, second]) => {
      t.is(first, second)
      t.is(first.mode, 'write')
    })
    t.true(await isFree(one))
  })

  test('tasks that take the same locks in opposite orders do not deadlock', async (t) => {
    const locks = [open(t), open(t), open(t), open(t)]
    let inside = 0
    const tasks = Array.from({ length: 20 }, (_, task) =>
      lockAll(
        writeAll(task % 2 ? locks : locks.toReversed()),
        async () => {
          t.is(++inside, 1)
          await new Promise((resolve) => setImmediate(resolve))
          inside--
        },
        { timeout: 10_000 },
      ),
    )
    await Promise.all(tasks)
    t.true(await areFree(locks))
  })

  test('a locked function runs inside a hold, with its arguments and its result', async (t) => {
    const lock = open(t)
    for (const mode of modes) {
      const fn = locked(
        lock,
        mode,
      )(async (/** @type {number} */ a, /** @type {number} */ b) => {
        t.like(await lock.inspect(), { holders: [{ mode }] })
        return a + b
      })
      t.is(await fn(1, 2), 3)
      t.true(await isFree(lock))
    }
  })

  test('locks of different engines are taken together, and in one order', async (t) => {
    const others = engines.map((engine) => engine.open(Object.values(engine.refs)[0](t)))
    const locks = [open(t), ...others]
    await Promise.all(
      [locks, locks.toReversed()].map((order) =>
        lockAll(writeAll(order), (guards) => t.is(guards.length, locks.length), { timeout: 10_000 }),
      ),
    )
    t.true(await areFree(locks))
    for (const lock of others) await lock.close()
  })
})
