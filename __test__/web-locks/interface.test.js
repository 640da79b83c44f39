// The interface LockManager within one thread: its arguments, errors, and the order of events. From
// the text of the standard.
import diagnostics from 'node:diagnostics_channel'
import { setImmediate } from 'node:timers/promises'
import { Lock, LockManager, locks } from 'process-rwlock/web-locks'
import { spawnNode, test, waitFor } from '../helpers/index.js'
import { random } from '../helpers/random.js'
import { begin, isGone, newName, ownId, pending, stateOf } from './helpers.js'

/**
 * @param {import('ava').ExecutionContext<any>} t
 * @param {Promise<any> | undefined} promise
 * @param {string} name
 * @param {string} [message]
 */
async function rejects(t, promise, name, message) {
  const error = /** @type {any} */ (await t.throwsAsync(/** @type {any} */ (promise), { any: true }))
  t.is(error.name, name, message)
  if (name === 'TypeError') t.true(error instanceof TypeError)
  else t.true(error instanceof DOMException)
  if (message !== undefined) t.is(error.message, message)
  return error
}

test('a lock has its name and mode, and the request the result of the callback', async (t) => {
  const name = newName()
  const result = await locks.request(name, (lock) => {
    t.true(lock instanceof Lock)
    t.deepEqual([lock?.name, lock?.mode, String(lock)], [name, 'exclusive', '[object Lock]'])
    return 'done'
  })
  t.is(result, 'done')
  await locks.request(name, { mode: 'shared' }, async (lock) => t.is(lock?.mode, 'shared'))
  const error = new Error('from the callback')
  for (const callback of [() => Promise.reject(error), () => fails(error)]) {
    t.is(await t.throwsAsync(locks.request(name, callback)), error)
  }
  t.deepEqual(await stateOf(name), { held: [], pending: [] })
})

/** @param {Error} error @returns {never} */
function fails(error) {
  throw error
}

test('the callback is called after request() has returned', async (t) => {
  const name = newName()
  for (const options of [{}, { ifAvailable: true }, { steal: true }]) {
    let returned = false
    const released = locks.request(name, options, () => t.true(returned))
    returned = true
    await released
  }
})

test('the lock is released before the promise of the request settles', async (t) => {
  const name = newName()
  await locks.request(name, () => {})
  t.true(await locks.request(name, { ifAvailable: true }, (lock) => lock !== null))
  await t.throwsAsync(locks.request(name, () => Promise.reject(new Error('x'))))
  t.true(await locks.request(name, { ifAvailable: true }, (lock) => lock !== null))
})

test('an exclusive lock excludes, and shared ones do not exclude each other', async (t) => {
  const name = newName()
  const shared = [begin(name, { mode: 'shared' }), begin(name, { mode: 'shared' })]
  await Promise.all(shared.map(({ granted }) => granted))
  const exclusive = begin(name)
  const later = begin(name, { mode: 'shared' })
  await setImmediate()
  t.false(exclusive.isRunning || later.isRunning, 'a later shared request does not pass an exclusive one')
  t.false(await locks.request(name, { mode: 'shared', ifAvailable: true }, (lock) => lock !== null))
  shared[0]?.end()
  await setImmediate()
  t.false(exclusive.isRunning)
  shared[1]?.end()
  await exclusive.granted
  t.false(later.isRunning)
  t.false(await locks.request(name, { ifAvailable: true }, (lock) => lock !== null))
  exclusive.end()
  await later.granted
  later.end()
})

test('different names are different locks', async (t) => {
  const name = newName()
  await locks.request(name, () => locks.request(`${name}/`, () => t.pass()))
})

test('arguments are converted as WebIDL prescribes', async (t) => {
  const name = newName()
  const request = /** @type {any} */ (locks).request.bind(locks)
  await rejects(t, request(), 'TypeError', argument('2 arguments required, but only 0 present.'))
  await rejects(t, request(name), 'TypeError', argument('2 arguments required, but only 1 present.'))
  await rejects(t, request(name, {}), 'TypeError', argument("parameter 2 is not of type 'Function'."))
  for (const callback of [undefined, null, {}, 'x']) {
    await rejects(
      t,
      request(name, {}, callback),
      'TypeError',
      argument("parameter 3 is not of type 'Function'."),
    )
  }
  for (const options of [1, 'x', true, Symbol('x')]) {
    await rejects(
      t,
      request(name, options, () => {}),
      'TypeError',
      argument("The provided value is not of type 'LockOptions'."),
    )
  }
  for (const options of [undefined, null, {}, () => {}, [], { mode: undefined, signal: undefined }]) {
    await request(name, options, (lock) => t.is(lock.mode, 'exclusive'), 'more')
  }
  for (const mode of [null, '', 'Shared', 1, { toString: () => 'read' }]) {
    await rejects(
      t,
      request(name, { mode }, () => {}),
      'TypeError',
    )
  }
  await request(name, { mode: { toString: () => 'shared' } }, (lock) => t.is(lock.mode, 'shared'))
  const halfSignal = { aborted: true, reason: 'a', addEventListener() {} }
  for (const signal of [null, 'x', 1, {}, new AbortController(), () => {}, halfSignal]) {
    await rejects(
      t,
      request(name, { signal }, () => {}),
      'TypeError',
    )
  }
  await rejects(
    t,
    request(Symbol('x'), () => {}),
    'TypeError',
  )
  for (const [value, text] of [
    [undefined, 'undefined'],
    [null, 'null'],
    [7, '7'],
    [{ toString: () => name }, name],
  ]) {
    await request(value, (lock) => t.is(lock.name, text))
  }
  const options = { ifAvailable: 1, steal: '', mode: 'shared' }
  await request(name, options, (lock) => t.is(lock.mode, 'shared'))

  // Each conversion may run code, so its order is visible.
  const read = []
  const spied = new Proxy({}, { get: (_, member) => void read.push(member) })
  await request({ toString: () => read.push('name') && name }, spied, () => {})
  t.deepEqual(read, ['name', 'ifAvailable', 'mode', 'signal', 'steal'])
  t.is(locks.request.length, 2)
})

const argument = (message) => `Failed to execute 'request' on 'LockManager': ${message}`

test('objects are of the interfaces of the standard', async (t) => {
  t.true(locks instanceof LockManager)
  t.is(Object.prototype.toString.call(locks), '[object LockManager]')
  t.deepEqual(Object.keys(LockManager.prototype).sort(), ['query', 'request'])
  t.deepEqual(Object.keys(Lock.prototype).sort(), ['mode', 'name'])
  for (const Class of /** @type {any[]} */ ([LockManager, Lock])) {
    t.throws(() => new Class(), { instanceOf: TypeError, message: 'Illegal constructor' })
    t.is(Class.length, 0)
  }
  const { request, query } = /** @type {Record<string, any>} */ (locks)
  for (const operation of [request, query]) t.is(Object.getPrototypeOf(operation), Function.prototype)
  for (const other of [{}, undefined, null, 1, 'x', Object.create(LockManager.prototype)]) {
    await rejects(
      t,
      request.call(other, 'x', () => {}),
      'TypeError',
      'Illegal invocation',
    )
    await rejects(t, query.call(other), 'TypeError', 'Illegal invocation')
  }
  t.throws(() => Lock.prototype.name, { instanceOf: TypeError })
  t.throws(() => Lock.prototype.mode, { instanceOf: TypeError })
})

test('names and options that the standard refuses', async (t) => {
  const name = newName()
  const never = () => t.fail()
  const { signal } = new AbortController()
  for (const [refused, options, message] of /** @type {any[]} */ ([
    ['-', {}, "Names cannot start with '-'."],
    ['-x', { mode: 'shared' }, "Names cannot start with '-'."],
    [
      name,
      { steal: true, ifAvailable: true },
      "The 'steal' and 'ifAvailable' options cannot be used together.",
    ],
    [name, { steal: true, mode: 'shared' }, "The 'steal' option may only be used with 'exclusive' locks."],
    [name, { steal: true, signal }, "The 'signal' and 'steal' options cannot be used together."],
    [name, { ifAvailable: true, signal }, "The 'signal' and 'ifAvailable' options cannot be used together."],
    // These come before the signal.
    ['-', { signal: AbortSignal.abort() }, "Names cannot start with '-'."],
    [
      name,
      { steal: true, signal: AbortSignal.abort() },
      "The 'signal' and 'steal' options cannot be used together.",
    ],
  ])) {
    await rejects(t, locks.request(refused, options, never), 'NotSupportedError', message)
  }
  t.deepEqual(await stateOf(name), { held: [], pending: [] })
})

test('a request with an aborted signal rejects, and leaves nothing', async (t) => {
  const name = newName()
  const never = () => t.fail()
  await rejects(t, locks.request(name, { signal: AbortSignal.abort() }, never), 'AbortError')
  for (const reason of [new Error('mine'), 'text', 0, null]) {
    await t.throwsAsync(locks.request(name, { signal: AbortSignal.abort(reason) }, never), {
      any: true,
      is: /** @type {any} */ (reason),
    })
  }
  t.deepEqual(await stateOf(name), { held: [], pending: [] })
})

test('an abort in the same tick rejects, although the lock is free', async (t) => {
  const name = newName()
  const controller = new AbortController()
  const released = locks.request(name, { signal: controller.signal }, () => t.fail())
  controller.abort()
  await rejects(t, released, 'AbortError')
  t.true(await locks.request(name, { ifAvailable: true }, (lock) => lock !== null), 'it was released')
})

test('an abort while the request waits lets the later ones pass', async (t) => {
  const name = newName()
  const holder = begin(name, { mode: 'shared' })
  await holder.granted
  const controller = new AbortController()
  const reason = new Error('enough')
  const released = locks.request(name, { signal: controller.signal }, () => t.fail())
  const later = begin(name, { mode: 'shared' })
  t.is((await stateOf(name)).pending.length, 2)
  controller.abort(reason)
  t.is(await t.throwsAsync(released), reason)
  await later.granted
  later.end()
  holder.end()
  await holder.outcome
})

test('an abort after the grant has no effect', async (t) => {
  const name = newName()
  const controller = new AbortController()
  const result = await locks.request(name, { signal: controller.signal }, async () => {
    controller.abort()
    await setImmediate()
    t.is((await stateOf(name)).held.length, 1)
    return 'done'
  })
  t.is(result, 'done')
  const other = new AbortController()
  const released = locks.request(name, { signal: other.signal }, () => 'done')
  await released
  other.abort()
  t.is(await released, 'done')
})

test('one signal aborts many requests', async (t) => {
  const name = newName()
  const holder = begin(name)
  await holder.granted
  const controller = new AbortController()
  const { signal } = controller
  const all = Array.from({ length: 20 }, () => locks.request(name, { signal }, () => t.fail()))
  controller.abort()
  for (const released of all) await rejects(t, released, 'AbortError')
  holder.end()
  await holder.outcome
})

test('the callback gets null if the lock is not available', async (t) => {
  const name = newName()
  const holder = begin(name)
  await holder.granted
  const options = { ifAvailable: true }
  t.is(await locks.request(name, options, (lock) => lock ?? 'null'), 'null')
  const error = new Error('from the callback')
  t.is(await t.throwsAsync(locks.request(name, options, () => fails(error))), error)
  t.deepEqual((await stateOf(name)).pending, [])
  holder.end()
  await holder.outcome
  await locks.request(name, options, (lock) => t.is(lock?.name, name))
})

test('a steal rejects the request of the holder, whose callback runs on', async (t) => {
  const name = newName()
  const holder = begin(name)
  const shared = begin(name, { mode: 'shared' })
  await holder.granted
  const thief = begin(name, { steal: true })
  await thief.granted
  const message = "Lock broken by another request with the 'steal' option."
  await rejects(t, holder.outcome, 'AbortError', message)
  t.true(holder.isRunning)
  t.deepEqual(await stateOf(name), { held: [`exclusive ${ownId}`], pending: [`shared ${ownId}`] })
  holder.end()
  await waitFor(() => !holder.isRunning)
  t.deepEqual((await stateOf(name)).held, [`exclusive ${ownId}`], 'the end of its callback releases nothing')
  t.false(shared.isRunning)
  thief.end('stolen')
  t.is(await thief.outcome, 'stolen')
  await shared.granted
  shared.end()
})

test('a steal takes shared locks, and drops the later errors of their callbacks', async (t) => {
  const name = newName()
  const holders = [begin(name, { mode: 'shared' }), begin(name, { mode: 'shared' })]
  await Promise.all(holders.map(({ granted }) => granted))
  const thief = begin(name, { steal: true })
  await thief.granted
  for (const holder of holders) {
    await rejects(t, holder.outcome, 'AbortError')
    holder.end(Promise.reject(new Error('too late')))
  }
  await setImmediate()
  thief.end()
  await thief.outcome
})

test('of several steals the last caller keeps the lock, and those that wait keep their order', async (t) => {
  const name = newName()
  const holder = begin(name)
  await holder.granted
  const log = []
  const waits = ['shared', 'exclusive', 'shared'].map((mode, index) =>
    locks.request(name, { mode: /** @type {any} */ (mode) }, () => void log.push(index)),
  )
  const thieves = [1, 2, 3].map(() => begin(name, { steal: true }))
  await thieves[2]?.granted
  for (const loser of [holder, thieves[0], thieves[1]]) {
    await rejects(t, /** @type {any} */ (loser).outcome, 'AbortError')
  }
  t.deepEqual(log, [])
  for (const thief of thieves) thief.end()
  await Promise.all([thieves[2]?.outcome, ...waits])
  t.deepEqual(log, [0, 1, 2])
})

test('a steal of a free lock is granted', async (t) => {
  t.is(await locks.request(newName(), { steal: true }, (lock) => lock?.mode), 'exclusive')
})

test('query() lists what is held and what waits, in order', async (t) => {
  const name = newName()
  const first = [begin(name, { mode: 'shared' }), begin(name, { mode: 'shared' })]
  await Promise.all(first.map(({ granted }) => granted))
  const modes = /** @type {const} */ (['exclusive', 'shared', 'exclusive'])
  const waits = modes.map((mode) => begin(name, { mode }))
  const { held, pending: waiting } = await locks.query()
  const own = (mode) => ({ name, mode, clientId: ownId })
  t.deepEqual(
    held.filter((it) => it.name === name),
    [own('shared'), own('shared')],
  )
  t.deepEqual(
    waiting.filter((it) => it.name === name),
    modes.map(own),
  )
  for (const it of [...first, ...waits]) it.end()
  await Promise.all(waits.map(({ outcome }) => outcome))
  t.deepEqual(await stateOf(name), { held: [], pending: [] })
})

test('any string is a name', async (t) => {
  const part = newName()
  const long = 'x'.repeat(1_000_000)
  const names = [
    '',
    '\0',
    '\ud800',
    '\udc00\ud800',
    'a\0b',
    '%',
    '%00',
    '%uD800',
    ' ',
    '\n',
    '名前',
    '💾',
    '‑',
    '\ufffd',
    '*',
  ]
  const all = [
    ...names.map((it) => part + it),
    '',
    '\0',
    '\ud800',
    long,
    `${long}y`,
    `${long}\ud800`,
    '\ud800'.repeat(200),
    'é'.repeat(123),
  ]
  const held = all.map((it) => begin(it))
  for (const [index, { granted }] of held.entries()) t.is((await granted).name, all[index])
  const listed = new Set((await locks.query()).held.map(({ name }) => name))
  for (const it of all) t.true(listed.has(it), `${it.slice(0, 50)} is listed`)
  for (const it of all) t.false(await locks.request(it, { ifAvailable: true }, (lock) => lock !== null))
  for (const it of held) it.end()
  await Promise.all(held.map(({ outcome }) => outcome))
})

test('names that were used once leave nothing behind', async (t) => {
  const name = newName()
  for (let number = 0; number < 2000; number++) await locks.request(`${name}/${number}`, () => {})
  await isGone(name)
  t.pass()
})

test('requests for which no stack is left hold nothing, and leave no lock open', async (t) => {
  const name = newName()
  const program = new URL('./programs/little-stack.js', import.meta.url)
  const child = spawnNode(t, program, [name], { execArgv: ['--stack-size=150'] })
  await child.next('done')
  await isGone(name)
  t.pass()
})

test('a thousand requests of one thread are granted in order', async (t) => {
  const name = newName()
  const holder = begin(name)
  await holder.granted
  const log = []
  const modes = Array.from({ length: 1000 }, (_, number) => (number % 3 === 0 ? 'exclusive' : 'shared'))
  const all = modes.map((mode, number) =>
    locks.request(name, { mode: /** @type {any} */ (mode) }, async () => {
      log.push(number)
      if (mode === 'exclusive') {
        await setImmediate()
        t.is(log.at(-1), number, 'it is alone')
      }
    }),
  )
  holder.end()
  await Promise.all(all)
  t.deepEqual(
    log,
    log.toSorted((a, b) => a - b),
  )
})

/** Whether the callbacks of shared requests are called in the order of their grants. */
async function checkOrder(t, options) {
  const shared = /** @type {const} */ ({ mode: 'shared' })
  // The second request is made so many microtasks after the end of the callback whose release grants
  // the first one.
  for (let microtasks = 0; microtasks < 20; microtasks++) {
    const name = newName()
    const holder = begin(name)
    await holder.granted
    const log = []
    const first = locks.request(name, shared, () => void log.push('first'))
    const second = async () => {
      for (let number = 0; number < microtasks; number++) await undefined
      await locks.request(name, { ...shared, ...options }, (lock) => void (lock && log.push('second')))
    }
    const made = second()
    holder.end()
    await Promise.all([first, made])
    t.is(log[0], 'first', `${microtasks} microtasks`)
  }
}

test('callbacks are called in the order of their grants', async (t) => {
  await checkOrder(t, {})
  await checkOrder(t, { ifAvailable: true })
})

test('callbacks are called in that order also while requests are traced', async (t) => {
  const channel = diagnostics.channel('tracing:process-rwlock:acquire:start')
  const listener = () => {}
  channel.subscribe(listener)
  t.teardown(() => channel.unsubscribe(listener))
  await checkOrder(t, {})
})

test('the next requests are granted when the promise of a request settles', async (t) => {
  const name = newName()
  const holder = begin(name)
  await holder.granted
  const waits = ['shared', 'shared', 'exclusive'].map((mode) =>
    begin(name, { mode: /** @type {any} */ (mode) }),
  )
  holder.end()
  await holder.outcome
  t.deepEqual(await stateOf(name), {
    held: [`shared ${ownId}`, `shared ${ownId}`],
    pending: [`exclusive ${ownId}`],
  })
  for (const wait of waits) wait.end()
  await Promise.all(waits.map(({ outcome }) => outcome))
})

test('query() lists each request of this thread, and more than the rows of all', async (t) => {
  const name = newName()
  const holder = begin(name)
  await holder.granted
  const mode = (number) =>
    number % 2 === 0 ? /** @type {const} */ ('shared') : /** @type {const} */ ('exclusive')
  const waits = Array.from({ length: 250 }, (_, number) => begin(name, { mode: mode(number) }))
  t.deepEqual(
    (await stateOf(name)).pending,
    waits.map((_, number) => `${mode(number)} ${ownId}`),
  )
  const more = Array.from({ length: 100 }, () => begin(name))
  const listed = (await stateOf(name)).pending
  t.true(listed.length >= 250 && listed.length <= 350)
  for (const each of [holder, ...waits, ...more]) each.end()
  await Promise.all(more.map(({ outcome }) => outcome))
  t.deepEqual(await stateOf(name), { held: [], pending: [] })
})

test('query() lists requests that come, leave and are granted in any order', async (t) => {
  const name = newName()
  const { below } = random(1)
  const all = []
  const make = (mode, steal = false) => {
    const controller = new AbortController()
    const aborts = steal ? {} : { signal: controller.signal }
    const made = { ...begin(name, { mode, steal, ...aborts }), mode, abort: () => controller.abort() }
    all.push(made)
    return made
  }
  let held = [make('exclusive')]
  await held[0]?.granted
  const waits = []
  for (let step = 0; step < 150; step++) {
    const count = below(1 + below(60))
    const choice = below(waits.length > 300 ? 4 : 6)
    if (choice === 0 && waits.length > 0) {
      // In the standard's order: the first one, and with a shared one those that follow it.
      for (const each of held) each.end()
      await Promise.all(held.map(({ outcome }) => outcome.catch(() => {})))
      const others = waits.findIndex(({ mode }) => mode === 'exclusive')
      held = waits.splice(0, waits[0].mode === 'exclusive' ? 1 : others < 0 ? waits.length : others)
      await Promise.all(held.map(({ granted }) => granted))
    } else if (choice === 1) {
      for (let number = 0; number < count && waits.length > 0; number++) {
        waits.splice(below(waits.length), 1)[0].abort()
      }
    } else if (choice === 2 && below(3) === 0) {
      held = [make('exclusive', true)]
      await held[0]?.granted
    } else {
      for (let number = 0; number < count; number++) {
        // A shared one would get the lock at once.
        const isFree = waits.length === 0 && held[0]?.mode === 'shared'
        waits.push(make(isFree || below(3) === 0 ? 'exclusive' : 'shared'))
      }
    }
    if (waits[0]?.mode === 'shared' && held[0]?.mode === 'shared') {
      const others = waits.findIndex(({ mode }) => mode === 'exclusive')
      held.push(...waits.splice(0, others < 0 ? waits.length : others)) // an abort has let them pass
    }
    const state = await stateOf(name)
    const modes = (list) => list.map(({ mode }) => `${mode} ${ownId}`)
    t.deepEqual(state.held, modes(held), `step ${step}`)
    t.true(state.pending.length >= Math.min(waits.length, 256))
    t.deepEqual(state.pending, modes(waits).slice(0, state.pending.length), `step ${step}`)
  }
  for (const each of all) each.abort()
  for (const each of all) each.end()
  await Promise.allSettled(all.map(({ outcome }) => outcome))
  t.deepEqual(await stateOf(name), { held: [], pending: [] })
})

test('a pending request is listed until it is granted', async (t) => {
  const name = newName()
  const holder = begin(name)
  await holder.granted
  const wait = begin(name)
  await pending(name, 1)
  holder.end()
  await wait.granted
  t.deepEqual(await stateOf(name), { held: [`exclusive ${ownId}`], pending: [] })
  wait.end()
  await wait.outcome
})
