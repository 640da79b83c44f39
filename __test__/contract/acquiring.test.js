import { setImmediate } from 'node:timers/promises'
import { waitFor } from '../helpers/index.js'
import { contract } from './contract.js'
import { acquire, isFree, ops, TOGETHER, tryTo } from './modes.js'

contract(({ test, open, newRef, modes, otherProcess }) => {
  // ---- compatible modes

  for (const held of modes) {
    for (const wanted of modes) {
      const may = TOGETHER[held][wanted]
      test(
        `while ${held} is held, ${wanted} is ${may ? 'granted' : 'not granted'}, in this process and in others`,
        ['processes'],
        async (t) => {
          const ref = newRef(t)
          const lock = open(t, ref)
          const child = await otherProcess(t)
          await child.ask('open', { ref })
          const op = ops[wanted].try

          const guard = await acquire[held](lock)
          const here = await tryTo[wanted](lock)
          t.is(here?.mode, may ? wanted : undefined)
          await here?.release()
          t.is((await child.ask(op))?.mode, may ? wanted : undefined)
          if (may) await child.ask('release')

          await guard.release()
          const after = await tryTo[wanted](lock)
          t.is(after?.mode, wanted)
          await after?.release()
          t.is((await child.ask(op))?.mode, wanted)
        },
      )
    }
  }

  test('a wait is granted when no conflicting hold is left, and not before', async (t) => {
    const lock = open(t)
    for (const held of modes) {
      for (const wanted of modes.filter((mode) => !TOGETHER[held][mode])) {
        const guard = await acquire[held](lock)
        let granted = false
        const waits = acquire[wanted](lock).then((guard) => {
          granted = true
          return guard
        })
        for (let turn = 0; turn < 5; turn++) await setImmediate()
        t.false(granted, `${wanted} while ${held} is held`)
        await guard.release()
        const next = await waits
        t.is(next.mode, wanted)
        await next.release()
      }
    }
  })

  // ---- with a function

  for (const mode of modes) {
    test(`${mode}(fn) holds the lock while fn runs, and resolves with its result`, async (t) => {
      const lock = open(t)
      const result = await lock[mode](async (guard) => {
        t.is(guard.mode, mode)
        t.false(guard.released)
        t.like(await lock.inspect(), { holders: [{ mode, count: 1 }] })
        return { result: mode }
      })
      t.deepEqual(result, { result: mode })
      t.true(await isFree(lock))
    })

    test(`${mode}(fn) holds the lock until the promise of fn settles`, async (t) => {
      const lock = open(t)
      /** @type {import('process-rwlock').AsyncGuard | undefined} */
      let inside
      const result = await lock[mode](async (guard) => {
        inside = guard
        await setImmediate()
        t.false(guard.released)
        t.false(await isFree(lock))
        await setImmediate()
        return mode
      })
      t.is(result, mode)
      t.true(inside?.released)
      t.true(await isFree(lock))
    })

    test(`${mode}(fn) waits for any thenable`, async (t) => {
      const lock = open(t)
      let heldAtTheEnd = false
      const thenable = {
        // biome-ignore lint/suspicious/noThenProperty: a thenable that is no promise
        then(resolve) {
          setImmediate().then(async () => {
            heldAtTheEnd = !(await isFree(lock))
            resolve(mode)
          })
        },
      }
      t.is(await lock[mode](() => /** @type {any} */ (thenable)), mode)
      t.true(heldAtTheEnd)
      t.true(await isFree(lock))
    })

    test(`${mode}(fn) waits for the promise of fn itself, even if it has a "then" of its own`, async (t) => {
      const lock = open(t)
      let heldAtTheEnd = false
      const promise = setImmediate().then(async () => {
        heldAtTheEnd = !(await isFree(lock))
        return mode
      })
      // biome-ignore lint/suspicious/noThenProperty: a promise with a "then" of its own, which `await` ignores
      const deaf = Object.assign(promise, { then() {} })
      t.is(await lock[mode](() => deaf), mode)
      t.true(heldAtTheEnd)
      t.true(await isFree(lock))
    })

    test(`${mode}(fn) rejects with the error of a "then" getter of the result, and releases`, async (t) => {
      const lock = open(t)
      const error = new Error('thrown by a getter')
      const result = {
        // biome-ignore lint/suspicious/noThenProperty: the getter is what the test is about
        get then() {
          throw error
        },
      }
      t.is(await t.throwsAsync(lock[mode](() => /** @type {any} */ (result))), error)
      t.true(await isFree(lock))
    })

    test(`${mode}(fn) rejects with the error that fn throws, and releases`, async (t) => {
      const lock = open(t)
      const error = new Error('thrown in fn')
      /** @type {import('process-rwlock').AsyncGuard | undefined} */
      let inside
      const thrown = await t.throwsAsync(
        lock[mode]((guard) => {
          inside = guard
          throw error
        }),
      )
      t.is(thrown, error)
      t.true(inside?.released)
      t.true(await isFree(lock))
    })

    test(`${mode}(fn) rejects with the reason of the promise of fn, and releases`, async (t) => {
      const lock = open(t)
      const error = new Error('rejected in fn')
      const thrown = await t.throwsAsync(
        lock[mode](async () => {
          await setImmediate()
          throw error
        }),
      )
      t.is(thrown, error)
      t.true(await isFree(lock))
    })

    test(`${mode}(fn) rejects with any thrown value, including values that are not errors`, async (t) => {
      const lock = open(t)
      for (const thrown of [undefined, null, 0, 'text']) {
        const outcome = await lock[mode](() => {
          throw thrown
        }).then(
          () => 'fulfilled',
          (reason) => ({ reason }),
        )
        t.deepEqual(outcome, { reason: thrown })
        t.true(await isFree(lock))
      }
    })

    test(`${mode}(fn) returns its promise before fn runs`, async (t) => {
      const lock = open(t)
      const log = []
      const promise = lock[mode](() => log.push('fn'))
      log.push('returned')
      t.true(promise instanceof Promise)
      await promise
      t.deepEqual(log, ['returned', 'fn'])
    })

    test(`${mode}(fn) continues without the lock after fn has released it`, async (t) => {
      const lock = open(t)
      const result = await lock[mode](async (guard) => {
        await guard.release()
        t.true(guard.released)
        t.true(await isFree(lock))
        return 'gone on'
      })
      t.is(result, 'gone on')
      t.true(await isFree(lock))
    })

    test(`${mode}(fn) does not release the hold of another owner after fn has released its own`, async (t) => {
      const lock = open(t)
      /** @type {import('process-rwlock').AsyncGuard | undefined} */
      let next
      await lock[mode](async (guard) => {
        await guard.release()
        next = await lock.acquireWrite()
      })
      t.false(next?.released)
      t.false(await isFree(lock))
      await next?.release()
      t.true(await isFree(lock))
    })
  }

  test('holds of different locks in one thread are independent, in any order of calls', async (t) => {
    const locks = [open(t), open(t), open(t)]
    for (const first of modes) {
      for (const second of modes) {
        const a = await tryTo[first](locks[0])
        const b = await tryTo[second](locks[1])
        t.deepEqual(await Promise.all(locks.map(isFree)), [false, false, true], `${first}, ${second}`)
        await a?.release()
        t.deepEqual(await Promise.all(locks.map(isFree)), [true, false, true], `${first}, ${second}`)
        await b?.release()
        t.deepEqual(await Promise.all(locks.map(isFree)), [true, true, true], `${first}, ${second}`)
      }
    }
  })

  test('a function that throws while others wait lets the others continue', async (t) => {
    const lock = open(t)
    const first = lock.write(async () => {
      await setImmediate()
      throw new Error('first')
    })
    const second = lock.read(() => 'second')
    const third = lock.write(() => 'third')
    await t.throwsAsync(first, { message: 'first' })
    t.is(await second, 'second')
    t.is(await third, 'third')
  })

  test('a function may acquire the same lock again in a compatible mode', ['upgradable'], async (t) => {
    const lock = open(t)
    t.is(await lock.read(() => lock.read(() => lock.read(() => 'deep'))), 'deep')
    t.is(await lock.upgradable(() => lock.read(() => 'together')), 'together')
    t.is(await lock.read(() => lock.upgradable(() => 'together')), 'together')
    t.true(await isFree(lock))
  })

  // ---- guards

  for (const mode of modes) {
    test(`a guard for ${mode} holds the lock until release(), and a second release() has no effect`, async (t) => {
      const lock = open(t)
      const guard = await acquire[mode](lock)
      t.is(guard.mode, mode)
      t.false(guard.released)
      t.is(guard.ownerDied, null)
      t.is(typeof guard.token, 'bigint')
      t.false(await isFree(lock))

      t.is(await guard.release(), undefined)
      t.true(guard.released)
      t.is(guard.mode, mode)
      t.true(await isFree(lock))

      // A second release must not end the hold of another owner.
      const next = await acquire[mode](lock)
      await guard.release()
      t.false(next.released)
      t.false(await isFree(lock))
      await next.release()
    })

    test(`a guard for ${mode} can be used with "await using"`, async (t) => {
      const lock = open(t)
      const guard = await acquire[mode](lock)
      const disposed = guard[Symbol.asyncDispose]()
      t.true(disposed instanceof Promise)
      t.is(await disposed, undefined)
      t.true(guard.released)
      t.true(await isFree(lock))
      // Again, without effect.
      await guard[Symbol.asyncDispose]()
    })

    test(`a guard for ${mode} can be used with "using"`, ['sync'], async (t) => {
      const lock = open(t)
      const guard = /** @type {import('process-rwlock').Guard} */ (await acquire[mode](lock))
      t.is(guard[Symbol.dispose](), undefined)
      t.true(guard.released)
      t.true(await isFree(lock))
      // Again, without effect.
      guard[Symbol.dispose]()
    })

    test(`a try for ${mode} gives a guard, or null without waiting`, async (t) => {
      const lock = open(t)
      const guard = await tryTo[mode](lock)
      t.is(guard?.mode, mode)
      await guard?.release()
      const writer = await lock.acquireWrite()
      t.is(await tryTo[mode](lock), null)
      await writer.release()
      t.is((await tryTo[mode](lock))?.mode, mode)
    })
  }

  test('"using" releases at the end of its block', ['sync'], async (t) => {
    /** @type {any} */
    let scenes
    try {
      // Node.js 24 and later can parse it.
      scenes = new Function(
        'lock',
        `return (async () => {
        const seen = []
        { using guard = await lock.acquireWrite(); seen.push((await lock.tryRead()) === null, !guard.released) }
        seen.push((await lock.inspect()).holders.length === 0)
        { await using guard = await lock.acquireRead(); seen.push((await lock.tryWrite()) === null) }
        seen.push((await lock.inspect()).holders.length === 0)
        try { using guard = (await lock.tryWrite()); throw new Error('inside') } catch {}
        seen.push((await lock.inspect()).holders.length === 0)
        { using nothing = await lock.acquireWrite().then(() => lock.tryWrite()); seen.push(nothing === null) }
        return seen
      })()`,
      )
    } catch (error) {
      t.true(error instanceof SyntaxError)
      return
    }
    t.deepEqual(await scenes(open(t)), [true, true, true, true, true, true, true])
  })

  test('many read holds are counted, and a writer is granted after the last release', async (t) => {
    const lock = open(t)
    const guards = await Promise.all(Array.from({ length: 1000 }, () => lock.acquireRead()))
    t.like(await lock.inspect(), { holders: [{ mode: 'read', count: 1000 }] })
    const last = /** @type {import('process-rwlock').AsyncGuard} */ (guards.pop())
    for (const guard of guards) guard.release()
    t.is(await lock.tryWrite(), null)
    await last.release()
    t.is((await lock.tryWrite())?.mode, 'write')
  })

  // ---- a failed try

  for (const held of modes) {
    for (const wanted of modes.filter((mode) => !TOGETHER[held][mode])) {
      test(`a failed try for ${wanted} while ${held} is held leaves no trace`, ['processes'], async (t) => {
        const ref = newRef(t)
        const lock = open(t, ref)
        const child = await otherProcess(t)
        await child.ask('hold', { ref, mode: held })
        const op = ops[wanted].try
        for (let round = 0; round < 100; round++) t.is(await tryTo[wanted](lock), null)

        const { holders, waiters } = await lock.inspect()
        t.deepEqual(waiters, [])
        t.like(holders, [{ pid: child.pid, mode: held, count: 1 }])
        t.is(holders.length, 1)
        // Compatible requests are still granted.
        if (TOGETHER[held].read) t.is(await (await lock.tryRead())?.release(), undefined)
        const third = await otherProcess(t)
        await third.ask('open', { ref })
        for (const mode of modes.filter((mode) => TOGETHER[held][mode])) {
          t.is((await third.ask(ops[mode].try))?.mode, mode)
          await third.ask('release')
        }
        await child.ask('release')
        t.is((await child.ask(op)).mode, wanted)
      })
    }
  }

  test('a failed try does not wake, delay or overtake waiters', ['processes'], async (t) => {
    const ref = newRef(t)
    const lock = open(t, ref)
    const child = await otherProcess(t)
    await child.ask('hold', { ref, mode: 'read' })
    const waits = lock.acquireWrite()
    await waitFor(async () => (await lock.inspect()).waiters.length === 1)
    for (let round = 0; round < 100; round++) t.is(await lock.tryWrite(), null)
    t.like(await lock.inspect(), { waiters: [{ mode: 'write', count: 1 }] })
    await child.ask('release')
    t.is((await waits).mode, 'write')
  })
})
