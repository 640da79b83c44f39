// Re-entrant locks: calls inside a call of the same lock.
import { AsyncResource } from 'node:async_hooks'
import { readFile } from 'node:fs'
import { setImmediate, setTimeout } from 'node:timers/promises'
import { MessageChannel } from 'node:worker_threads'
import { acquireAll, LockError, lockAll, locked } from 'process-rwlock'
import { waitFor } from '../helpers/index.js'
import { queued } from '../helpers/observe.js'
import { contract } from './contract.js'
import { acquire, isFree, never, tryTo } from './modes.js'

const PENDING = Symbol('pending')

/** The value of a promise that has settled, else `PENDING`. @param {Promise<any>} promise */
async function settledBy(promise) {
  for (let turn = 0; turn < 10; turn++) await setImmediate()
  return Promise.race([promise, PENDING])
}

/** A promise that is resolved from outside. */
function gate() {
  /** @type {(value?: any) => void} */
  let open = never
  const opened = new Promise((resolve) => {
    open = resolve
  })
  return { open, opened }
}

/** The modes that a call may have inside a call in the key's mode, without a wait. */
const AT_ONCE = {
  read: ['read'],
  upgradable: ['read', 'upgradable'],
  write: ['read', 'upgradable', 'write'],
}

/** The context of the module, outside of every hold. */
const root = new AsyncResource('root')

/** Runs `fn` outside of every hold. @template T @param {() => T} fn @returns {T} */
const outside = (fn) => root.runInAsyncScope(fn)

contract(({ test, open, newRef, modes, otherProcess, otherThread }) => {
  /** Two objects of one re-entrant lock: a holder, and an outsider of the same thread. */
  const openTwo = (t, ref = newRef(t)) => [
    open(t, ref, { reentrant: true }),
    open(t, ref, { reentrant: true }),
  ]

  /** Whether a call of this mode, from outside of every hold, is granted. */
  const isGranted = async (lock, mode) => {
    const guard = await tryTo[mode](lock)
    await guard?.release()
    return guard !== null
  }

  // ---- which calls nest

  for (const outer of modes) {
    for (const inner of AT_ONCE[outer]) {
      test(`${inner} in ${outer} begins at once, and leaves the hold in its mode`, async (t) => {
        const [lock, outsider] = openTwo(t)
        const result = await lock[outer](async (guard) => {
          const begun = lock[inner](async (nested) => {
            t.is(nested.mode, inner)
            t.false(nested.released)
            t.is(nested.token, guard.token)
            return 'nested'
          })
          t.is(await begun, 'nested')
          t.false(guard.released)
          t.is(guard.mode, outer)
          t.false(await isGranted(outsider, 'write'))
          return 'outer'
        })
        t.is(result, 'outer')
        t.true(await isFree(outsider))
      })
    }
  }

  test('read in read begins at once although a writer waits', async (t) => {
    const [lock, other] = openTwo(t)
    /** @type {string[]} */
    const order = []
    /** @type {Promise<any> | undefined} */
    let writer
    await lock.read(async () => {
      writer = outside(() => other.write(() => order.push('writer')))
      await queued(other, process)
      const nested = lock.read(async () => {
        await lock.read(() => order.push('nested'))
      })
      t.not(await settledBy(nested), PENDING, 'it does not wait for the grace period of other reads')
      await nested
    })
    await writer
    t.deepEqual(order, ['nested', 'writer'])
  })

  test('write, read, write nest', async (t) => {
    const [lock, outsider] = openTwo(t)
    await lock.write(() =>
      lock.read(async (read) => {
        await lock.write(async (write) => {
          t.is(read.mode, 'read')
          t.is(write.mode, 'write')
          t.false(await isGranted(outsider, 'read'))
        })
        t.false(read.released)
        t.false(await isGranted(outsider, 'read'))
      }),
    )
    t.true(await isFree(outsider))
  })

  test('calls nest to depth 4 in every order of modes that begins with write', async (t) => {
    const [lock, outsider] = openTwo(t)
    for (const path of pathsOf(modes, 3)) {
      /** @type {string[]} */
      const order = []
      const descend = async (/** @type {string[]} */ [mode, ...rest]) => {
        await lock[mode](async (guard) => {
          order.push(guard.mode)
          if (rest.length > 0) await descend(rest)
          t.false(await isGranted(outsider, 'read'), `${path}`)
          t.false(guard.released)
        })
      }
      await descend(['write', ...path])
      t.deepEqual(order, ['write', ...path])
      t.true(await isFree(outsider))
    }
  })

  test('read, write, read in sequence do not nest', async (t) => {
    const [lock, outsider] = openTwo(t)
    const states = []
    for (const mode of ['read', 'write', 'read']) {
      await lock[mode](async () => states.push(await isGranted(outsider, 'read')))
      t.true(await isFree(outsider))
    }
    t.deepEqual(states, [true, false, true])
  })

  for (const inner of modes.filter((mode) => mode !== 'read')) {
    test(`${inner} in read is an error at once, which keeps the read hold`, async (t) => {
      const [lock, outsider] = openTwo(t)
      await lock.read(async (guard) => {
        const error = await t.throwsAsync(lock[inner](never), {
          instanceOf: LockError,
          code: 'ERR_LOCK_DEADLOCK',
        })
        t.regex(error.message, /lock\.upgradable\(\)/)
        await t.throwsAsync(
          lock.read(() => lock[inner](never)),
          { code: 'ERR_LOCK_DEADLOCK' },
        )
        t.false(guard.released)
        t.is(await lock.read(() => 'read'), 'read')
        t.false(await isGranted(outsider, 'write'))
        t.true(await isGranted(outsider, 'read'))
      })
      t.true(await isFree(outsider))
    })
  }

  test('write in upgradable excludes readers for its duration only', ['upgradable'], async (t) => {
    const [lock, outsider] = openTwo(t)
    await lock.upgradable(async (guard) => {
      const { token } = guard
      t.true(await isGranted(outsider, 'read'))
      await lock.write(async (write) => {
        t.is(write.mode, 'write')
        t.true(write.token > token)
        t.false(await isGranted(outsider, 'read'))
        await lock.write(() => lock.read(() => 'deeper'))
        t.false(await isGranted(outsider, 'read'))
      })
      t.is(guard.mode, 'upgradable')
      t.true(await isGranted(outsider, 'read'))
      t.false(await isGranted(outsider, 'upgradable'))
      // The same through a nested read: what counts is what the hold can become.
      await lock.read(() => lock.write(async () => t.false(await isGranted(outsider, 'read'))))
      t.true(await isGranted(outsider, 'read'))
    })
    t.true(await isFree(outsider))
  })

  test(
    'write in upgradable waits for readers, with its timeout and its signal',
    ['upgradable'],
    async (t) => {
      const [lock, outsider] = openTwo(t)
      const reader = await outsider.acquireRead()
      await lock.upgradable(async (guard) => {
        const error = await t.throwsAsync(lock.write(never, { timeout: 30 }), { code: 'ERR_LOCK_TIMEOUT' })
        t.like(error, { holders: [{ mode: 'read' }] })
        await t.throwsAsync(lock.write(never, { timeout: 0 }), { code: 'ERR_LOCK_TIMEOUT' })
        const controller = new AbortController()
        const aborted = lock.write(never, { signal: controller.signal })
        await setTimeout(20)
        controller.abort(new Error('not wanted'))
        await t.throwsAsync(aborted, { message: 'not wanted' })
        t.is(guard.mode, 'upgradable')
        t.true(await isGranted(outsider, 'read'))

        const written = lock.write(() => 'written')
        t.is(await settledBy(written), PENDING)
        await reader.release()
        t.is(await written, 'written')
      })
      t.true(await isFree(outsider))
    },
  )

  test(
    'several writes in upgradable share one upgrade, each with its own timeout',
    ['upgradable'],
    async (t) => {
      const [lock, outsider] = openTwo(t)
      const reader = await outsider.acquireRead()
      await lock.upgradable(async () => {
        const long = lock.write(() => 'long')
        const short = lock.write(never, { timeout: 40 })
        const controller = new AbortController()
        const aborted = lock.write(never, { signal: controller.signal, timeout: 10_000 })
        await t.throwsAsync(short, { code: 'ERR_LOCK_TIMEOUT' })
        controller.abort(new Error('not wanted'))
        await t.throwsAsync(aborted, { message: 'not wanted' })
        const last = lock.write(() => 'last', { timeout: 10_000 })
        t.is(await settledBy(long), PENDING)
        await reader.release()
        t.deepEqual(await Promise.all([long, last]), ['long', 'last'])
        t.true(await isGranted(outsider, 'read'))
      })
      t.true(await isFree(outsider))
    },
  )

  test('an upgrade inside a write hold is granted at once, and is no new hold', ['upgradable'], async (t) => {
    const [lock, outsider] = openTwo(t)
    await lock.write(async (outer) => {
      const { token } = outer
      await lock.upgradable(async (guard) => {
        await guard.upgrade()
        t.is(guard.mode, 'write')
        t.is(guard.token, token)
        t.is(guard.ownerDied, null)
      })
      t.is(outer.token, token)
    })
    t.true(await isFree(outsider))
  })

  test('an upgradable call whose nested write waits is not over before it', ['upgradable'], async (t) => {
    const [lock, outsider] = openTwo(t)
    const reader = await outsider.acquireRead()
    /** @type {Promise<any> | undefined} */
    let nested
    const outer = lock.upgradable(() => {
      nested = lock.write(async () => t.false(await isGranted(outsider, 'read')))
    })
    t.is(await settledBy(outer), PENDING)
    t.false(await isGranted(outsider, 'upgradable'))
    await reader.release()
    await outer
    await nested
    t.true(await isFree(outsider))
  })

  test('an upgrade that is given up leaves nothing behind', ['upgradable'], async (t) => {
    const [lock, outsider] = openTwo(t)
    const reader = await outsider.acquireRead()
    const controller = new AbortController()
    /** @type {Promise<any>[]} */
    const nested = []
    const outer = lock.upgradable(() => {
      nested.push(lock.write(never, { signal: controller.signal }))
      nested[0].catch(() => {})
    })
    await waitFor(() => nested.length === 1)
    t.is(await settledBy(outer), PENDING)
    controller.abort(new Error('not wanted'))
    await t.throwsAsync(nested[0], { message: 'not wanted' })
    await outer
    await reader.release()
    t.true(await isFree(outsider))
  })

  test('1,000 times read in write against write: nobody waits for itself, and no two write', async (t) => {
    const ref = newRef(t)
    let writing = 0
    let count = 0
    const exclusively = async () => {
      t.is(++writing, 1)
      await undefined
      writing--
      count++
    }
    const nesting = open(t, ref, { reentrant: true })
    const writing2 = open(t, ref, { reentrant: true })
    await Promise.all([
      repeat(1000, () => nesting.write(() => nesting.read(exclusively))),
      repeat(1000, () => writing2.write(exclusively)),
    ])
    t.is(count, 2000)
    t.true(await isFree(nesting))
  })

  // ---- errors

  for (const outer of modes) {
    test(`an error in a call nested in ${outer} is that of the nested call, and ends no other`, async (t) => {
      const [lock, outsider] = openTwo(t)
      const error = new Error('nested')
      const failing = () => {
        throw error
      }
      await lock[outer](async (guard) => {
        t.is(await t.throwsAsync(lock.read(failing)), error)
        t.is(await t.throwsAsync(lock.read(() => lock.read(async () => failing()))), error)
        t.false(guard.released)
        t.false(await isGranted(outsider, 'write'))
      })
      t.is(await t.throwsAsync(lock[outer](() => lock.read(() => lock.read(failing)))), error)
      t.true(await isFree(outsider))
    })
  }

  for (const [chaotic, happy] of [
    ['read', 'write'],
    ['write', 'read'],
  ]) {
    test(`${chaotic} calls that throw at random depths lose no ${happy} call`, async (t) => {
      const lock = open(t, newRef(t), { reentrant: true })
      const done = { read: 0, write: 0 }
      const calls = Array.from({ length: 20 }, async (_, index) => {
        if (index % 2 === 1) return lock[happy](() => void done[happy]++)
        return lock[chaotic](async () => {
          if (index % 4 === 0) await lock[chaotic](() => Promise.reject(new Error('broken')))
          await lock[chaotic](() => lock.read(() => void done[chaotic]++))
        })
      })
      const outcomes = await Promise.allSettled(calls)
      t.is(outcomes.filter(({ status }) => status === 'rejected').length, 5)
      t.deepEqual(done, /** @type {any} */ ({ [chaotic]: 5, [happy]: 10 }))
      t.true(await isFree(lock))
    })
  }

  test('a writer gets the lock after nested reads that throw', async (t) => {
    const [lock, other] = openTwo(t)
    let written = 0
    const calls = Array.from({ length: 20 }, (_, index) =>
      index % 2 === 0
        ? lock.read(() => lock.read(() => Promise.reject(new Error('broken'))))
        : other.write(() => written++),
    )
    const outcomes = await Promise.allSettled(calls)
    t.is(written, 10)
    t.is(outcomes.filter(({ status }) => status === 'rejected').length, 10)
    t.true(await isFree(lock))
  })

  // ---- what is inside

  for (const [what, pause] of /** @type {Array<[string, () => Promise<unknown>]>} */ ([
    ['a resolved promise', async () => undefined],
    ['a timer', () => setTimeout(2)],
    ['an immediate', () => setImmediate()],
    ['nextTick', () => new Promise((resolve) => process.nextTick(resolve))],
    [
      'a callback of the file system',
      () => new Promise((resolve) => readFile(import.meta.filename, resolve)),
    ],
    ['a message', () => message()],
    // biome-ignore lint/suspicious/noThenProperty: that is what is tested.
    ['a thenable', () => /** @type {any} */ ({ then: (/** @type {any} */ resolve) => resolve() })],
  ])) {
    test(`a call after an await of ${what} is inside`, async (t) => {
      const lock = open(t, newRef(t), { reentrant: true })
      await lock.write(async () => {
        await pause()
        t.is(await lock.write(() => 'nested', { timeout: 5000 }), 'nested')
        await lock.read(async () => {
          await pause()
          t.is(await lock.write(() => 'deeper', { timeout: 5000 }), 'deeper')
        })
      })
      t.true(await isFree(lock))
    })
  }

  test('branches of Promise.all inside a write hold all begin at once', async (t) => {
    const [lock, outsider] = openTwo(t)
    await lock.write(async () => {
      let begun = 0
      const all = gate()
      const branch = async () => {
        if (++begun === 3) all.open()
        await all.opened
        t.false(await isGranted(outsider, 'read'))
      }
      await Promise.all([lock.write(branch), lock.read(branch), lock.write(() => lock.read(branch))])
      t.is(begun, 3)
    })
    t.true(await isFree(outsider))
  })

  test('a nested function does not begin before its call has returned', async (t) => {
    const lock = open(t, newRef(t), { reentrant: true })
    await lock.write(async () => {
      let returned = false
      const nested = lock.write(() => t.true(returned))
      returned = true
      await nested
    })
  })

  test('a timer that outlives its call is outside', async (t) => {
    const [lock, other] = openTwo(t)
    const late = gate()
    const later = gate()
    let isHeld = false
    await lock.write(async () => {
      const wakes = () => setTimeout(1).then(() => (isHeld ? late.open(lock.write(() => 'late')) : wakes()))
      wakes()
    })
    const guard = await other.acquireWrite()
    isHeld = true
    const written = late.opened.then((value) => later.open(value))
    t.is(await settledBy(written), PENDING)
    await waitFor(async () => (await other.inspect()).waiters.length === 1)
    await guard.release()
    t.is(await later.opened, 'late')
  })

  test('what runs on after its call has ended excludes a hold of others, however deep it began', async (t) => {
    const [lock, other] = openTwo(t)
    const go = gate()
    /** @type {Array<Promise<any>>} */
    const runOn = []
    let exclusive = false
    const intrude = async (mode) => {
      await go.opened
      await lock[mode](() => t.false(exclusive))
    }
    await lock.write(async () => {
      runOn.push(intrude('write'))
      await lock.read(async () => {
        runOn.push(intrude('read'))
        await lock.write(() => {
          runOn.push(intrude('write'))
        })
      })
    })
    await other.write(async () => {
      exclusive = true
      go.open()
      await setTimeout(30)
      exclusive = false
    })
    await Promise.all(runOn)
    t.true(await isFree(lock))
  })

  test('what runs on after a nested call, inside the outer one, is inside', async (t) => {
    const lock = open(t, newRef(t), { reentrant: true })
    const go = gate()
    await lock.write(async () => {
      /** @type {Promise<any> | undefined} */
      let runsOn
      await lock.read(() => {
        runsOn = go.opened.then(() => lock.write(() => 'inside', { timeout: 5000 }))
      })
      go.open()
      t.is(await runsOn, 'inside')
    })
  })

  test('what runs on after the outer call is outside, also while a nested call lasts', async (t) => {
    const [lock, outsider] = openTwo(t)
    const go = gate()
    const end = gate()
    let nestedRuns = false
    /** @type {Promise<any> | undefined} */
    let runsOn
    const outer = lock.write(() => {
      runsOn = go.opened.then(() => lock.write(() => t.false(nestedRuns)))
      lock.write(async () => {
        nestedRuns = true
        await end.opened
        nestedRuns = false
      })
    })
    await waitFor(() => nestedRuns)
    go.open()
    t.is(await settledBy(/** @type {any} */ (runsOn)), PENDING)
    await queued(outsider, process)
    end.open()
    await outer
    await runsOn
    t.true(await isFree(outsider))
  })

  test('each call of a chain of timers has its own hold', async (t) => {
    const [lock, outsider] = openTwo(t)
    const done = gate()
    /** @type {bigint[]} */
    const tokens = []
    const link = () =>
      lock.write(({ token }) => {
        tokens.push(token)
        if (tokens.length === 20) done.open()
        else setTimeout(0).then(link)
      })
    await link()
    await done.opened
    await waitFor(() => isFree(outsider))
    for (const [index, token] of tokens.slice(1).entries()) t.true(token > tokens[index])
  })

  test('a callback that is bound to a context outside is outside', async (t) => {
    const lock = open(t, newRef(t), { reentrant: true })
    await lock.write(async () => {
      await t.throwsAsync(
        outside(() => lock.read(never, { timeout: 20 })),
        { code: 'ERR_LOCK_TIMEOUT' },
      )
    })
  })

  // ---- the end of a hold

  test('the hold ends with the last nested call, for which the outer call waits', async (t) => {
    const [lock, outsider] = openTwo(t)
    const first = gate()
    const second = gate()
    /** @type {Array<Promise<any>>} */
    const nested = []
    const outer = lock.write(() => {
      nested.push(lock.write(() => first.opened))
      nested.push(lock.write(() => lock.read(() => second.opened)))
      return 'outer'
    })
    await waitFor(() => nested.length === 2)
    t.is(await settledBy(outer), PENDING)
    t.false(await isGranted(outsider, 'read'))
    first.open('first')
    t.is(await nested[0], 'first')
    t.is(await settledBy(outer), PENDING)
    t.false(await isGranted(outsider, 'write'))
    second.open('second')
    t.is(await nested[1], 'second')
    t.is(await outer, 'outer')
    t.true(await isFree(outsider))
  })

  test('when one branch of Promise.all fails, the others keep the hold, and the outer call waits', async (t) => {
    const [lock, outsider] = openTwo(t)
    const end = gate()
    let ended = false
    const outer = lock.write(() =>
      Promise.all([
        lock.write(() => Promise.reject(new Error('broken'))),
        lock.write(async () => {
          await end.opened
          t.false(await isGranted(outsider, 'read'))
          ended = true
        }),
      ]),
    )
    t.is(await settledBy(outer), PENDING)
    t.false(await isGranted(outsider, 'read'))
    end.open()
    await t.throwsAsync(outer, { message: 'broken' })
    t.true(ended)
    t.true(await isFree(outsider))
  })

  test('a nested call that begins while the outer one waits for another shares the hold', async (t) => {
    const [lock, outsider] = openTwo(t)
    const go = gate()
    const end = gate()
    const outer = lock.write(() => {
      lock.read(async () => {
        await go.opened
        lock.write(async () => {
          await end.opened
          t.false(await isGranted(outsider, 'read'))
        })
      })
    })
    await setImmediate()
    go.open()
    t.is(await settledBy(outer), PENDING)
    end.open()
    await outer
    t.true(await isFree(outsider))
  })

  // ---- guards

  test('a nested guard that is released ends its call, and not the hold', async (t) => {
    const [lock, outsider] = openTwo(t)
    await lock.write(async (guard) => {
      await lock.write(async (nested) => {
        await nested.release()
        t.true(nested.released)
        await nested.release()
        t.false(guard.released)
        t.false(await isGranted(outsider, 'read'))
        t.is(await lock.read(() => 'inside the outer call'), 'inside the outer call')
      })
      t.false(await isGranted(outsider, 'read'))
    })
    t.true(await isFree(outsider))
  })

  test('an outer guard that is released ends the hold when the nested calls have ended', async (t) => {
    const [lock, outsider] = openTwo(t)
    const end = gate()
    await lock.write(async (guard) => {
      const nested = lock.write(async () => {
        await end.opened
        t.false(await isGranted(outsider, 'read'))
      })
      await setImmediate()
      guard.release()
      t.true(guard.released)
      t.false(await isGranted(outsider, 'read'))
      end.open()
      await nested
      t.true(await isFree(outsider))
      // The call is over: this one waits for its own hold.
      const other = await outsider.acquireWrite()
      await t.throwsAsync(lock.read(never, { timeout: 20 }), { code: 'ERR_LOCK_TIMEOUT' })
      await other.release()
      t.is(await lock.write(() => 'a hold of its own'), 'a hold of its own')
    })
    t.true(await isFree(outsider))
  })

  test('a guard cannot lower the mode that another call needs', async (t) => {
    const [lock, outsider] = openTwo(t)
    const end = gate()
    await lock.write(async (guard) => {
      await lock.write(async (nested) => {
        await nested.downgrade()
        t.is(nested.mode, 'read')
        t.is(guard.mode, 'write')
        t.false(await isGranted(outsider, 'read'))
      })
      const nested = lock.write(async () => {
        await end.opened
        t.false(await isGranted(outsider, 'read'))
      })
      await setImmediate()
      await guard.downgrade()
      t.is(guard.mode, 'read')
      t.false(await isGranted(outsider, 'read'))
      end.open()
      await nested
      t.true(await isGranted(outsider, 'read'))
      t.false(await isGranted(outsider, 'write'))
      await t.throwsAsync(lock.write(never), { code: 'ERR_LOCK_DEADLOCK' })
    })
    t.true(await isFree(outsider))
  })

  test('a nested guard can be upgraded if the hold can', ['upgradable'], async (t) => {
    const [lock, outsider] = openTwo(t)
    await lock.upgradable(async (guard) => {
      await lock.upgradable(async (nested) => {
        await nested.upgrade()
        t.is(nested.mode, 'write')
        t.is(guard.mode, 'upgradable')
        t.false(await isGranted(outsider, 'read'))
        await nested.downgrade('upgradable')
        t.true(await isGranted(outsider, 'read'))
        t.true(await nested.tryUpgrade())
        t.false(await isGranted(outsider, 'read'))
      })
      t.true(await isGranted(outsider, 'read'))
      await guard.upgrade()
      t.is(await lock.write(() => 'at once', { timeout: 0 }), 'at once')
      t.false(await isGranted(outsider, 'read'))
    })
    await lock.read(async (guard) => {
      await lock.read(async (nested) => t.false(await nested.tryUpgrade()))
      t.true(await guard.tryUpgrade())
      t.is(await lock.write(() => 'at once'), 'at once')
      t.false(await isGranted(outsider, 'read'))
    })
    t.true(await isFree(outsider))
  })

  test('a guard that is acquired belongs to no call, in either direction', async (t) => {
    const lock = open(t, newRef(t), { reentrant: true })
    await lock.write(async () => {
      for (const mode of modes) {
        t.is(await tryTo[mode](lock), null)
        await t.throwsAsync(acquire[mode](lock, { timeout: 10 }), { code: 'ERR_LOCK_TIMEOUT' })
      }
    })
    const guard = await lock.acquireWrite()
    for (const mode of modes) {
      await t.throwsAsync(lock[mode](never, { timeout: 10 }), { code: 'ERR_LOCK_TIMEOUT' })
    }
    await guard.release()
    t.true(await isFree(lock))
  })

  // ---- options

  test('a nested call whose signal aborts before its function begins rejects', async (t) => {
    const lock = open(t, newRef(t), { reentrant: true })
    const reason = new Error('too late')
    await lock.write(async (guard) => {
      await t.throwsAsync(lock.write(never, { signal: AbortSignal.abort(reason) }), { is: reason })
      const controller = new AbortController()
      const nested = lock.write(never, { signal: controller.signal })
      controller.abort(reason)
      await t.throwsAsync(nested, { is: reason })
      t.false(guard.released)
    })
    t.true(await isFree(lock))
  })

  test('a nested call with a timeout of 0 begins', async (t) => {
    const lock = open(t, newRef(t), { reentrant: true })
    const nested = () => lock.write(() => 'nested', { timeout: 0, label: 'nested' })
    t.is(await lock.write(nested, { label: 'outer' }), 'nested')
  })

  test('a nested call adds no hold that others see, and the label is that of the outer call', async (t) => {
    const lock = open(t, newRef(t), { reentrant: true })
    const look = async () => {
      const { holders } = await lock.inspect()
      t.like(holders, [{ mode: 'read', count: 1, label: 'outer' }])
      t.is(holders.length, 1)
    }
    await lock.read(() => lock.read(look, { label: 'nested' }), { label: 'outer' })
  })

  test('arguments of nested calls are checked', async (t) => {
    const lock = open(t, newRef(t), { reentrant: true })
    await lock.write(async () => {
      await t.throwsAsync(lock.read(/** @type {any} */ ('no function')), { code: 'ERR_INVALID_ARG_TYPE' })
      await t.throwsAsync(lock.read(never, { timeout: -1 }), { code: 'ERR_INVALID_ARG_VALUE' })
    })
    t.true(await isFree(lock))
  })

  // ---- which lock

  test('other objects of the same lock share the hold if they are re-entrant', async (t) => {
    const ref = newRef(t)
    const [lock, second] = openTwo(t, ref)
    const plain = open(t, ref)
    await lock.write(async () => {
      t.is(await second.write(() => 'shared'), 'shared')
      await t.throwsAsync(plain.write(never, { timeout: 10 }), { code: 'ERR_LOCK_TIMEOUT' })
    })
    await plain.write(async () => {
      await t.throwsAsync(lock.write(never, { timeout: 10 }), { code: 'ERR_LOCK_TIMEOUT' })
    })
    t.true(await isFree(lock))
  })

  test('a hold of one lock is none of another, however they nest', async (t) => {
    const [one, two] = [open(t, newRef(t), { reentrant: true }), open(t, newRef(t), { reentrant: true })]
    await one.write(async () => {
      t.true(await isFree(two))
      await two.read(async () => {
        t.is(await one.write(() => two.read(() => 'both')), 'both')
        await t.throwsAsync(two.write(never), { code: 'ERR_LOCK_DEADLOCK' })
      })
      t.true(await isFree(two))
    })
    t.true(await isFree(one))
  })

  for (const kind of /** @type {const} */ (['process', 'thread'])) {
    test(`another ${kind} is another owner`, [kind === 'process' ? 'processes' : 'threads'], async (t) => {
      const ref = newRef(t)
      const lock = open(t, ref, { reentrant: true })
      const other = await (kind === 'process' ? otherProcess(t) : otherThread(t))
      await other.ask('open', { ref, options: { reentrant: true } })
      await lock.write(() =>
        lock.write(async () => {
          t.is(await other.ask('tryRead'), null)
          t.is(await other.ask('nest', { modes: ['read'], options: { timeout: 20 } }), 'ERR_LOCK_TIMEOUT')
        }),
      )
      t.is(await other.ask('nest', { modes: ['write', 'read', 'write'] }), 'write read write')
      t.is(await other.ask('nest', { modes: ['read', 'write'] }), 'ERR_LOCK_DEADLOCK')
      t.true(await isFree(lock))
    })
  }

  test('processes and threads that nest never write beside another', ['processes', 'threads'], async (t) => {
    const ref = newRef(t)
    const lock = open(t, ref, { reentrant: true })
    const others = await Promise.all([otherProcess(t), otherProcess(t), otherThread(t)])
    for (const other of others) await other.ask('open', { ref, options: { reentrant: true } })
    let turns = 0
    const stop = gate()
    const nesting = others.map((other) => other.ask('nestRepeatedly', { ms: 600 }))
    setTimeout(600).then(stop.open)
    let running = true
    stop.opened.then(() => {
      running = false
    })
    while (running) {
      await lock.write(() =>
        lock.read(async ({ token }) => {
          await setImmediate()
          await lock.write((guard) => t.is(guard.token, token))
          turns++
        }),
      )
    }
    for (const { token, count } of await Promise.all(nesting)) {
      t.true(count > 0)
      t.true(token > 0n)
    }
    t.true(turns > 0)
    t.true(await isFree(lock))
  })

  // ---- closing

  test('closing the lock ends its hold for every call inside', async (t) => {
    const ref = newRef(t)
    const [lock, second] = openTwo(t, ref)
    const outsider = open(t, ref)
    const end = gate()
    /** @type {any[]} */
    const guards = []
    const outer = lock.write(async (guard) => {
      guards.push(guard)
      await Promise.all([
        lock.read((nested) => {
          guards.push(nested)
          return end.opened
        }),
        second.write((nested) => {
          guards.push(nested)
          return end.opened
        }),
      ])
    })
    await waitFor(() => guards.length === 3)
    await lock.close()
    t.deepEqual(
      guards.map(({ released }) => released),
      [true, true, true],
    )
    t.true(await isFree(outsider))
    await t.throwsAsync(lock.read(never), { code: 'ERR_LOCK_CLOSED' })
    end.open()
    await outer
    t.true(await isFree(outsider))
  })

  test('closing a lock object ends its nested calls, and not the hold they share', async (t) => {
    const ref = newRef(t)
    const [lock, second] = openTwo(t, ref)
    const outsider = open(t, ref)
    await lock.write(async (guard) => {
      const rejected = t.throwsAsync(second.write(never), { code: 'ERR_LOCK_CLOSED' })
      await second.close()
      await rejected
      t.false(guard.released)
      t.false(await isGranted(outsider, 'read'))
    })
    t.true(await isFree(outsider))
  })

  test('closing the lock before a nested function begins rejects its call', async (t) => {
    const [lock, second] = openTwo(t)
    const outer = lock.write(async () => {
      const rejected = t.throwsAsync(second.write(never), { code: 'ERR_LOCK_CLOSED' })
      await lock.close()
      await rejected
    })
    await outer
    t.true(await isFree(second))
  })

  test('closing the lock rejects nested writes that wait', ['upgradable'], async (t) => {
    const ref = newRef(t)
    const [lock, second] = openTwo(t, ref)
    const outsider = open(t, ref)
    const reader = await outsider.acquireRead()
    await lock.upgradable(async () => {
      const waits = [lock.write(never), second.write(never)]
      t.is(await settledBy(Promise.any(waits)), PENDING)
      await lock.close()
      for (const wait of waits) await t.throwsAsync(wait, { code: 'ERR_LOCK_CLOSED' })
    })
    await reader.release()
    t.true(await isFree(outsider))
  })

  // ---- reports, value, contention

  test(
    'a nested write that fails leaves a report of ownerDied, unless the outer one ends normally',
    ['ownerDied', 'upgradable', 'processes'],
    async (t) => {
      const ref = newRef(t)
      const [lock, outsider] = openTwo(t, ref)
      const fails = () => Promise.reject(new Error('not repaired'))
      const killed = await otherProcess(t)
      await killed.ask('hold', { ref, mode: 'write' })
      killed.kill()
      await killed.exited
      const reported = async () => (await outsider.inspect()).ownerDied?.pid === killed.pid

      await lock.upgradable(async (guard) => {
        t.is(guard.ownerDied?.pid, killed.pid)
        await lock
          .write(async (write) => {
            t.is(write.ownerDied?.pid, killed.pid)
            await t.throwsAsync(lock.write(fails))
            throw new Error('not repaired')
          })
          .catch(() => {})
        t.true(await reported())
        t.is(guard.mode, 'upgradable')
      })
      t.true(await reported())

      await t.throwsAsync(
        lock.write(() => lock.write(fails)),
        { message: 'not repaired' },
      )
      t.true(await reported())

      // A call that runs on after the outer one, and then fails.
      await lock.write(() => {
        lock
          .write(async () => {
            await setTimeout(5)
            await fails()
          })
          .catch(() => {})
      })
      t.true(await reported())

      await lock.upgradable(async () => {
        await lock.write(fails).catch(() => {})
        t.true(await reported())
        await lock.write(() => {})
        t.false(await reported())
      })
      t.false(await reported())
    },
  )

  test(
    'a nested write that fails, in a write that handles it, ends the report',
    ['ownerDied', 'processes'],
    async (t) => {
      const ref = newRef(t)
      const [lock, outsider] = openTwo(t, ref)
      const killed = await otherProcess(t)
      await killed.ask('hold', { ref, mode: 'write' })
      killed.kill()
      await killed.exited
      await lock.write(() => lock.write(() => Promise.reject(new Error('handled'))).catch(() => {}))
      t.is((await outsider.inspect()).ownerDied, null)
    },
  )

  test('a nested write sets the value of the lock, and a nested read does not', ['value'], async (t) => {
    const lock = open(t, newRef(t), { reentrant: true })
    await lock.write(async (guard) => {
      await lock.read(async (nested) => {
        await t.throwsAsync(async () => nested.setValue('x'), { code: 'ERR_LOCK_MODE' })
        await lock.write((writer) => writer.setValue('nested'))
        t.is(String(Buffer.from(/** @type {any} */ (await nested.value))), 'nested')
      })
      t.is(String(Buffer.from(/** @type {any} */ (await guard.value))), 'nested')
    })
  })

  test('every call of a hold is told that somebody waits', ['contention'], async (t) => {
    const [lock, outsider] = openTwo(t)
    const waits = /** @type {Promise<any>[]} */ ([])
    await lock.write((guard) =>
      lock.read(async (nested) => {
        t.false(nested.contended)
        const notices = [guard.whenContended(), nested.whenContended()]
        waits.push(outsider.acquireRead())
        await Promise.all(notices)
        t.true(guard.contended)
        t.true(nested.contended)
      }),
    )
    await (await waits[0]).release()
  })

  test('only a call that has the hold alone can yield', ['contention'], async (t) => {
    const [lock, outsider] = openTwo(t)
    await lock.write(async (guard) => {
      await lock.write(async (nested) => {
        await t.throwsAsync(nested.yield(), { code: 'ERR_LOCK_BUSY' })
        await t.throwsAsync(guard.yield(), { code: 'ERR_LOCK_BUSY' })
        t.false(nested.released)
      })
      /** @type {any} */
      let between
      const wait = outsider.acquireWrite().then(async (writer) => {
        // Inside this call, but the hold is that of another.
        between = lock.read(never, { timeout: 10 })
        await t.throwsAsync(between, { code: 'ERR_LOCK_TIMEOUT' })
        await writer.release()
      })
      await waitFor(() => guard.contended)
      const { token } = guard
      await guard.yield()
      await wait
      t.true(guard.token > token)
      t.false(guard.released)
      t.is(await lock.write(() => 'nested'), 'nested')
      t.false(await isGranted(outsider, 'read'))
    })
    t.true(await isFree(outsider))
  })

  test('a yield that times out ends the hold', ['contention'], async (t) => {
    const [lock, outsider] = openTwo(t)
    await lock.write(async (guard) => {
      const wait = outsider.acquireWrite()
      await waitFor(() => guard.contended)
      await t.throwsAsync(guard.yield({ timeout: 20 }), { code: 'ERR_LOCK_TIMEOUT' })
      t.true(guard.released)
      await (await wait).release()
    })
    t.true(await isFree(outsider))
  })

  test(
    'the signal of a nested guard aborts when the lock is closed, and not before',
    ['contention'],
    async (t) => {
      const [lock, second] = openTwo(t)
      /** @type {AbortSignal[]} */
      const signals = []
      await lock.write((guard) =>
        second.read(async (nested) => {
          signals.push(guard.signal, nested.signal)
          await second.read((ended) => void signals.push(ended.signal))
          t.true(signals.every(({ aborted }) => !aborted))
          await lock.close()
        }),
      )
      t.deepEqual(
        signals.map(({ aborted }) => aborted),
        [true, true, false],
      )
      t.is(signals[1].reason.code, 'ERR_LOCK_CLOSED')
    },
  )

  // ---- what stands on it

  test(
    'ensure inside a hold: at once in write and in upgradable, an error in read if it must make',
    ['upgradable'],
    async (t) => {
      const [lock, outsider] = openTwo(t)
      /** @type {string | undefined} */
      let made
      const load = () => made
      const make = async (guard) => {
        t.is(guard.mode, 'write')
        t.false(await isGranted(outsider, 'read'))
        await lock.write(() => {
          made = 'made'
        })
      }
      await lock.read(async () => {
        await t.throwsAsync(lock.ensure(load, never), { code: 'ERR_LOCK_DEADLOCK' })
      })
      for (const outer of ['write', 'upgradable']) {
        made = undefined
        await lock[outer](async (guard) => {
          t.is(await lock.ensure(load, make), 'made')
          t.is(await lock.ensure(load, never), 'made')
          t.is(guard.mode, outer)
          t.is(await isGranted(outsider, 'read'), outer === 'upgradable')
        })
      }
      made = undefined
      t.is(await lock.ensure(() => lock.read(load), make), 'made')
      t.is(await lock.read(() => lock.ensure(load, never)), 'made')
      t.true(await isFree(outsider))
    },
  )

  test('lockAll nests, and its locks are those of its function', async (t) => {
    const locks = [open(t, newRef(t), { reentrant: true }), open(t, newRef(t), { reentrant: true })]
    const [one, two] = locks
    await two.write(async () => {
      const result = await lockAll([{ lock: one }, { lock: two }], async ([first, second]) => {
        t.is(await one.write(() => two.write(() => 'both')), 'both')
        t.false(first.released || second.released)
        return 'all'
      })
      t.is(result, 'all')
      t.true(await isFree(one))
    })
    await two.read(async () => {
      await t.throwsAsync(lockAll([{ lock: one }, { lock: two }], never), { code: 'ERR_LOCK_DEADLOCK' })
      t.true(await isFree(one))
    })
    t.true(await isFree(two))
  })

  test('acquireAll does not nest, in either direction', async (t) => {
    const lock = open(t, newRef(t), { reentrant: true })
    await lock.write(async () => {
      await t.throwsAsync(acquireAll([{ lock }], { timeout: 20 }), { code: 'ERR_LOCK_TIMEOUT' })
    })
    const group = await acquireAll([{ lock }])
    await t.throwsAsync(lock.read(never, { timeout: 20 }), { code: 'ERR_LOCK_TIMEOUT' })
    await group.release()
    t.true(await isFree(lock))
  })

  test('a locked function may call others of the same lock', async (t) => {
    const lock = open(t, newRef(t), { reentrant: true })
    const load = locked(lock, 'read')(() => 'loaded')
    const save = locked(lock, 'write')(async () => `${await load()} and saved`)
    t.is(await locked(lock, 'write')(() => save())(), 'loaded and saved')
    t.true(await isFree(lock))
  })
})

/** Every path of this length. @param {readonly string[]} modes @returns {string[][]} */
function pathsOf(modes, length) {
  if (length === 0) return [[]]
  return pathsOf(modes, length - 1).flatMap((path) => modes.map((mode) => [...path, mode]))
}

async function repeat(times, fn) {
  for (let time = 0; time < times; time++) await fn()
}

function message() {
  const { port1, port2 } = new MessageChannel()
  return new Promise((resolve) => {
    port1.once('message', (value) => {
      port1.close()
      resolve(value)
    })
    port2.postMessage('here')
  })
}
