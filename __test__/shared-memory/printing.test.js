// Printing and sending of locks, guards and snapshots, and methods without their object.
import { EventEmitter, once } from 'node:events'
import { readFileSync } from 'node:fs'
import { inspect } from 'node:util'
import { Worker } from 'node:worker_threads'
import { RWLock } from 'process-rwlock'
import { childPool } from '../helpers/child-pool.js'
import { openLock, spawnChild, test, uniqueName } from '../helpers/index.js'
import { DEFAULT_CAPACITY } from '../helpers/limits.js'
import { acquire, isFree, MODES } from '../helpers/modes.js'

const pooledChild = childPool()

test('util.inspect of a lock shows its name, holders and waiters', async (t) => {
  const name = uniqueName(t)
  const lock = openLock(t, name)
  t.is(inspect(lock), `RWLock {\n  name: '${name}',\n  closed: false,\n  holders: [],\n  waiters: []\n}`)
  const child = await pooledChild(t)
  await child.ask('hold', { ref: name, mode: 'write', options: { label: 'rebuild' } })
  t.regex(inspect(lock), new RegExp(`pid: ${child.pid},[^]*mode: 'write',[^]*label: 'rebuild'`))
  t.is(inspect(lock, { depth: -1 }), '[RWLock]')
  lock.close()
  t.is(inspect(lock, { breakLength: Number.POSITIVE_INFINITY }), `RWLock { name: '${name}', closed: true }`)
})

test('a printed error links to the section of docs/errors.md about its code', (t) => {
  const lock = openLock(t)
  lock.close()
  const error = /** @type {import('process-rwlock').LockError} */ (t.throws(() => lock.tryRead()))
  const { code, help } = error
  t.is(help, `https://process-rwlock.github.io/process-rwlock/errors#${code.toLowerCase()}`)
  t.true(inspect(error).includes(help))
  const page = readFileSync(new URL('../../docs/errors.md', import.meta.url), 'utf8')
  t.true(page.includes(`\n## ${code}\n`))
})

test('util.inspect of a guard shows its mode and its lock', async (t) => {
  const name = uniqueName(t)
  const lock = openLock(t, name)
  for (const mode of MODES) {
    const guard = await acquire[mode](lock)
    const shown = () => inspect(guard, { breakLength: Number.POSITIVE_INFINITY })
    const text = (released) =>
      `Guard { lock: { name: '${name}' }, mode: '${mode}', released: ${released}, token: ${guard.token}n, ownerDied: null }`
    t.is(shown(), text(false))
    guard.release()
    t.is(shown(), text(true))
  }
  const guard = await lock.acquireRead()
  lock.close()
  t.regex(inspect(guard), /released: true/)
})

test('util.inspect never fails, even for objects that are not locks', (t) => {
  const lock = openLock(t)
  const guard = lock.tryRead()
  for (const value of [
    RWLock,
    RWLock.prototype,
    Object.getPrototypeOf(guard),
    Object.create(lock),
    new Proxy(lock, {}),
  ]) {
    t.notThrows(() => inspect(value))
    t.notThrows(() => inspect(value, { showProxy: true, showHidden: true, depth: 5 }))
  }
})

test('a snapshot can be written as JSON, with its tokens as strings', async (t) => {
  const name = uniqueName(t)
  const lock = openLock(t, name)
  const victim = await spawnChild(t)
  const { token } = await victim.ask('hold', { ref: name, mode: 'write', options: { label: 'victim' } })
  await victim.kill()
  await lock.read(({ ownerDied }) => {
    const died = { pid: victim.pid, threadId: 0, label: 'victim', token: `${token}` }
    t.deepEqual(JSON.parse(JSON.stringify({ ownerDied })), { ownerDied: died })
    const seen = lock.inspect()
    const { holders, ...rest } = JSON.parse(JSON.stringify(seen))
    t.deepEqual(rest, {
      name,
      waiters: [],
      contended: false,
      token: `${token}`,
      ownerDied: died,
      capacity: DEFAULT_CAPACITY,
      maxReaders: null,
      value: null,
      valueToken: null,
    })
    t.like(holders, [{ pid: process.pid, mode: 'read' }])
    t.false(Object.keys(seen).includes('toJSON'))
    t.deepEqual(structuredClone(seen), { ...seen }, 'and it can be cloned')
    t.like(
      JSON.parse(JSON.stringify(RWLock.list())).find((seen) => seen.name === name),
      { ownerDied: died },
    )
  })
})

test('the error of a timeout can be written as JSON', async (t) => {
  const lock = openLock(t)
  const error = await t.throwsAsync(lock.write(() => lock.read(() => {}, { timeout: 0 })))
  t.like(JSON.parse(JSON.stringify(error)), { code: 'ERR_LOCK_TIMEOUT', holders: [{ mode: 'write' }] })
})

test('a guard method without its guard throws a TypeError that says how to call it', async (t) => {
  const lock = openLock(t)
  const guard = await lock.acquireUpgradable()
  const { release, upgrade, tryUpgrade, downgrade } = guard
  const expected = (name) => ({
    instanceOf: TypeError,
    code: 'ERR_INVALID_THIS',
    message: `${name}() was called without its guard: pass a function that calls it, () => guard.${name}()`,
  })
  await t.throwsAsync(Promise.resolve().finally(release), expected('release'))
  t.throws(() => ({ release }).release(), expected('release'))
  const emitter = new EventEmitter().on('end', release)
  t.throws(() => emitter.emit('end'), expected('release'))
  await t.throwsAsync(upgrade(), expected('upgrade'))
  t.throws(() => tryUpgrade(), expected('tryUpgrade'))
  t.throws(() => downgrade(), expected('downgrade'))
  t.throws(() => guard[Symbol.dispose].call(undefined), expected('release'))
  t.false(guard.released)
  guard.release()
  t.true(isFree(lock))
})

test('a lock method without its lock throws a TypeError that says how to call it', async (t) => {
  const lock = openLock(t)
  const expected = (name) => ({
    instanceOf: TypeError,
    code: 'ERR_INVALID_THIS',
    message: `${name}() was called without its lock: pass a function that calls it, () => lock.${name}()`,
  })
  const never = () => t.fail()
  for (const name of /** @type {const} */ (['read', 'write', 'upgradable'])) {
    const method = lock[name]
    await t.throwsAsync(method(never), expected(name))
    await t.throwsAsync(method.call({}, never), expected(name))
  }
  for (const name of /** @type {const} */ (['acquireRead', 'acquireWrite', 'acquireUpgradable'])) {
    const method = lock[name]
    await t.throwsAsync(method(), expected(name))
  }
  const { tryRead, tryWrite, tryUpgradable, acquireReadSync, acquireWriteSync, inspect, toJSON, close } = lock
  for (const method of [
    tryRead,
    tryWrite,
    tryUpgradable,
    acquireReadSync,
    acquireWriteSync,
    inspect,
    toJSON,
    close,
  ]) {
    t.throws(() => method(), expected(method.name))
  }
  const { readSync, writeSync } = lock
  t.throws(() => readSync(never), expected('readSync'))
  t.throws(() => writeSync(never), expected('writeSync'))
  t.true(isFree(lock))
})

test('opening a structured clone of a lock throws an error that says what to send', async (t) => {
  const lock = openLock(t)
  const says = { code: 'ERR_INVALID_ARG_TYPE', message: /send lock\.toJSON\(\) instead/ }
  t.throws(() => new RWLock(/** @type {any} */ (structuredClone(lock))), says)
  const worker = new Worker(
    `const { workerData } = require('node:worker_threads')
     import(${JSON.stringify(import.meta.resolve('process-rwlock'))}).then(({ RWLock }) => new RWLock(workerData.lock))`,
    { eval: true, workerData: { lock } },
  )
  const [error] = await once(worker, 'error')
  t.regex(error.message, says.message)
})
