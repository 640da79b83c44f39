// Invalid arguments are refused immediately, with the error codes of Node.js; and the members of
// errors.
import { inspect } from 'node:util'
import { LockError } from 'process-rwlock'
import { contract } from './contract.js'

contract(({ test, open, newRef }) => {
  /** @param {any} value */
  const any = (value) => value

  const TYPE = { code: 'ERR_INVALID_ARG_TYPE', instanceOf: TypeError }

  const VALUE = { code: 'ERR_INVALID_ARG_VALUE', instanceOf: TypeError }

  /** For messages of failing assertions. */
  const show = (value) =>
    typeof value === 'string' ? JSON.stringify(value.slice(0, 20)) : Object.prototype.toString.call(value)

  test('options that are not an object give ERR_INVALID_ARG_TYPE', ['upgradable'], async (t) => {
    const ref = newRef(t)
    const lock = open(t, ref)
    for (const options of [null, 1, 'x', true]) {
      const wrong = { ...TYPE, message: /options must be an object/ }
      const never = () => t.fail('it must not run')
      await t.throwsAsync(lock.read(never, any(options)), wrong)
      await t.throwsAsync(lock.write(never, any(options)), wrong)
      await t.throwsAsync(lock.upgradable(never, any(options)), wrong)
      await t.throwsAsync(lock.acquireRead(any(options)), wrong)
      await t.throwsAsync(lock.acquireWrite(any(options)), wrong)
      await t.throwsAsync(lock.acquireUpgradable(any(options)), wrong)
    }
    t.deepEqual((await lock.inspect()).holders, [])
  })

  // ---- acquiring

  test('an fn that is not a function gives ERR_INVALID_ARG_TYPE', ['upgradable'], async (t) => {
    const lock = open(t)
    for (const fn of [undefined, null, 1, 'x', {}, Promise.resolve()]) {
      const wrong = { ...TYPE, message: /fn must be a function\. Received/ }
      await t.throwsAsync(lock.read(any(fn)), wrong)
      await t.throwsAsync(lock.write(any(fn)), wrong)
      await t.throwsAsync(lock.upgradable(any(fn)), wrong)
    }
    t.deepEqual((await lock.inspect()).holders, [])
  })

  const ACQUIRING = {
    timeout: { type: ['1', null, {}, true, 1n, () => {}], value: [-1, Number.NaN, -Infinity, -0.001] },
    label: { type: [1, null, {}, true, ['x']], value: [] },
    signal: {
      type: [null, 1, 'x', true, {}, new AbortController(), () => {}, new EventTarget()],
      value: [],
    },
  }

  for (const [option, { type, value }] of Object.entries(ACQUIRING)) {
    test(`every acquisition refuses an invalid ${option} and leaves no trace`, ['upgradable'], async (t) => {
      const lock = open(t)
      const never = () => t.fail('it must not run')
      const message = new RegExp(`options\\.${option} .*Received`)
      const cases = [
        ...type.map((wrong) => ({ wrong, expected: { ...TYPE, message } })),
        ...value.map((wrong) => ({ wrong, expected: { ...VALUE, message } })),
      ]
      const upgradable = await lock.acquireUpgradable()
      for (const { wrong, expected } of cases) {
        const options = any({ [option]: wrong })
        await t.throwsAsync(upgradable.upgrade(options), expected, show(wrong))
      }
      t.is(upgradable.mode, 'upgradable')
      await upgradable.release()
      for (const { wrong, expected } of cases) {
        const options = any({ [option]: wrong })
        await t.throwsAsync(lock.read(never, options), expected, show(wrong))
        await t.throwsAsync(lock.write(never, options), expected, show(wrong))
        await t.throwsAsync(lock.upgradable(never, options), expected, show(wrong))
        await t.throwsAsync(lock.acquireRead(options), expected, show(wrong))
        await t.throwsAsync(lock.acquireWrite(options), expected, show(wrong))
        await t.throwsAsync(lock.acquireUpgradable(options), expected, show(wrong))
      }
      const { holders, waiters } = await lock.inspect()
      t.deepEqual([holders, waiters], [[], []])
    })
  }

  test('an asynchronous method rejects, and never throws', ['upgradable'], (t) => {
    const lock = open(t)
    const methods = [
      () => lock.read(any(undefined)),
      () => lock.write(any(1)),
      () => lock.upgradable(() => {}, any({ timeout: -1 })),
      () => lock.acquireRead(any({ timeout: 'x' })),
      () => lock.acquireWrite(any({ signal: 1 })),
      () => lock.acquireUpgradable(any(null)),
    ]
    for (const method of methods) {
      const promise = method()
      t.true(promise instanceof Promise)
      promise.catch(() => {})
    }
  })

  test('the options of an acquisition may be omitted or undefined', ['upgradable'], async (t) => {
    const lock = open(t)
    const none = { timeout: undefined, signal: undefined, label: undefined }
    t.is(await lock.read(() => 1, none), 1)
    t.is(await lock.write(() => 2, {}), 2)
    const guard = await lock.acquireUpgradable(none)
    await guard.upgrade(none)
    t.is(guard.mode, 'write')
  })

  test(
    'a downgrade to an invalid mode gives ERR_INVALID_ARG_VALUE and keeps the hold',
    ['upgradable'],
    async (t) => {
      const lock = open(t)
      const guard = await lock.acquireWrite()
      for (const to of ['write', 'Read', '', null, 1, {}]) {
        const error = await t.throwsAsync(async () => guard.downgrade(any(to)), undefined, show(to))
        t.regex(any(error).code, /^ERR_INVALID_ARG_(VALUE|TYPE)$/)
        t.regex(error?.message ?? '', /'read' or 'upgradable'/)
      }
      t.is(guard.mode, 'write')
      t.false(guard.released)
    },
  )

  // ---- errors

  test('a LockError has a name, code, message and stack, and shows them when printed', async (t) => {
    const ref = newRef(t)
    const lock = open(t, ref)
    await lock.close()
    const error = any(await t.throwsAsync(async () => lock.tryRead(), { code: 'ERR_LOCK_CLOSED' }))
    t.true(error instanceof LockError)
    t.true(error instanceof Error)
    t.is(error.name, 'LockError')
    t.is(Object.prototype.toString.call(error), '[object Error]')
    t.true(error.message.includes(ref))
    t.true(`${error}`.startsWith('LockError: '))
    t.true(error.stack.startsWith('LockError: '))
    t.regex(error.stack, /arguments\.test\.js/)
    t.regex(inspect(error), /ERR_LOCK_CLOSED/)
    t.false('holders' in error)
  })
})
