// Acquiring and releasing: read, write, upgradable, with a function, as a guard, without waiting.
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { RWLock } from 'process-rwlock'
import { pooledChild } from '../helpers/child-pool.js'
import { openLock, tempDir, test, uniqueName, waitFor } from '../helpers/index.js'
import { acquire, isFree, MODES, ops, TOGETHER, tryTo } from '../helpers/modes.js'

// ---- who may be in together

for (const held of MODES) {
  for (const wanted of MODES) {
    const may = TOGETHER[held][wanted]
    test(`beside a ${held} hold ${wanted} is ${may ? 'granted' : 'not granted'}, in this process and in others`, async (t) => {
      const name = uniqueName(t)
      const lock = openLock(t, name)
      const child = await pooledChild(t)
      await child.ask('open', { ref: name })
      const op = ops[wanted].try

      const guard = await acquire[held](lock)
      const here = tryTo[wanted](lock)
      t.is(here?.mode, may ? wanted : undefined)
      here?.release()
      t.is((await child.ask(op))?.mode, may ? wanted : undefined)
      if (may) await child.ask('release')

      guard.release()
      const after = tryTo[wanted](lock)
      t.is(after?.mode, wanted)
      after?.release()
      t.is((await child.ask(op))?.mode, wanted)
    })
  }
}

test('what waits is granted when it can be, and never before', async (t) => {
  const lock = openLock(t)
  for (const held of MODES) {
    for (const wanted of MODES.filter((mode) => !TOGETHER[held][mode])) {
      const guard = await acquire[held](lock)
      let granted = false
      const waits = acquire[wanted](lock).then((guard) => {
        granted = true
        return guard
      })
      for (let turn = 0; turn < 5; turn++) await setImmediate()
      t.false(granted, `${wanted} beside ${held}`)
      guard.release()
      const next = await waits
      t.is(next.mode, wanted)
      next.release()
    }
  }
})

// ---- with a function

for (const mode of MODES) {
  test(`${mode}(fn) holds the lock while fn runs, and gives its result`, async (t) => {
    const lock = openLock(t)
    const sync = await lock[mode]((guard) => {
      t.is(guard.mode, mode)
      t.false(guard.released)
      t.like(lock.inspect(), { holders: [{ mode, count: 1 }] })
      return { result: mode }
    })
    t.deepEqual(sync, { result: mode })
    t.true(isFree(lock))
  })

  test(`${mode}(fn) holds the lock until the promise of fn settles`, async (t) => {
    const lock = openLock(t)
    /** @type {import('process-rwlock').Guard | undefined} */
    let inside
    const result = await lock[mode](async (guard) => {
      inside = guard
      await setImmediate()
      t.false(guard.released)
      t.false(isFree(lock))
      await setImmediate()
      return mode
    })
    t.is(result, mode)
    t.true(inside?.released)
    t.true(isFree(lock))
  })

  test(`${mode}(fn) waits for any thenable`, async (t) => {
    const lock = openLock(t)
    let heldAtTheEnd = false
    const thenable = {
      // biome-ignore lint/suspicious/noThenProperty: a thenable that is no promise
      then(resolve) {
        setImmediate().then(() => {
          heldAtTheEnd = !isFree(lock)
          resolve(mode)
        })
      },
    }
    t.is(await lock[mode](() => /** @type {any} */ (thenable)), mode)
    t.true(heldAtTheEnd)
    t.true(isFree(lock))
  })

  test(`${mode}(fn) waits for the promise of fn itself, not for what stands in its place as "then"`, async (t) => {
    const lock = openLock(t)
    let heldAtTheEnd = false
    const promise = setImmediate().then(() => {
      heldAtTheEnd = !isFree(lock)
      return mode
    })
    // biome-ignore lint/suspicious/noThenProperty: a promise with a "then" of its own, which await does not look at either
    const deaf = Object.assign(promise, { then() {} })
    t.is(await lock[mode](() => deaf), mode)
    t.true(heldAtTheEnd)
    t.true(isFree(lock))
  })

  test(`${mode}(fn) passes on what looking for "then" in the result throws, and releases`, async (t) => {
    const lock = openLock(t)
    const error = new Error('thrown by a getter')
    const result = {
      // biome-ignore lint/suspicious/noThenProperty: what looks for a thenable meets it
      get then() {
        throw error
      },
    }
    t.is(await t.throwsAsync(lock[mode](() => /** @type {any} */ (result))), error)
    t.true(isFree(lock))
  })

  test(`${mode}(fn) passes on what fn throws, and releases`, async (t) => {
    const lock = openLock(t)
    const error = new Error('thrown in fn')
    /** @type {import('process-rwlock').Guard | undefined} */
    let inside
    const thrown = await t.throwsAsync(
      lock[mode]((guard) => {
        inside = guard
        throw error
      }),
    )
    t.is(thrown, error)
    t.true(inside?.released)
    t.true(isFree(lock))
  })

  test(`${mode}(fn) passes on what the promise of fn rejects with, and releases`, async (t) => {
    const lock = openLock(t)
    const error = new Error('rejected in fn')
    const thrown = await t.throwsAsync(
      lock[mode](async () => {
        await setImmediate()
        throw error
      }),
    )
    t.is(thrown, error)
    t.true(isFree(lock))
  })

  test(`${mode}(fn) passes on what is thrown even if it is no error`, async (t) => {
    const lock = openLock(t)
    for (const thrown of [undefined, null, 0, 'text']) {
      const outcome = await lock[mode](() => {
        throw thrown
      }).then(
        () => 'fulfilled',
        (reason) => ({ reason }),
      )
      t.deepEqual(outcome, { reason: thrown })
      t.true(isFree(lock))
    }
  })

  test(`${mode}(fn) never runs fn before it has returned its promise`, async (t) => {
    const lock = openLock(t)
    const log = []
    const promise = lock[mode](() => log.push('fn'))
    log.push('returned')
    t.true(promise instanceof Promise)
    await promise
    t.deepEqual(log, ['returned', 'fn'])
  })

  test(`${mode}(fn) that releases inside fn goes on without the lock`, async (t) => {
    const lock = openLock(t)
    const result = await lock[mode]((guard) => {
      guard.release()
      t.true(guard.released)
      t.true(isFree(lock))
      return 'gone on'
    })
    t.is(result, 'gone on')
    t.true(isFree(lock))
  })

  test(`${mode}(fn) that releases inside fn does not release the next one's hold`, async (t) => {
    const lock = openLock(t)
    /** @type {import('process-rwlock').Guard | undefined} */
    let next
    await lock[mode](async (guard) => {
      guard.release()
      next = await lock.acquireWrite()
    })
    t.false(next?.released)
    t.false(isFree(lock))
    next?.release()
    t.true(isFree(lock))
  })
}

test('locks that take turns in one thread keep their holds apart, whichever call comes next', async (t) => {
  const locks = [openLock(t), openLock(t), openLock(t)]
  for (const first of MODES) {
    for (const second of MODES) {
      const [a, b] = [tryTo[first](locks[0]), tryTo[second](locks[1])]
      t.deepEqual(locks.map(isFree), [false, false, true], `${first}, ${second}`)
      a?.release()
      t.deepEqual(locks.map(isFree), [true, false, true], `${first}, ${second}`)
      b?.release()
      t.deepEqual(locks.map(isFree), [true, true, true], `${first}, ${second}`)
    }
  }
})

test('functions that throw while others wait let the others go on', async (t) => {
  const lock = openLock(t)
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

test('a function may take the same lock again where that is no conflict', async (t) => {
  const lock = openLock(t)
  t.is(await lock.read(() => lock.read(() => lock.read(() => 'deep'))), 'deep')
  t.is(await lock.upgradable(() => lock.read(() => 'beside')), 'beside')
  t.is(await lock.read(() => lock.upgradable(() => 'beside')), 'beside')
  t.true(isFree(lock))
})

// ---- guards

for (const mode of MODES) {
  test(`a ${mode} guard holds until release(), which may be called again`, async (t) => {
    const lock = openLock(t)
    const guard = await acquire[mode](lock)
    t.is(guard.mode, mode)
    t.false(guard.released)
    t.is(guard.ownerDied, null)
    t.is(typeof guard.token, 'bigint')
    t.false(isFree(lock))

    t.is(guard.release(), undefined)
    t.true(guard.released)
    t.is(guard.mode, mode)
    t.true(isFree(lock))

    // A second release must not take somebody else's hold away.
    const next = await acquire[mode](lock)
    guard.release()
    t.false(next.released)
    t.false(isFree(lock))
    next.release()
  })

  test(`a ${mode} guard can be used with "using" and "await using"`, async (t) => {
    const lock = openLock(t)
    const one = await acquire[mode](lock)
    t.is(one[Symbol.dispose](), undefined)
    t.true(one.released)
    t.true(isFree(lock))
    const two = await acquire[mode](lock)
    const disposed = two[Symbol.asyncDispose]()
    t.true(disposed instanceof Promise)
    t.is(await disposed, undefined)
    t.true(two.released)
    t.true(isFree(lock))
    // As often as you like.
    one[Symbol.dispose]()
    await two[Symbol.asyncDispose]()
  })

  test(`try for ${mode} gives a guard, or null without waiting`, async (t) => {
    const lock = openLock(t)
    const guard = tryTo[mode](lock)
    t.is(guard?.mode, mode)
    guard?.release()
    const writer = await lock.acquireWrite()
    t.is(tryTo[mode](lock), null)
    writer.release()
    t.is(tryTo[mode](lock)?.mode, mode)
  })
}

test('"using" releases at the end of its block', async (t) => {
  /** @type {any} */
  let scenes
  try {
    // Node.js 24 and later parse it.
    scenes = new Function(
      'lock',
      `return (async () => {
        const seen = []
        { using guard = await lock.acquireWrite(); seen.push(lock.tryRead() === null, !guard.released) }
        seen.push(lock.inspect().holders.length === 0)
        { await using guard = await lock.acquireRead(); seen.push(lock.tryWrite() === null) }
        seen.push(lock.inspect().holders.length === 0)
        try { using guard = lock.tryWrite(); throw new Error('inside') } catch {}
        seen.push(lock.inspect().holders.length === 0)
        { using nothing = await lock.acquireWrite().then(() => lock.tryWrite()); seen.push(nothing === null) }
        return seen
      })()`,
    )
  } catch (error) {
    t.true(error instanceof SyntaxError)
    return
  }
  t.deepEqual(await scenes(openLock(t)), [true, true, true, true, true, true, true])
})

test('many read holds are counted, and the writer comes when the last has gone', async (t) => {
  const lock = openLock(t)
  const guards = await Promise.all(Array.from({ length: 1000 }, () => lock.acquireRead()))
  t.like(lock.inspect(), { holders: [{ mode: 'read', count: 1000 }] })
  const last = /** @type {import('process-rwlock').Guard} */ (guards.pop())
  for (const guard of guards) guard.release()
  t.is(lock.tryWrite(), null)
  last.release()
  t.is(lock.tryWrite()?.mode, 'write')
})

// ---- a failed try

for (const held of MODES) {
  for (const wanted of MODES.filter((mode) => !TOGETHER[held][mode])) {
    test(`a failed try for ${wanted} beside ${held} leaves no trace`, async (t) => {
      const name = uniqueName(t)
      const lock = openLock(t, name)
      const child = await pooledChild(t)
      await child.ask('hold', { ref: name, mode: held })
      const op = ops[wanted].try
      for (let round = 0; round < 100; round++) t.is(tryTo[wanted](lock), null)

      const { holders, waiters } = lock.inspect()
      t.deepEqual(waiters, [])
      t.like(holders, [{ pid: child.pid, mode: held, count: 1 }])
      t.is(holders.length, 1)
      // Whoever may be in beside the holder still may.
      if (TOGETHER[held].read) t.is(lock.tryRead()?.release(), undefined)
      const third = await pooledChild(t)
      await third.ask('open', { ref: name })
      for (const mode of MODES.filter((mode) => TOGETHER[held][mode])) {
        t.is((await third.ask(ops[mode].try))?.mode, mode)
        await third.ask('release')
      }
      await child.ask('release')
      t.is((await child.ask(op)).mode, wanted)
    })
  }
}

test('a failed try does not wake, delay or overtake those who wait', async (t) => {
  const name = uniqueName(t)
  const lock = openLock(t, name)
  const child = await pooledChild(t)
  await child.ask('hold', { ref: name, mode: 'read' })
  const waits = lock.acquireWrite()
  await waitFor(() => lock.inspect().waiters.length === 1)
  for (let round = 0; round < 100; round++) t.is(lock.tryWrite(), null)
  t.like(lock.inspect(), { waiters: [{ mode: 'write', count: 1 }] })
  await child.ask('release')
  t.is((await waits).mode, 'write')
})

// ---- the fencing token

test("every write hold's token is greater than all before it", async (t) => {
  const name = uniqueName(t)
  const lock = openLock(t, name)
  const child = await pooledChild(t)
  await child.ask('open', { ref: name })
  const tokens = []
  for (let round = 0; round < 10; round++) {
    tokens.push(await lock.write((guard) => guard.token))
    tokens.push((await child.ask('acquireWrite')).token)
    await child.ask('release')
    const guard = lock.tryWrite()
    tokens.push(guard?.token)
    guard?.release()
    tokens.push(lock.writeSync((guard) => guard.token))
    const upgradable = await lock.acquireUpgradable()
    await upgradable.upgrade()
    tokens.push(upgradable.token)
    upgradable.release()
  }
  for (let i = 1; i < tokens.length; i++) t.true(tokens[i] > tokens[i - 1], `token ${i}`)
})

test("a reader's token is that of the last write hold", async (t) => {
  const lock = openLock(t)
  const written = await lock.write((guard) => guard.token)
  t.is(await lock.read((guard) => guard.token), written)
  t.is(await lock.upgradable((guard) => guard.token), written)
  t.is(lock.tryRead()?.token, written)
  t.is(lock.inspect().token, written)
})

test('a guard keeps its token after it was released, and while others write', async (t) => {
  const lock = openLock(t)
  const first = await lock.acquireWrite()
  const { token } = first
  first.release()
  t.is(first.token, token)
  await lock.write(() => {})
  t.is(first.token, token)
})

for (const where of ['named', 'path']) {
  test(`tokens of a ${where} lock go on growing after everybody closed it`, async (t) => {
    const ref = where === 'named' ? uniqueName(t) : { path: join(tempDir(t), 'x.lock') }
    let last = 0n
    for (let round = 0; round < 10; round++) {
      const lock = openLock(t, ref)
      for (let writes = 0; writes < 3; writes++) {
        const token = await lock.write((guard) => guard.token)
        t.true(token > last)
        last = token
      }
      lock.close()
    }
  })
}

test('tokens of a file go on growing after the file was removed and made anew', async (t) => {
  const path = join(tempDir(t), 'x.lock')
  let last = 0n
  for (let round = 0; round < 5; round++) {
    const lock = openLock(t, { path })
    const token = await lock.write((guard) => guard.token)
    t.true(token > last)
    last = token
    lock.close()
    t.true(RWLock.remove({ path }))
  }
})
