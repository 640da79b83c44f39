// Invalid arguments are refused immediately, with the error codes of Node.js; and the members of
// errors.
import { cpSync, mkdirSync, readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import * as everything from 'process-rwlock'
import { LockError, RWLock } from 'process-rwlock'
import { cleanUp } from '../helpers/cleanup.js'
import { openLock, tempDir, test, testUnless, uniqueName } from '../helpers/index.js'
import { DEFAULT_CAPACITY, MAX_CAPACITY, MAX_NAME_BYTES, MAX_READERS } from '../helpers/limits.js'

/** @param {any} value */
const any = (value) => value
const TYPE = { code: 'ERR_INVALID_ARG_TYPE', instanceOf: TypeError }
const VALUE = { code: 'ERR_INVALID_ARG_VALUE', instanceOf: TypeError }

/** For messages of failing assertions. */
const show = (value) =>
  typeof value === 'string' ? JSON.stringify(value.slice(0, 20)) : Object.prototype.toString.call(value)

test('the package exports the same to import and to require()', (t) => {
  const names = ['LockError', 'RWLock', 'Semaphore', 'acquireAll', 'local', 'lockAll', 'locked']
  t.deepEqual(Object.keys(everything).sort(), names)
  const required = createRequire(import.meta.url)('process-rwlock')
  for (const [name, value] of Object.entries(everything)) t.is(required[name], value)
})

// ---- references

const WRONG_REFS = [null, 1, 1n, true, Symbol('ref'), () => {}, {}, [], new URL('file:///x'), new Map()]

test('a reference of the wrong type gives ERR_INVALID_ARG_TYPE', (t) => {
  for (const ref of WRONG_REFS) {
    const error = t.throws(() => new RWLock(any(ref)), TYPE, show(ref))
    t.regex(error?.message ?? '', /ref must be .*name.*path.*Received/)
    t.throws(() => RWLock.remove(any(ref)), TYPE, show(ref))
  }
  t.throws(() => RWLock.remove(any(undefined)), TYPE)
})

test('a name or a path of the wrong type gives ERR_INVALID_ARG_TYPE', (t) => {
  for (const value of [null, 1, true, {}, [], Symbol('x'), () => {}, Buffer.from('x')]) {
    const name = t.throws(() => new RWLock(any({ name: value })), TYPE, show(value))
    t.regex(name?.message ?? '', /ref\.name must be a string\. Received /)
    const path = t.throws(() => new RWLock(any({ path: value })), TYPE, show(value))
    t.regex(path?.message ?? '', /ref\.path must be .*URL\. Received /)
    t.throws(() => RWLock.remove(any({ name: value })), TYPE)
    t.throws(() => RWLock.remove(any({ path: value })), TYPE)
  }
})

test('a reference with both a name and a path gives ERR_INVALID_ARG_VALUE', (t) => {
  t.throws(() => new RWLock(any({ name: 'x', path: '/tmp/x' })), VALUE)
  t.throws(() => RWLock.remove(any({ name: 'x', path: '/tmp/x' })), VALUE)
})

test('a name that is empty, has a NUL, a lone surrogate or more than 255 bytes gives ERR_INVALID_ARG_VALUE', (t) => {
  for (const [name, why] of /** @type {const} */ ([
    ['', /empty/],
    ['a\0b', /NUL/],
    ['\0', /NUL/],
    ['\ud800', /Unicode/],
    ['a\udc00b', /Unicode/],
    ['x'.repeat(MAX_NAME_BYTES + 1), /255 .*256/],
    ['é'.repeat(128), /255 .*256/],
    ['x'.repeat(100_000), /255/],
  ])) {
    for (const ref of [name, { name }]) {
      const error = t.throws(() => new RWLock(ref), VALUE, show(name))
      t.regex(error?.message ?? '', why)
      t.true((error?.message.length ?? 0) < 250, 'a message is for people')
      t.throws(() => RWLock.remove(ref), VALUE, show(name))
    }
  }
})

test('any other string is a valid name', async (t) => {
  const base = uniqueName(t)
  for (const name of [
    'x'.repeat(MAX_NAME_BYTES - base.length),
    'é'.repeat((MAX_NAME_BYTES - base.length) >> 1),
    '名前 🔒',
    ' ',
    'a/b\\c:d*e?"f<g>|',
    '../../../../tmp/process-rwlock-escaped',
    '.',
    '..',
    '/etc/passwd',
    '\n\t\r',
    'CON',
    '%00',
    "'; drop table locks",
  ]) {
    const full = name.startsWith('x') || name.startsWith('é') ? base + name : `${name} ${base.slice(-36)}`
    const lock = openLock(t, full)
    cleanUp(t, 'names', () => RWLock.remove(full))
    t.is(lock.inspect().name, full)
    t.deepEqual(lock.toJSON(), { name: full })
    t.is(RWLock.list().filter((seen) => seen.name === full).length, 1)
    const again = openLock(t, JSON.parse(JSON.stringify(lock)))
    const guard = await lock.acquireWrite()
    t.is(again.tryRead(), null)
    guard.release()
    lock.close()
    again.close()
    t.false(RWLock.remove(full))
  }
})

test('names that differ only in case, white space or Unicode form are different locks', (t) => {
  const base = uniqueName(t)
  const names = ['a', 'A', 'a ', ' a', 'ä', 'a\u0308', 'a/', 'a/.'].map((name) => `${name}|${base}`)
  for (const name of names) {
    cleanUp(t, 'names', () => RWLock.remove(name))
    t.is(openLock(t, name).tryWrite()?.mode, 'write', name)
  }
})

test('a name that looks like a path creates no file at that path', (t) => {
  const dir = tempDir(t)
  const name = join('../../../../../../../../..', dir, 'escaped')
  openLock(t, name).tryWrite()
  cleanUp(t, 'names', () => RWLock.remove(name))
  t.deepEqual(readdirSync(dir), [])
})

test('a path that is empty or has a NUL gives ERR_INVALID_ARG_VALUE', (t) => {
  for (const path of ['', 'a\0b']) {
    t.throws(() => new RWLock({ path }), { ...VALUE, message: /ref\.path/ })
    t.throws(() => RWLock.remove({ path }), VALUE)
  }
})

test('a URL that is not a file: URL gives the error of Node.js', (t) => {
  for (const url of ['http://localhost/x.lock', 'data:,x']) {
    t.throws(() => new RWLock({ path: new URL(url) }), {
      code: 'ERR_INVALID_URL_SCHEME',
      instanceOf: TypeError,
    })
  }
})

// ---- opening options

test('options that are not an object give ERR_INVALID_ARG_TYPE in the constructor and in synchronous calls', (t) => {
  const name = uniqueName(t)
  for (const options of [null, 1, 'x', true, () => {}]) {
    t.throws(() => new RWLock(name, any(options)), { ...TYPE, message: /options must be an object/ })
  }
  const lock = openLock(t, name)
  for (const options of [null, 1, 'x', true]) {
    const wrong = { ...TYPE, message: /options must be an object/ }
    const never = () => t.fail('it must not run')
    t.throws(() => lock.readSync(never, any(options)), wrong)
    t.throws(() => lock.writeSync(never, any(options)), wrong)
    t.throws(() => lock.acquireReadSync(any(options)), wrong)
    t.throws(() => lock.acquireWriteSync(any(options)), wrong)
  }
  t.deepEqual(lock.inspect().holders, [])
})

/** The values that an option refuses: of the wrong type, and out of range. */
const OPENING = {
  capacity: {
    type: ['1', null, {}, true, 1n, () => {}],
    value: [0, -1, MAX_CAPACITY + 1, 1.5, Number.NaN, Infinity, -Infinity, 2 ** 32, 2 ** 32 + 1],
  },
  maxReaders: {
    type: ['1', null, {}, true, 1n, () => {}],
    value: [0, -1, MAX_READERS + 1, 1.5, Number.NaN, Infinity, -Infinity, 2 ** 32, 2 ** 32 + 1],
  },
  nestedReads: { type: [1, null, {}, true, 1n], value: ['', 'Queue', 'let in'] },
  fairness: { type: ['1', null, {}, true, 1n], value: [-1, Number.NaN, -Infinity, -0.001] },
  label: { type: [1, null, {}, true, Symbol('x'), ['x']], value: [] },
  durable: { type: [1, 0, null, {}, 'false', 1n], value: [] },
}

for (const [option, { type, value }] of Object.entries(OPENING)) {
  test(`an invalid ${option} is refused before anything is created`, (t) => {
    const name = uniqueName(t)
    const path = join(tempDir(t), 'x.lock')
    const message = new RegExp(`options\\.${option} .*Received`)
    for (const ref of [name, { path }]) {
      for (const wrong of type) {
        t.throws(() => new RWLock(ref, any({ [option]: wrong })), { ...TYPE, message }, show(wrong))
      }
      for (const wrong of value) {
        t.throws(() => new RWLock(ref, any({ [option]: wrong })), { ...VALUE, message }, `${wrong}`)
      }
    }
    t.false(RWLock.list().some((seen) => seen.name === name))
    t.false(RWLock.remove({ path }))
  })
}

test('options may be omitted or undefined, and unknown options are ignored', (t) => {
  const name = uniqueName(t)
  const one = openLock(t, name, undefined)
  const two = openLock(t, name, { capacity: undefined, fairness: undefined, label: undefined })
  const three = openLock(t, name, any({ unknown: true }))
  for (const lock of [one, two, three]) t.is(lock.inspect().capacity, DEFAULT_CAPACITY)
})

test('a label may hold a NUL, and may be empty', async (t) => {
  const lock = openLock(t, uniqueName(t), { label: '' })
  const guard = await lock.acquireWrite({ label: 'a\0b' })
  t.is(lock.inspect().holders.length, 1)
  guard.release()
  t.is(await lock.read(() => lock.inspect().holders[0].label), '')
})

// ---- acquiring

test('an fn that is not a function gives ERR_INVALID_ARG_TYPE in synchronous calls', (t) => {
  const lock = openLock(t)
  for (const fn of [undefined, null, 1, 'x', {}, Promise.resolve()]) {
    const wrong = { ...TYPE, message: /fn must be a function\. Received/ }
    t.throws(() => lock.readSync(any(fn)), wrong)
    t.throws(() => lock.writeSync(any(fn)), wrong)
  }
  t.deepEqual(lock.inspect().holders, [])
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
  test(`every synchronous acquisition refuses an invalid ${option} and leaves no trace`, (t) => {
    const lock = openLock(t)
    const never = () => t.fail('it must not run')
    const message = new RegExp(`options\\.${option} .*Received`)
    const cases = [
      ...type.map((wrong) => ({ wrong, expected: { ...TYPE, message } })),
      ...value.map((wrong) => ({ wrong, expected: { ...VALUE, message } })),
    ]
    for (const { wrong, expected } of cases) {
      const options = any({ [option]: wrong })
      t.throws(() => lock.readSync(never, options), expected, show(wrong))
      t.throws(() => lock.writeSync(never, options), expected, show(wrong))
      t.throws(() => lock.acquireReadSync(options), expected, show(wrong))
      t.throws(() => lock.acquireWriteSync(options), expected, show(wrong))
    }
    const { holders, waiters } = lock.inspect()
    t.deepEqual([holders, waiters], [[], []])
  })
}

test('options of a synchronous acquisition may be undefined', (t) => {
  const lock = openLock(t)
  const none = { timeout: undefined, signal: undefined, label: undefined }
  t.is(
    lock.readSync(() => 3, none),
    3,
  )
})

test('RWLock cannot be called without new', (t) => {
  t.throws(() => any(RWLock)('x'), { instanceOf: TypeError })
  const lock = openLock(t)
  t.throws(() => lock.tryRead.call(any({})), { instanceOf: TypeError })
})

test('instanceof LockError is false for everything else', (t) => {
  class Other extends Error {
    code = 'ERR_LOCK_CLOSED'
  }
  for (const value of [new Error('x'), new TypeError('x'), new Other('x'), {}, null, undefined, 'x', 1]) {
    t.false(any(value) instanceof LockError)
  }
})

test('instanceof of a class that extends LockError tests for that class', (t) => {
  class Special extends LockError {}
  const lock = openLock(t)
  lock.close()
  const error = t.throws(() => lock.tryRead())
  t.true(error instanceof LockError)
  t.false(error instanceof Special)
})

const copyTest = testUnless(process.platform === 'win32' && 'Windows does not remove an addon that is loaded')

copyTest('instanceof LockError works across two copies of the package, which also share locks', async (t) => {
  const root = new URL('../../', import.meta.url)
  const dir = join(tempDir(t), 'node_modules', 'process-rwlock')
  mkdirSync(dir, { recursive: true })
  for (const file of readdirSync(root)) {
    if (/^(dist|package\.json|.*\.node)$/.test(file)) {
      cpSync(new URL(file, root), join(dir, file), { recursive: true })
    }
  }
  const copy = await import(pathToFileURL(join(dir, 'dist', 'index.js')).href)
  t.not(copy.LockError, LockError)

  const name = uniqueName(t)
  const ours = openLock(t, name)
  const theirs = new copy.RWLock(name)
  cleanUp(t, 'locks', () => theirs.close())
  const guard = await ours.acquireWrite()
  t.is(theirs.tryRead(), null)
  const ofTheirs = await t.throwsAsync(theirs.acquireRead({ timeout: 10 }), { code: 'ERR_LOCK_TIMEOUT' })
  guard.release()
  theirs.tryWrite()
  const ofOurs = await t.throwsAsync(ours.acquireRead({ timeout: 10 }), { code: 'ERR_LOCK_TIMEOUT' })
  for (const error of [ofOurs, ofTheirs]) {
    t.true(error instanceof LockError)
    t.true(error instanceof copy.LockError)
  }
  t.false(new Error('x') instanceof copy.LockError)
})
