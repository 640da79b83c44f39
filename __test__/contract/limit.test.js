// maxReaders: a limit on the read holds of all users together.
import { waitFor } from '../helpers/index.js'
import { queued } from '../helpers/observe.js'
import { contract } from './contract.js'
import { acquire, isFree, never, tryTo } from './modes.js'

contract(({ test, open, newRef, modes, otherProcess, otherThread }) => {
  /** Some engines create a lock at its first use. @param {import('./contract.js').Test} t @param {any} ref @param {number} maxReaders */
  const create = async (t, ref, maxReaders) => {
    const lock = open(t, ref, { maxReaders })
    await lock.inspect()
    return lock
  }

  test('there are as many read holds as maxReaders says, and no more', ['limit'], async (t) => {
    for (const maxReaders of [1, 2, 7]) {
      const ref = newRef(t)
      const locks = [open(t, ref, { maxReaders }), open(t, ref)]
      const guards = []
      for (let n = 0; n < maxReaders; n++) guards.push(await tryTo.read(locks[n % 2]))
      t.false(guards.includes(null), `${maxReaders}`)
      for (const lock of locks) t.is(await tryTo.read(lock), null)
      for (const guard of guards) {
        await guard?.release()
        const next = await tryTo.read(locks[1])
        t.truthy(next, 'an ended hold makes room')
        t.is(await tryTo.read(locks[0]), null)
        await next?.release()
        guards.push(await tryTo.read(locks[0]))
        if (guards.length === 3 * maxReaders) break
      }
    }
  })

  for (const other of /** @type {const} */ (['process', 'thread'])) {
    test(
      `the read holds of another ${other} count`,
      ['limit', other === 'process' ? 'processes' : 'threads'],
      async (t) => {
        const ref = newRef(t)
        const lock = await create(t, ref, 2)
        const child = await (other === 'process' ? otherProcess(t) : otherThread(t))
        await child.ask('hold', { ref, mode: 'read' })
        const own = await lock.acquireRead()
        t.is(await tryTo.read(lock), null)
        t.is(await child.ask('tryRead'), null)
        await own.release()
        t.truthy(await child.ask('tryRead'))
        t.is(await tryTo.read(lock), null)
        await child.ask('release')
        t.truthy(await tryTo.read(lock))
      },
    )

    test(
      `a read waits until the ${other} that reads has released`,
      ['limit', other === 'process' ? 'processes' : 'threads'],
      async (t) => {
        const ref = newRef(t)
        const lock = await create(t, ref, 1)
        const child = await (other === 'process' ? otherProcess(t) : otherThread(t))
        await child.ask('hold', { ref, mode: 'read' })
        let granted = false
        const read = lock.read(() => {
          granted = true
        })
        await waitFor(async () => (await lock.inspect()).waiters.length === 1)
        t.false(granted)
        await child.ask('release')
        await read
        t.true(granted)
      },
    )
  }

  test('reads that wait are granted in their order, one for each release', ['limit'], async (t) => {
    const ref = newRef(t)
    const [lock, other] = [open(t, ref, { maxReaders: 2 }), open(t, ref)]
    const held = [await lock.acquireRead(), await other.acquireRead()]
    const order = /** @type {number[]} */ ([])
    const waits = []
    for (let n = 0; n < 6; n++) {
      waits.push(
        (n % 2 ? lock : other).acquireRead().then((guard) => {
          order.push(n)
          held.push(guard)
        }),
      )
    }
    await waitFor(async () => (await lock.inspect()).holders[0].count === 2)
    for (let n = 0; n < 6; n++) {
      await held.shift()?.release()
      await waits[n]
      t.deepEqual(order, [0, 1, 2, 3, 4, 5].slice(0, n + 1))
    }
    for (const guard of held) await guard.release()
    t.true(await isFree(lock))
  })

  test('a write that waits has its turn, whatever reads come after it', ['limit'], async (t) => {
    const ref = newRef(t)
    const [lock, other] = [open(t, ref, { maxReaders: 1 }), open(t, ref)]
    const reader = await lock.acquireRead()
    const order = /** @type {string[]} */ ([])
    const write = other.write(() => {
      order.push('write')
    })
    await waitFor(async () => (await lock.inspect()).waiters.length === 1)
    const reads = Array.from({ length: 3 }, () =>
      other.read(() => {
        order.push('read')
      }),
    )
    await reader.release()
    await Promise.all([write, ...reads])
    t.deepEqual(order, ['write', 'read', 'read', 'read'])
  })

  test(
    'a write has its turn among processes that take the read holds again and again',
    ['limit', 'processes'],
    async (t) => {
      const ref = newRef(t)
      const lock = await create(t, ref, 1)
      const child = await otherProcess(t)
      await child.ask('hold', { ref, mode: 'read' })
      let written = false
      const write = lock.write(() => {
        written = true
      })
      await queued(lock, process)
      // On a busy machine a read may pass a process that is not scheduled within 5 ms, but not for ever.
      for (let guard = 0; !written; guard++) {
        t.true(guard < 100)
        const again = child.ask('acquireRead')
        await waitFor(async () => written || (await lock.inspect()).waiters.length === 2)
        await child.ask('release', { guard })
        await again
      }
      await write
    },
  )

  test('upgradable and write holds do not count', ['limit', 'upgradable'], async (t) => {
    const lock = open(t, undefined, { maxReaders: 1 })
    const upgradable = await lock.acquireUpgradable()
    const reader = await lock.acquireRead()
    t.is(await tryTo.read(lock), null)
    await reader.release()
    await upgradable.upgrade()
    t.is(await tryTo.read(lock), null)
    await upgradable.downgrade('upgradable')
    await (await lock.acquireRead()).release()
    await upgradable.release()
    t.true(await isFree(lock))
  })

  test('a write hold that becomes a read hold always has room, and counts', ['limit'], async (t) => {
    const lock = open(t, undefined, { maxReaders: 1 })
    const guard = await lock.acquireWrite()
    await guard.downgrade()
    t.is(guard.mode, 'read')
    t.is(await tryTo.read(lock), null)
    await guard.release()
    t.truthy(await tryTo.read(lock))
  })

  test(
    'an upgradable hold becomes a read hold only if there is room, and else stays upgradable',
    ['limit', 'upgradable'],
    async (t) => {
      const lock = open(t, undefined, { maxReaders: 1 })
      const upgradable = await lock.acquireUpgradable()
      const reader = await lock.acquireRead()
      const error = await t.throwsAsync(async () => upgradable.downgrade(), { code: 'ERR_LOCK_BUSY' })
      t.regex(`${error?.message}`, /stays upgradable/)
      t.false(upgradable.released)
      t.is(upgradable.mode, 'upgradable')
      t.is(await tryTo.upgradable(lock), null)
      await reader.release()
      t.true(await upgradable.tryUpgrade())
      await upgradable.downgrade('upgradable')
      await upgradable.downgrade()
      t.is(upgradable.mode, 'read')
      t.is(await tryTo.read(lock), null)
      await upgradable.release()
      t.true(await isFree(lock))
    },
  )

  test('inspect() shows the limit that the creator of the lock has set', ['limit'], async (t) => {
    const [limited, plain] = [newRef(t), newRef(t)]
    t.is((await open(t, limited, { maxReaders: 3 }).inspect()).maxReaders, 3)
    for (const maxReaders of [undefined, 3, 4]) {
      t.is((await open(t, limited, { maxReaders }).inspect()).maxReaders, 3, `asked for ${maxReaders}`)
    }
    t.is((await open(t, plain).inspect()).maxReaders, null)
    const other = open(t, plain, { maxReaders: 1 })
    t.is((await other.inspect()).maxReaders, null)
    t.truthy(await tryTo.read(other))
    t.truthy(await tryTo.read(other))
  })

  test('a read that finds no room in time says who reads', ['limit'], async (t) => {
    const lock = open(t, undefined, { maxReaders: 2 })
    const readers = [await lock.acquireRead({ label: 'a long download' }), await lock.acquireRead()]
    for (const timeout of [0, 20]) {
      const error = await t.throwsAsync(lock.read(never, { timeout }), { code: 'ERR_LOCK_TIMEOUT' })
      t.like(error, { holders: [{ mode: 'read', count: 2 }] })
      t.regex(`${error?.message}`, /a long download/)
    }
    for (const reader of readers) await reader.release()
    t.deepEqual((await lock.inspect()).waiters, [])
    t.true(await isFree(lock))
  })

  test('a read that gave up takes no room', ['limit'], async (t) => {
    const ref = newRef(t)
    const [lock, other] = [open(t, ref, { maxReaders: 1 }), open(t, ref)]
    const reader = await lock.acquireRead()
    const controller = new AbortController()
    const aborted = other.read(never, { signal: controller.signal })
    const late = other.read(never, { timeout: 10 })
    const next = other.acquireRead()
    await t.throwsAsync(late, { code: 'ERR_LOCK_TIMEOUT' })
    controller.abort(new Error('not needed'))
    await t.throwsAsync(aborted, { message: 'not needed' })
    await reader.release()
    await (await next).release()
    t.true(await isFree(lock))
  })

  test('a reader is told of a read that the limit keeps out', ['limit', 'contention'], async (t) => {
    const ref = newRef(t)
    const [lock, other] = [open(t, ref, { maxReaders: 1 }), open(t, ref)]
    const guard = await lock.acquireRead()
    t.false(guard.contended)
    const told = guard.whenContended()
    const wait = other.acquireRead()
    await told
    t.true(guard.contended)
    const again = guard.yield()
    await (await wait).release()
    await again
    t.is(guard.mode, 'read')
    t.is(await tryTo.read(other), null)
    await guard.release()
    t.true(await isFree(lock))
  })

  test('closing releases the read holds, and makes room', ['limit'], async (t) => {
    const ref = newRef(t)
    const [lock, other] = [open(t, ref, { maxReaders: 2 }), open(t, ref)]
    await lock.acquireRead()
    await lock.acquireRead()
    const waits = [other.acquireRead(), other.acquireRead()]
    await lock.close()
    for (const guard of await Promise.all(waits)) await guard.release()
    t.true(await isFree(other))
  })

  test('with a limit, each mode keeps the same modes out as without one', ['limit'], async (t) => {
    const lock = open(t, undefined, { maxReaders: 5 })
    for (const held of modes) {
      const guard = await acquire[held](lock)
      for (const wanted of modes) {
        const other = await tryTo[wanted](lock)
        const conflict = held === 'write' || wanted === 'write' || (held === wanted && held !== 'read')
        t.is(other === null, conflict, `${wanted} beside ${held}`)
        await other?.release()
      }
      await guard.release()
    }
  })
})
