// The value that lives with a lock: guard.value, guard.setValue() and inspect().value.
import { runInNewContext } from 'node:vm'
import { contract } from './contract.js'
import { acquire } from './modes.js'

/** @param {Uint8Array | null} value */
const text = (value) => value && new TextDecoder().decode(value)

/** What `call` fails with, at once or later. @param {() => any} call */
const failure = async (call) => {
  try {
    await call()
  } catch (error) {
    return error
  }
}

contract(({ test, open, newRef, modes, otherProcess, otherThread }) => {
  test('a new lock has no value', ['value'], async (t) => {
    const lock = open(t)
    for (const mode of modes) {
      const guard = await acquire[mode](lock)
      t.is(await guard.value, null, mode)
      await guard.release()
    }
    t.is((await lock.inspect()).value, null)
  })

  test('every later hold has the value of the last write hold', ['value'], async (t) => {
    const lock = open(t)
    for (const value of ['first', 'second']) {
      await lock.write(async (guard) => {
        t.is(await guard.setValue(value), undefined)
        t.is(text(await guard.value), value)
      })
      for (const mode of modes) {
        const guard = await acquire[mode](lock)
        t.is(text(await guard.value), value, mode)
        await guard.release()
      }
      t.is(text((await lock.inspect()).value), value)
    }
  })

  test('a value is visible to those who hold nothing while the write hold lasts', ['value'], async (t) => {
    const ref = newRef(t)
    const [lock, other] = [open(t, ref), open(t, ref)]
    const guard = await lock.acquireWrite()
    await guard.setValue('http://127.0.0.1:4711')
    t.is(text((await other.inspect()).value), 'http://127.0.0.1:4711')
    await guard.setValue(null)
    t.is((await other.inspect()).value, null)
    await guard.release()
  })

  test('inspect() says which write hold set the value', ['value'], async (t) => {
    const lock = open(t)
    const tokens = async () => {
      const { token, valueToken } = await lock.inspect()
      return { token, valueToken }
    }
    t.is((await tokens()).valueToken, null)
    const first = await lock.acquireWrite()
    t.is((await tokens()).valueToken, null)
    await first.setValue('first')
    t.deepEqual(await tokens(), { token: first.token, valueToken: first.token })
    await first.release()
    t.deepEqual(await tokens(), { token: first.token, valueToken: first.token })
    const second = await lock.acquireWrite()
    t.deepEqual(await tokens(), { token: second.token, valueToken: first.token })
    await second.setValue('second')
    t.deepEqual(await tokens(), { token: second.token, valueToken: second.token })
    await second.setValue(null)
    t.deepEqual(await tokens(), { token: second.token, valueToken: null })
    await second.release()
  })

  for (const [name, other] of /** @type {const} */ ([
    ['process', otherProcess],
    ['thread', otherThread],
  ])) {
    test(`another ${name} finds the value, and sets it`, ['value', 'processes', 'threads'], async (t) => {
      const ref = newRef(t)
      const lock = open(t, ref)
      const child = await other(t)
      await lock.write((guard) => guard.setValue(new Uint8Array([0, 255, 10])))
      await child.ask('hold', { ref, mode: 'read' })
      t.deepEqual([.../** @type {Uint8Array} */ (await child.ask('value'))], [0, 255, 10])
      await child.ask('release')
      await child.ask('hold', { ref, mode: 'write' })
      await child.ask('setValue', { value: 'from there' })
      t.is(text((await lock.inspect()).value), 'from there')
      await child.ask('release')
      t.is(await lock.read(async (guard) => text(await guard.value)), 'from there')
    })
  }

  test('a value has 0 to 1024 bytes', ['value'], async (t) => {
    const lock = open(t)
    await lock.write(async (guard) => {
      for (const value of [new Uint8Array(1024).fill(7), new Uint8Array(), 'é'.repeat(512), '', 'a']) {
        await guard.setValue(value)
        const bytes = Buffer.from(/** @type {Uint8Array} */ (value))
        t.deepEqual([.../** @type {Uint8Array} */ (await guard.value)], [...bytes])
      }
      for (const value of [new Uint8Array(1025), 'é'.repeat(513)]) {
        const error = await failure(() => guard.setValue(value))
        t.is(error?.code, 'ERR_INVALID_ARG_VALUE')
        t.true(error instanceof TypeError)
      }
      t.is(text(await guard.value), 'a')
    })
  })

  test('setValue() accepts a part of an array, and bytes of another context', ['value'], async (t) => {
    const lock = open(t)
    await lock.write(async (guard) => {
      await guard.setValue(Buffer.from('a part of it').subarray(2, 6))
      t.is(text(await guard.value), 'part')
      await guard.setValue(runInNewContext('new Uint8Array([104, 105])'))
      t.is(text(await guard.value), 'hi')
    })
  })

  test('setValue() fails for other types, and changes nothing', ['value'], async (t) => {
    const lock = open(t)
    await lock.write(async (guard) => {
      await guard.setValue('before')
      const wrong = [undefined, 1, true, {}, [1], new Uint16Array(2), new ArrayBuffer(2), () => {}]
      for (const value of wrong) {
        const error = await failure(() => guard.setValue(/** @type {any} */ (value)))
        t.is(error?.code, 'ERR_INVALID_ARG_TYPE', String(value))
      }
      t.is(text(await guard.value), 'before')
    })
  })

  test('changing an array changes neither the value nor later results', ['value'], async (t) => {
    const lock = open(t)
    const bytes = new Uint8Array([1, 2, 3])
    await lock.write(async (guard) => {
      const set = guard.setValue(bytes)
      bytes.fill(9)
      await set
      const seen = /** @type {Uint8Array} */ (await guard.value)
      t.deepEqual([...seen], [1, 2, 3])
      seen.fill(9)
      t.deepEqual([.../** @type {Uint8Array} */ (await guard.value)], [1, 2, 3])
    })
    t.deepEqual([.../** @type {Uint8Array} */ ((await lock.inspect()).value)], [1, 2, 3])
  })

  for (const mode of modes.filter((mode) => mode !== 'write')) {
    test(`a hold for ${mode} cannot set the value`, ['value'], async (t) => {
      const lock = open(t)
      const guard = await acquire[mode](lock)
      const error = await failure(() => guard.setValue('x'))
      t.like(error, { name: 'LockError', code: 'ERR_LOCK_MODE' })
      t.regex(error.message, new RegExp(`for ${mode} cannot set its value: acquire the lock with lock.write`))
      t.is(await guard.value, null)
      await guard.release()
    })
  }

  test(
    'an upgraded hold sets the value, and a downgraded one does not',
    ['value', 'upgradable'],
    async (t) => {
      const lock = open(t)
      await lock.upgradable(async (guard) => {
        await guard.upgrade()
        await guard.setValue('upgraded')
        await guard.downgrade('upgradable')
        t.is((await failure(() => guard.setValue('x')))?.code, 'ERR_LOCK_MODE')
        t.is(text(await guard.value), 'upgraded')
      })
    },
  )

  test('a guard that was released neither has nor sets the value', ['value'], async (t) => {
    const lock = open(t)
    const guard = await lock.acquireWrite()
    await guard.setValue('left')
    await guard.release()
    t.is((await failure(() => guard.value))?.code, 'ERR_LOCK_CLOSED')
    t.is((await failure(() => guard.setValue('x')))?.code, 'ERR_LOCK_CLOSED')
    const again = await lock.acquireWrite()
    const { setValue } = again
    t.is((await failure(() => setValue('x')))?.code, 'ERR_INVALID_THIS')
    await again.release()
    t.is(text((await lock.inspect()).value), 'left')
  })

  test('a write hold whose function throws leaves the value that it set', ['value'], async (t) => {
    const lock = open(t)
    const error = new Error('failed on purpose')
    const run = lock.write(async (guard) => {
      await guard.setValue('set before')
      throw error
    })
    t.is(await t.throwsAsync(run), error)
    t.is(text((await lock.inspect()).value), 'set before')
  })
})
