// locked(): functions and methods that run inside a hold.
import { spawnSync } from 'node:child_process'
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { LockError, locked } from 'process-rwlock'
import { openLock, spawnNode, tempDir, test } from '../helpers/index.js'
import { isFree, MODES, never } from '../helpers/modes.js'

/** @param {any} value */
const any = (value) => value
const TYPE = { code: 'ERR_INVALID_ARG_TYPE', instanceOf: TypeError }
const VALUE = { code: 'ERR_INVALID_ARG_VALUE', instanceOf: TypeError }
const turn = () => new Promise((resolve) => setImmediate(resolve))

for (const mode of MODES) {
  test(`a function that is locked for ${mode} runs inside such a hold, which ends with it`, async (t) => {
    const lock = openLock(t)
    const fn = locked(
      lock,
      mode,
    )(async (result) => {
      await turn()
      t.like(lock.inspect(), { holders: [{ mode, count: 1 }] })
      return result
    })
    t.is(await fn('result'), 'result')
    t.true(isFree(lock))
    t.is(await fn('again'), 'again')
  })
}

test('this and the arguments pass on, and the result comes back', async (t) => {
  const lock = openLock(t)
  const fn = locked(
    lock,
    'write',
  )(async function (/** @type {any[]} */ ...args) {
    return [this, ...args]
  })
  const self = {}
  const [found, ...args] = await fn.call(self, 1, undefined, 'x')
  t.is(found, self)
  t.deepEqual(args, [1, undefined, 'x'])
  t.deepEqual(await fn(), [undefined])
})

test('a function that is not async becomes one', async (t) => {
  const lock = openLock(t)
  const error = new Error('of fn')
  const double = locked(lock, 'read')((/** @type {number} */ n) => n * 2)
  const fail = locked(
    lock,
    'write',
  )(() => {
    throw error
  })
  t.true(double(1) instanceof Promise)
  t.is(await double(2), 4)
  t.is(await fail().catch((error) => error), error)
  t.true(isFree(lock))
})

test('an error of the function passes on, and the hold ends', async (t) => {
  const lock = openLock(t)
  const error = new Error('of fn')
  const fn = locked(lock, 'write')(() => Promise.reject(error))
  t.is(await fn().catch((error) => error), error)
  t.true(isFree(lock))
})

test('name and length stay', (t) => {
  const lock = openLock(t)
  const symbol = Symbol('method')
  const { [symbol]: method } = {
    async [symbol](/** @type {any} */ a, /** @type {any} */ b, ...rest) {
      return [a, b, rest]
    },
  }
  for (const fn of [async function save(_a, _b, _c) {}, async () => {}, method]) {
    const wrapped = locked(lock, 'read')(any(fn))
    t.is(wrapped.name, fn.name)
    t.is(wrapped.length, fn.length)
  }
})

test('calls of functions that are locked for write take turns, those for read overlap', async (t) => {
  const lock = openLock(t)
  let inside = 0
  let most = 0
  const body = async () => {
    most = Math.max(most, ++inside)
    await turn()
    inside--
  }
  const calls = (fn) => Promise.all(Array.from({ length: 10 }, () => fn()))
  await calls(locked(lock, 'write')(body))
  t.is(most, 1)
  await calls(locked(lock, 'read')(body))
  t.true(most > 1)
})

test('the options are those of each call', async (t) => {
  const lock = openLock(t)
  const controller = new AbortController()
  const { signal } = controller
  const label = locked(lock, 'write', { label: 'save', signal })(async () => lock.inspect().holders[0].label)
  t.is(await label(), 'save')
  const guard = lock.tryWrite()
  const error = await locked(lock, 'read', { timeout: 10 })(never)().catch((error) => error)
  t.true(error instanceof LockError)
  t.is(error.code, 'ERR_LOCK_TIMEOUT')
  const waits = label()
  controller.abort()
  t.is(await waits.catch((reason) => reason), signal.reason)
  guard?.release()
  t.is(await label().catch((reason) => reason), signal.reason)
  t.true(isFree(lock))
})

test('the lock may be found with this of each call', async (t) => {
  class Store {
    constructor(lock) {
      this.lock = lock
    }
  }
  const stores = [new Store(openLock(t)), new Store(openLock(t))]
  const asked = []
  const fn = locked((/** @type {Store} */ store) => {
    asked.push(store)
    return store.lock
  }, 'write')
  t.deepEqual(asked, [])
  const save = fn(
    /** @this {Store} */
    async function () {
      t.false(isFree(this.lock))
      return stores.map(({ lock }) => isFree(lock))
    },
  )
  t.deepEqual(await save.call(stores[0]), [false, true])
  t.deepEqual(await save.call(stores[1]), [true, false])
  t.deepEqual(asked, stores)
})

test('if the lock cannot be found, the call rejects, and the function does not run', async (t) => {
  const error = new Error('of lock')
  const fails = locked(() => {
    throw error
  }, 'write')(never)
  t.is(await fails().catch((error) => error), error)
  const isNone = await locked(
    any(() => ({ name: 'x' })),
    'write',
  )(never)().catch((error) => error)
  t.is(isNone.code, 'ERR_INVALID_ARG_TYPE')
  t.regex(isNone.message, /The value that lock\(\) returns must be a lock/)
})

test('invalid arguments throw at once', (t) => {
  const lock = openLock(t)
  for (const value of [undefined, null, 'name', {}, lock.toJSON()]) {
    t.throws(() => locked(any(value), 'write'), { ...TYPE, message: /lock must be a lock/ })
  }
  for (const mode of [undefined, 'exclusive', 1]) {
    t.throws(() => locked(lock, any(mode)), { ...VALUE, message: /mode must be 'read', 'write' or/ })
  }
  t.throws(() => locked(lock, 'write', any(1)), TYPE)
  t.throws(() => locked(lock, 'write', { timeout: -1 }), VALUE)
  for (const fn of [undefined, null, {}]) t.throws(() => locked(lock, 'write')(any(fn)), TYPE)
  for (const fn of [function* () {}, async function* () {}]) {
    t.throws(() => locked(lock, 'write')(any(fn)), { ...VALUE, message: /generator/ })
  }
})

// ---- as a decorator

test('it decorates methods only', (t) => {
  const decorate = any(locked(openLock(t), 'write'))
  t.is(typeof decorate(async () => {}, { kind: 'method', name: 'save' }), 'function')
  for (const kind of ['class', 'getter', 'setter', 'field', 'accessor']) {
    const value = kind === 'field' ? undefined : () => {}
    t.throws(() => decorate(value, { kind, name: 'save' }), { ...VALUE, message: /decorates methods only/ })
  }
})

test('a compiler that makes legacy decorators of it is found out', (t) => {
  const decorate = any(locked(openLock(t), 'write'))
  class Store {
    async save() {}
    static async open() {}
  }
  const message = /standard decorator: compile without experimentalDecorators/
  for (const [target, key] of [
    [Store.prototype, 'save'],
    [Store, 'open'],
    [Store.prototype, Symbol.iterator],
  ]) {
    t.throws(() => decorate(target, key, {}), { ...VALUE, message })
  }
})

test('TypeScript compiles it as a standard decorator, and it works', async (t) => {
  const directory = tempDir(t)
  const root = fileURLToPath(new URL('../../', import.meta.url))
  mkdirSync(join(directory, 'node_modules'))
  symlinkSync(root, join(directory, 'node_modules/process-rwlock'), 'junction')
  writeFileSync(join(directory, 'package.json'), '{ "type": "module" }')
  const tsc = [
    join(root, 'node_modules/typescript/bin/tsc'),
    join(root, '__test__/shared-memory/programs/decorated.ts'),
  ]
  const options = [
    ...['--ignoreConfig', '--outDir', directory, '--rootDir', join(root, '__test__/shared-memory/programs')],
    ...['--target', 'es2022', '--module', 'nodenext', '--strict'],
    ...['--types', 'node', '--typeRoots', join(root, 'node_modules/@types')],
  ]
  const { status, stdout } = spawnSync(process.execPath, [...tsc, ...options], {
    cwd: root,
    encoding: 'utf8',
  })
  t.is(status, 0, stdout)
  const child = spawnNode(t, new URL(`file://${join(directory, 'decorated.js')}`))
  t.deepEqual((await child.next('done')).found, {
    save: ['write', 'saved 1'],
    load: ['read', 'loaded'],
    open: ['write', 'opened'],
    secret: ['upgradable', 'secret'],
    name: 'save',
    length: 1,
    overlaps: false,
    inherited: 'saved 2',
  })
})
