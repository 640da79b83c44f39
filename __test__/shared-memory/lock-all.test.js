// Several locks taken together: all or none, in one order, with one timeout and one signal.
import { linkSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { inspect } from 'node:util'
import { acquireAll, LockError, lockAll } from 'process-rwlock'
import {
  openLock,
  spawnChild,
  spawnThread,
  tempDir,
  test,
  timeoutFactor,
  uniqueName,
  waitFor,
} from '../helpers/index.js'
import { isFree, MODES, never } from '../helpers/modes.js'

/** @param {any} value */
const any = (value) => value
const SECOND = 1000 * timeoutFactor

/** Both ways to acquire several locks. With a guard group the hold ends at once. */
const WAYS = {
  lockAll: (wants, options, fn = () => {}) => lockAll(wants, fn, options),
  acquireAll: async (wants, options) => (await acquireAll(wants, options)).release(),
}
const ways = /** @type {Array<[string, (wants: any, options?: any, fn?: any) => Promise<any>]>} */ (
  Object.entries(WAYS)
)

/** Locks whose names are in the order in which they are acquired. */
function openLocks(t, count) {
  const name = uniqueName(t)
  return Array.from({ length: count }, (_, index) => openLock(t, `${name}/${index}`))
}

/** No thread holds any of the locks or waits for it. */
function assertFree(t, locks) {
  for (const lock of locks) {
    const { holders, waiters } = lock.inspect()
    t.deepEqual([...holders, ...waiters], [])
    t.true(isFree(lock))
  }
}

/** Has a writer of the lock die. */
async function poison(t, lock) {
  const child = await spawnChild(t)
  await child.ask('hold', { ref: lock.toJSON(), mode: 'write' })
  await child.kill()
  await lock.read(() => {}, { timeout: 5 * SECOND })
  t.is(lock.inspect().ownerDied?.pid, child.pid)
}

// ---- what is held

test('lockAll holds every lock in its mode while fn runs, and none afterwards', async (t) => {
  const locks = openLocks(t, 3)
  const [a, b, c] = locks
  const result = await lockAll(
    [{ lock: c, mode: 'read' }, { lock: a }, { lock: b, mode: 'upgradable' }],
    async (guards) => {
      t.deepEqual(
        guards.map((guard) => guard.mode),
        ['read', 'write', 'upgradable'],
      )
      await new Promise((resolve) => setImmediate(resolve))
      for (const [lock, mode] of /** @type {const} */ ([
        [c, 'read'],
        [a, 'write'],
        [b, 'upgradable'],
      ])) {
        t.like(lock.inspect(), { holders: [{ pid: process.pid, mode, count: 1 }] })
      }
      t.true(guards.every((guard) => !guard.released))
      t.is(guards[1].token, a.inspect().token)
      return 'result'
    },
  )
  t.is(result, 'result')
  assertFree(t, locks)
})

test('lockAll takes a fn that is not async', async (t) => {
  const locks = openLocks(t, 2)
  t.is(await lockAll([{ lock: locks[0] }, { lock: locks[1] }], (guards) => guards.length), 2)
  assertFree(t, locks)
})

test('fn never runs before lockAll has returned', async (t) => {
  const locks = openLocks(t, 2)
  for (const wants of [[], [{ lock: locks[0] }], [{ lock: locks[1] }, { lock: locks[0] }]]) {
    let returned = false
    const done = lockAll(wants, () => returned)
    returned = true
    t.true(await done)
  }
})

test('an empty list acquires nothing, and runs fn', async (t) => {
  t.deepEqual(await lockAll([], (guards) => guards), [])
  const group = await acquireAll([])
  t.deepEqual(group.guards, [])
  group.release()
  const reason = new Error('too late')
  for (const [, acquireBoth] of ways) {
    t.is(await acquireBoth([], { signal: AbortSignal.abort(reason) }, never).catch((error) => error), reason)
  }
})

test('acquireAll resolves with the guards in order; each ends with the group or by itself', async (t) => {
  const locks = openLocks(t, 3)
  const [a, b, c] = locks
  const group = await acquireAll([{ lock: c }, { lock: a, mode: 'read' }, { lock: b }])
  t.deepEqual(
    group.guards.map((guard) => guard.mode),
    ['write', 'read', 'write'],
  )
  t.false(group.released)
  group.guards[0].release()
  t.true(isFree(c))
  t.false(isFree(b))
  t.false(group.released)
  group.release()
  t.true(group.released)
  assertFree(t, locks)
  group.release()
  assertFree(t, locks)
})

for (const dispose of /** @type {const} */ ([Symbol.dispose, Symbol.asyncDispose])) {
  test(`a guard group has ${String(dispose)}, for using`, async (t) => {
    const locks = openLocks(t, 2)
    const group = await acquireAll([{ lock: locks[0] }, { lock: locks[1] }])
    await group[dispose]()
    t.true(group.released)
    assertFree(t, locks)
  })
}

test('release() of a guard group that was taken from it says so, and releases nothing', async (t) => {
  const locks = openLocks(t, 2)
  const group = await acquireAll([{ lock: locks[0] }, { lock: locks[1] }])
  const { release } = group
  t.throws(() => release(), { code: 'ERR_INVALID_THIS', message: /\(\) => guard\.release\(\)/ })
  t.throws(() => release.call(any({})), { code: 'ERR_INVALID_THIS' })
  t.false(group.released)
  group.release()
})

test('a release that fails does not keep the other holds', async (t) => {
  const locks = openLocks(t, 3)
  const group = await acquireAll(locks.map((lock) => ({ lock })))
  const error = new Error('refused')
  Object.defineProperty(group.guards[0], 'release', {
    value() {
      Object.getPrototypeOf(this).release.call(this)
      throw error
    },
  })
  t.is(
    t.throws(() => group.release()),
    error,
  )
  assertFree(t, locks)
})

test('release() of a guard group waits for releases that are not done at once', async (t) => {
  const locks = openLocks(t, 3)
  const group = await acquireAll(locks.map((lock) => ({ lock })))
  const error = new Error('refused')
  const ended = []
  const later = (index, fail) => ({
    async value() {
      await new Promise((resolve) => setTimeout(resolve, 10))
      Object.getPrototypeOf(this).release.call(this)
      ended.push(index)
      if (fail) throw error
    },
  })
  Object.defineProperty(group.guards[0], 'release', later(0, true))
  Object.defineProperty(group.guards[1], 'release', later(1, false))
  const released = /** @type {Promise<void>} */ (any(group.release()))
  t.true(isFree(locks[2]))
  t.is(await t.throwsAsync(released), error)
  t.deepEqual(ended, [0, 1])
  assertFree(t, locks)
})

test('release() of a guard group ends the calls of write() that hold its locks', async (t) => {
  const lock = openLock(t)
  const ends = []
  const identity = Symbol.for('process-rwlock.identity')
  const watched = {
    read: never,
    upgradable: never,
    write(fn) {
      const end = lock.write(fn)
      ends.push(end)
      return end
    },
    [identity]: () => lock[identity](),
  }
  const group = await acquireAll([{ lock: any(watched) }])
  group.release()
  t.is(ends.length, 1)
  t.is(await ends[0], undefined)
})

test('console.log shows what a guard group holds', async (t) => {
  const name = uniqueName(t)
  const group = await acquireAll([{ lock: openLock(t, name) }])
  t.regex(inspect(group, { depth: 4 }), new RegExp(`^GuardGroup \\{[^]*guards: \\[[^]*${name}[^]*'write'`))
  group.release()
})

// ---- the same lock twice

for (const first of MODES) {
  for (const second of MODES) {
    const strength = ['read', 'upgradable', 'write']
    const mode = strength[Math.max(strength.indexOf(first), strength.indexOf(second))]
    test(`a lock that is wanted for ${first} and for ${second} is acquired once, for ${mode}`, async (t) => {
      const name = uniqueName(t)
      const lock = openLock(t, name)
      const wants = [
        { lock, mode: first },
        { lock: openLock(t, { name }), mode: second },
      ]
      await lockAll(wants, ([one, other]) => {
        t.is(one, other)
        t.is(one.mode, /** @type {any} */ (mode))
        t.like(lock.inspect().holders, { length: 1, 0: { mode, count: 1 } })
      })
      t.true(isFree(lock))
      const group = await acquireAll(wants)
      t.is(group.guards[0], group.guards[1])
      group.release()
      t.true(isFree(lock))
    })
  }
}

test('a file that is given by different paths is the same lock', async (t) => {
  const directory = tempDir(t)
  const path = join(directory, 'lock')
  const lock = openLock(t, { path })
  symlinkSync(path, join(directory, 'symbolic'))
  linkSync(path, join(directory, 'hard'))
  const refs = [
    { path: pathToFileURL(path) },
    { path: join(directory, 'symbolic') },
    { path: join(directory, 'hard') },
    { path: join(directory, '..', directory.split(/[/\\]/).at(-1) ?? '', 'lock') },
  ]
  for (const ref of refs) {
    await lockAll(
      [{ lock, mode: 'read' }, { lock: openLock(t, ref) }],
      ([one, other]) => {
        t.is(one, other)
        t.is(one.mode, 'write')
      },
      { timeout: 5 * SECOND },
    )
  }
  assertFree(t, [lock])
})

test('a file and a name that is equal to its path are two locks', async (t) => {
  const path = join(tempDir(t), 'lock')
  const wants = [{ lock: openLock(t, { path }) }, { lock: openLock(t, { name: path }) }]
  await lockAll(wants, ([file, named]) => t.not(file, named))
})

// ---- all or none

for (const [way, acquireBoth] of ways) {
  for (const missing of [0, 1, 2]) {
    test(`${way}: if lock ${missing} of 3 is not granted in time, none is held`, async (t) => {
      const locks = openLocks(t, 3)
      const holder = await spawnThread(t)
      await holder.ask('hold', { ref: locks[missing].toJSON(), mode: 'write' })
      const wants = [2, 0, 1].map((index) => ({ lock: locks[index] }))
      const start = performance.now()
      const error = await acquireBoth(wants, { timeout: 60 }, never).catch((error) => error)
      t.true(performance.now() - start >= 59)
      t.true(error instanceof LockError)
      t.is(error.code, 'ERR_LOCK_TIMEOUT')
      t.like(error.holders, { length: 1, 0: { threadId: holder.threadId, mode: 'write' } })
      const name = JSON.parse(JSON.stringify(locks[missing])).name
      t.regex(error.message, new RegExp(`of 3 locks, not all .* within 60 ms.* '${name}' was not granted`))
      t.regex(error.stack, /^LockError: of 3 locks[^\n]*\n +at .*lock-all\.test\.js/)
      t.like(locks[missing].inspect(), { holders: { length: 1 }, waiters: [] })
      assertFree(t, locks.toSpliced(missing, 1))
      await holder.ask('release')
      await acquireBoth(wants, { timeout: 5 * SECOND })
    })
  }

  test(`${way}: the timeout bounds the wait for all the locks together`, async (t) => {
    const locks = openLocks(t, 4)
    const guards = await Promise.all(locks.map((lock) => lock.acquireWrite()))
    const start = performance.now()
    const done = acquireBoth(
      locks.map((lock) => ({ lock })),
      { timeout: SECOND },
      never,
    )
    // Each of the first three within the timeout, counted alone.
    for (const index of [0, 1, 2]) {
      setTimeout(() => guards[index].release(), (index + 1) * 0.25 * SECOND)
    }
    t.is((await done.catch((error) => error)).code, 'ERR_LOCK_TIMEOUT')
    const took = performance.now() - start
    t.true(took >= 0.999 * SECOND && took < 1.6 * SECOND, `took ${took} ms`)
    t.is(locks[3].inspect().waiters.length, 0)
    guards[3].release()
    assertFree(t, locks)
  })

  test(`${way}: locks that are free are granted even if the event loop was busy for the whole timeout`, async (t) => {
    const locks = openLocks(t, 3)
    const done = acquireBoth(
      locks.map((lock) => ({ lock })),
      { timeout: 5 },
    )
    const end = performance.now() + 20
    while (performance.now() < end);
    await done
    assertFree(t, locks)
  })

  test(`${way}: with a timeout of 0 it does not wait`, async (t) => {
    const locks = openLocks(t, 2)
    const wants = locks.map((lock) => ({ lock }))
    await acquireBoth(wants, { timeout: 0 })
    const guard = locks[1].tryRead()
    const error = await acquireBoth(wants, { timeout: 0 }, never).catch((error) => error)
    t.is(error.code, 'ERR_LOCK_TIMEOUT')
    t.regex(error.message, /not all were granted at once/)
    guard?.release()
    assertFree(t, locks)
  })

  for (const held of [0, 1]) {
    test(`${way}: an abort while lock ${held} of 2 is waited for leaves none held`, async (t) => {
      const locks = openLocks(t, 2)
      const guard = await locks[held].acquireWrite()
      const controller = new AbortController()
      const done = acquireBoth(
        locks.map((lock) => ({ lock })),
        { signal: controller.signal },
        never,
      )
      await waitFor(() => locks[held].inspect().waiters.length === 1)
      controller.abort()
      t.is(await done.catch((reason) => reason), controller.signal.reason)
      guard.release()
      assertFree(t, locks)
    })
  }

  test(`${way}: a signal that has aborted acquires none`, async (t) => {
    const locks = openLocks(t, 2)
    const wants = locks.map((lock) => ({ lock }))
    const signal = AbortSignal.abort()
    t.is(await acquireBoth(wants, { signal }, never).catch((reason) => reason), signal.reason)
    const controller = new AbortController()
    const done = acquireBoth(wants, { signal: controller.signal }, never)
    controller.abort() // before the first lock, which is free, is used
    t.is(await done.catch((reason) => reason), controller.signal.reason)
    assertFree(t, locks)
  })

  test(`${way}: a closed lock acquires none`, async (t) => {
    const locks = openLocks(t, 2)
    const lock = openLock(t)
    lock.close()
    for (const order of [
      [...locks, lock],
      [lock, ...locks],
    ]) {
      const wants = order.map((lock) => ({ lock }))
      t.is((await acquireBoth(wants, {}, never).catch((error) => error)).code, 'ERR_LOCK_CLOSED')
    }
    assertFree(t, locks)
  })

  test(`${way}: if the lock that it waits for is closed, none is held`, async (t) => {
    const locks = openLocks(t, 3)
    const wants = locks.map((lock) => ({ lock }))
    const again = openLock(t, locks[1].toJSON())
    const guard = await again.acquireWrite()
    const done = acquireBoth(wants, {}, never)
    await waitFor(() => again.inspect().waiters.length === 1)
    locks[1].close()
    t.is((await done.catch((error) => error)).code, 'ERR_LOCK_CLOSED')
    guard.release()
    assertFree(t, [locks[0], again, locks[2]])
  })

  test(`${way}: if a lock is closed that it has acquired already, none is held`, async (t) => {
    const locks = openLocks(t, 3)
    const wants = locks.map((lock) => ({ lock }))
    const guard = await locks[2].acquireWrite()
    const done = acquireBoth(wants, {}, never)
    await waitFor(() => locks[2].inspect().waiters.length === 1)
    const { name } = /** @type {any} */ (locks[0].toJSON())
    locks[0].close()
    guard.release()
    const error = await done.catch((error) => error)
    t.is(error.code, 'ERR_LOCK_CLOSED')
    t.true(error.message.includes(`'${name}'`), error.message)
    assertFree(t, [openLock(t, name), locks[1], locks[2]])
  })

  test(`${way}: a report that a writer died stays if another lock is missing`, async (t) => {
    const locks = openLocks(t, 2)
    await poison(t, locks[0])
    const guard = await locks[1].acquireWrite()
    const wants = locks.map((lock) => ({ lock }))
    t.is((await acquireBoth(wants, { timeout: 30 }, never).catch((error) => error)).code, 'ERR_LOCK_TIMEOUT')
    t.truthy(locks[0].inspect().ownerDied)
    const controller = new AbortController()
    const done = acquireBoth(wants, { signal: controller.signal }, never)
    await waitFor(() => locks[1].inspect().waiters.length === 1)
    controller.abort()
    await t.throwsAsync(done, { any: true })
    t.truthy(locks[0].inspect().ownerDied)
    guard.release()
    await acquireBoth(wants, {})
    t.is(locks[0].inspect().ownerDied, null)
  })

  test(`${way}: options of lock.write() are checked, and name each hold`, async (t) => {
    const locks = openLocks(t, 2)
    const wants = locks.map((lock) => ({ lock }))
    for (const options of [null, 1, { timeout: '1' }, { signal: {} }, { label: 1 }]) {
      t.is((await acquireBoth(wants, options, never).catch((error) => error)).code, 'ERR_INVALID_ARG_TYPE')
    }
    t.is(
      (await acquireBoth(wants, { timeout: -1 }, never).catch((error) => error)).code,
      'ERR_INVALID_ARG_VALUE',
    )
    assertFree(t, locks)
    const group = await acquireAll(wants, { label: 'transfer' })
    for (const lock of locks) t.like(lock.inspect(), { holders: [{ label: 'transfer' }] })
    group.release()
  })

  test(`${way}: invalid wants are rejected, and acquire none`, async (t) => {
    const [lock] = openLocks(t, 1)
    const type = /** @type {Array<[any, RegExp]>} */ ([
      [undefined, /wants must be an array/],
      [new Set(), /wants must be an array/],
      [[undefined], /wants\[0\] must be an object/],
      [[{ lock }, 'x'], /wants\[1\] must be an object/],
      [[{ lock }, {}], /wants\[1\]\.lock must be a lock/],
      [[lock], /wants\[0\]\.lock must be a lock/],
      [[{ lock: lock.toJSON() }], /wants\[0\]\.lock must be a lock/],
      [[{ lock: { read() {}, write() {}, upgradable() {} } }], /wants\[0\]\.lock must be a lock/],
    ])
    for (const [wants, message] of type) {
      const error = await acquireBoth(wants, {}, never).catch((error) => error)
      t.is(error.code, 'ERR_INVALID_ARG_TYPE')
      t.regex(error.message, message)
    }
    for (const mode of ['exclusive', null, 1, 'toJSON']) {
      const error = await acquireBoth([{ lock, mode }], {}, never).catch((error) => error)
      t.is(error.code, 'ERR_INVALID_ARG_VALUE')
      t.regex(error.message, /wants\[0\]\.mode must be 'read', 'write' or 'upgradable'/)
    }
    assertFree(t, [lock])
  })
}

test('fn must be a function', async (t) => {
  const [lock] = openLocks(t, 1)
  t.is((await lockAll([{ lock }], any(undefined)).catch((error) => error)).code, 'ERR_INVALID_ARG_TYPE')
  t.true(isFree(lock))
})

// ---- how the holds end

for (const [how, fn] of Object.entries({
  throws: (error) => {
    throw error
  },
  rejects: (error) => Promise.reject(error),
})) {
  test(`if fn ${how}, the error passes on, nothing is held, and reports that a writer died stay`, async (t) => {
    const locks = openLocks(t, 3)
    await poison(t, locks[0])
    await poison(t, locks[2])
    const error = new Error('of fn')
    const wants = locks.map((lock) => ({ lock }))
    t.is(await lockAll(wants, () => fn(error)).catch((error) => error), error)
    const died = locks.map((lock) => lock.inspect().ownerDied !== null)
    t.deepEqual(died, [true, false, true])
    await lockAll(wants, (guards) =>
      t.deepEqual(
        guards.map((guard) => guard.ownerDied !== null),
        died,
      ),
    )
    for (const lock of locks) t.is(lock.inspect().ownerDied, null)
    assertFree(t, locks)
  })
}

test('a timeout inside fn passes on as it is', async (t) => {
  const locks = openLocks(t, 3)
  const guard = locks[2].tryWrite()
  const error = await lockAll([{ lock: locks[0] }, { lock: locks[1] }], () =>
    locks[2].read(never, { timeout: 0 }),
  ).catch((error) => error)
  t.is(error.code, 'ERR_LOCK_TIMEOUT')
  t.notRegex(error.message, /of 2 locks/)
  guard?.release()
})

test('fn may change the mode of a guard, and release it', async (t) => {
  const locks = openLocks(t, 2)
  const wants = locks.map((lock) => ({ lock, mode: /** @type {const} */ ('upgradable') }))
  await lockAll(wants, async ([first, second]) => {
    await first.upgrade()
    first.downgrade()
    second.release()
    t.like(locks[0].inspect(), { holders: [{ mode: 'read' }] })
    t.true(isFree(locks[1]))
  })
  assertFree(t, locks)
})

// ---- the order

test('tasks that take the same locks in opposite orders do not deadlock', async (t) => {
  const locks = openLocks(t, 5)
  let inside = 0
  let ran = 0
  await Promise.all(
    Array.from({ length: 40 }, (_, task) =>
      lockAll(
        (task % 2 ? locks : locks.toReversed()).map((lock) => ({ lock })),
        async () => {
          t.is(++inside, 1)
          await new Promise((resolve) => setImmediate(resolve))
          inside--
          ran++
        },
        { timeout: 10 * SECOND },
      ),
    ),
  )
  t.is(ran, 40)
  assertFree(t, locks)
})

test('of two locks the same one is acquired first, however they are given', async (t) => {
  const name = uniqueName(t)
  const directory = tempDir(t)
  const refs = [`${name}/b`, `${name}/a`, { path: join(directory, 'a') }, { path: join(directory, 'b') }]
  const locks = refs.map((ref) => openLock(t, ref))

  /** Whether `free` is acquired before `held`, for which another hold makes the call wait. */
  const comesFirst = async (free, held) => {
    const guard = await held.acquireWrite()
    const results = []
    for (const order of [
      [held, free],
      [free, held],
    ]) {
      const wants = order.map((lock) => ({ lock }))
      const controller = new AbortController()
      const done = lockAll(wants, never, { signal: controller.signal })
      await waitFor(() => held.inspect().waiters.length === 1)
      results.push(free.inspect().holders.length === 1)
      controller.abort()
      await t.throwsAsync(done, { any: true })
    }
    guard.release()
    t.is(results[0], results[1])
    return results[0]
  }
  const order = []
  for (const lock of locks) {
    let before = 0
    for (const other of locks) if (other !== lock && (await comesFirst(other, lock))) before++
    order[before] = lock
  }
  t.is(new Set(order).size, locks.length, 'there is an order')
  t.true(order.indexOf(locks[1]) < order.indexOf(locks[0]), 'that of the names')
})
