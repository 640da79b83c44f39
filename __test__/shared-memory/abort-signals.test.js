// Abort signals of any origin leave nothing behind. Other tests of aborts are in ../contract.
import { openLock, spawnChild, test } from '../helpers/index.js'

const METHODS = /** @type {const} */ (['read', 'write', 'upgradable'])
const ACQUIRE = /** @type {const} */ (['acquireRead', 'acquireWrite', 'acquireUpgradable'])

/** Acquires by any method; with an empty function where one is needed. @returns {any} */
function begin(/** @type {any} */ lock, method, options) {
  return /acquire/.test(method) ? lock[method](options) : lock[method](() => {}, options)
}

/** The lock has no holder and no waiter. */
function assertFree(t, lock) {
  const { holders, waiters } = lock.inspect()
  t.deepEqual([...holders, ...waiters], [])
  const guard = lock.tryWrite()
  t.truthy(guard)
  guard.release()
}

// ---- signals of other origin

/**
 * A signal like those of old polyfills: without `throwIfAborted` and `reason`; listeners are called
 * without `this`.
 */
class OldSignal {
  aborted = false
  /** @type {Set<() => void>} */
  listeners = new Set()
  addEventListener(_type, listener) {
    this.listeners.add(listener)
  }
  removeEventListener(_type, listener) {
    this.listeners.delete(listener)
  }
  abort() {
    this.aborted = true
    for (const listener of this.listeners) listener()
  }
}

for (const method of ACQUIRE) {
  test(`${method} takes a signal that has no throwIfAborted and no reason`, async (t) => {
    const lock = openLock(t)
    const signal = /** @type {any} */ (new OldSignal())
    ;(await lock[method]({ signal })).release()
    const guard = lock.tryWrite()
    const waits = [lock[method]({ signal }), lock[method]({ signal })]
    t.is(signal.listeners.size, 1)
    signal.abort()
    for (const wait of waits)
      t.like(await wait.catch((error) => error), { name: 'AbortError', code: 'ABORT_ERR' })
    t.is(signal.listeners.size, 0)
    t.like(await lock[method]({ signal }).catch((error) => error), { name: 'AbortError', code: 'ABORT_ERR' })
    guard?.release()
    assertFree(t, lock)
  })
}

/**
 * For each fault: the signal, and the reason of the rejection, or `undefined` if the lock is
 * granted.
 */
const HOSTILE = {
  'addEventListener throws': [{ addEventListener: thrower }, /hostile/, 'waiting'],
  'removeEventListener throws': [{ removeEventListener: thrower }, undefined],
  'the getter of aborted throws': [{ aborted: { get: thrower } }, /hostile/],
  'the getter of aborted throws the second time': [
    { aborted: { get: throwsAfter(1, false) } },
    /hostile/,
    'waiting',
  ],
  'the getter of addEventListener throws': [{ addEventListener: { get: thrower } }, /hostile/],
  'the getter of addEventListener throws the second time': [
    { addEventListener: { get: throwsAfter(1, () => {}) } },
    /hostile/,
    'waiting',
  ],
  'the getter of reason throws': [{ aborted: true, reason: { get: thrower } }, /hostile/],
  'it has no addEventListener': [{ addEventListener: undefined }, 'ERR_INVALID_ARG_TYPE'],
  'it has no removeEventListener': [{ removeEventListener: undefined }, 'ERR_INVALID_ARG_TYPE'],
  'addEventListener calls the listener at once': [
    { addEventListener: (_, listener) => listener(), reason: 'early' },
    'early',
    'waiting',
  ],
  'it aborts during addEventListener': [
    {
      addEventListener() {
        Object.defineProperty(this, 'aborted', { value: true })
      },
      reason: 'meanwhile',
    },
    'meanwhile',
    'waiting',
  ],
}

function thrower() {
  throw new Error('hostile')
}

function throwsAfter(times, value) {
  let left = times
  return () => {
    if (left-- > 0) return value
    throw new Error('hostile')
  }
}

function hostile(parts) {
  const signal = { aborted: false, addEventListener() {}, removeEventListener() {} }
  for (const [name, part] of Object.entries(parts)) {
    Object.defineProperty(
      signal,
      name,
      part?.get ? { ...part, configurable: true } : { value: part, configurable: true },
    )
  }
  return signal
}

for (const [what, [parts, reason, when]] of Object.entries(HOSTILE)) {
  test(`a signal where ${what} leaks nothing`, async (t) => {
    const lock = openLock(t)
    for (const method of [...METHODS, ...ACQUIRE]) {
      for (const isFree of when === 'waiting' ? [false] : [true, false]) {
        const options = { signal: /** @type {any} */ (hostile(parts)) }
        const guard = isFree ? null : lock.tryWrite()
        const end = begin(lock, method, options)
        const [outcome] = await Promise.all([
          end.then(
            (value) => value?.release?.(),
            (error) => error,
          ),
          new Promise((resolve) => setImmediate(resolve)).then(() => guard?.release()),
        ])
        const shown = outcome?.code === 'ERR_INVALID_ARG_TYPE' ? outcome.code : (outcome?.message ?? outcome)
        if (reason === undefined) t.is(shown, undefined, method)
        else if (reason instanceof RegExp) t.regex(String(shown), reason, method)
        else t.is(shown, reason, method)
        assertFree(t, lock)
      }
    }
  })
}

test('options are read once: the checked values are used', async (t) => {
  const lock = openLock(t)
  for (const [name, value] of /** @type {const} */ ([
    ['timeout', 1000],
    ['label', 'once'],
    ['signal', new AbortController().signal],
  ])) {
    for (const method of [
      ...METHODS,
      ...ACQUIRE,
      'readSync',
      'writeSync',
      'acquireReadSync',
      'acquireWriteSync',
    ]) {
      const options = Object.defineProperty({}, name, { get: throwsAfter(1, value) })
      const guard = await begin(lock, method, options)
      guard?.release()
      assertFree(t, lock)
      // A getter that throws immediately.
      const bad = Object.defineProperty({}, name, { get: thrower })
      await t.throwsAsync(async () => begin(lock, method, bad), {
        message: 'hostile',
      })
      assertFree(t, lock)
    }
  }
})

for (const [what, result] of Object.entries({
  'then throws': () => Object.defineProperty({}, 'then', { value: thrower }),
  'the getter of then throws': () => Object.defineProperty({}, 'then', { get: thrower }),
  'the getter of then throws the second time': () =>
    Object.defineProperty({}, 'then', { get: throwsAfter(1, () => {}) }),
  'its constructor throws': () => Object.defineProperty(Promise.resolve(), 'constructor', { get: thrower }),
  'its species throws': () =>
    Object.defineProperty(Promise.resolve(), 'constructor', {
      value: Object.defineProperty(() => {}, Symbol.species, { get: thrower }),
    }),
})) {
  test(`a result of fn where ${what} leaks nothing`, async (t) => {
    const lock = openLock(t)
    for (const method of METHODS) {
      // The call may reject or not, but no hold stays.
      await lock[method](result).catch(() => {})
      assertFree(t, lock)
    }
  })
}

test('a guard whose upgrade fails because of its signal stays upgradable', async (t) => {
  const lock = openLock(t)
  const reader = await spawnChild(t)
  await reader.ask('hold', { ref: lock.toJSON(), mode: 'read' })
  const guard = await lock.acquireUpgradable()
  for (const [parts] of Object.values(HOSTILE)) {
    const signal = /** @type {any} */ (hostile(parts))
    await t.throwsAsync(guard.upgrade({ signal, timeout: 5 }), { any: true })
    t.is(guard.mode, 'upgradable')
    t.like(lock.inspect(), { waiters: [] })
  }
  await reader.ask('release')
  await guard.upgrade()
  t.is(guard.mode, 'write')
  guard.release()
  assertFree(t, lock)
})

test('a second release of a guard, by the signal of another request, ends no other hold', async (t) => {
  const lock = openLock(t)
  const guard = await lock.acquireWrite()
  let removed = 0
  const signal = /** @type {any} */ ({
    aborted: false,
    addEventListener() {},
    removeEventListener() {
      removed++
      guard.release()
    },
  })
  const next = lock.acquireWrite({ signal })
  guard.release()
  t.is(removed, 1)
  t.like(lock.inspect(), { holders: [{ mode: 'write' }] })
  ;(await next).release()
})
