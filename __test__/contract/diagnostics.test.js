// The diagnostics channels: what they say of each acquisition and release, and in which order.
import { AsyncLocalStorage } from 'node:async_hooks'
import { channel, subscribe, tracingChannel, unsubscribe } from 'node:diagnostics_channel'
import { waitFor } from '../helpers/index.js'
import { contract } from './contract.js'
import { acquire, tryTo } from './modes.js'

const CHANNELS = ['release', 'downgrade', 'contended', 'owner-died', 'deadlock']

/**
 * Records what the channels say of a lock.
 *
 * @param {import('ava').ExecutionContext<any>} t
 * @param {object} lock
 */
function record(t, lock) {
  /** @type {Array<[string, any]>} the name of each event, and its message as it was then */
  const events = []
  /** @type {Set<object>} */
  const messages = new Set()
  const on = (name) => (message) => {
    if (message.lock !== lock) return
    events.push([name, { ...message }])
    messages.add(message)
  }
  const handlers = {
    start: on('start'),
    end: on('end'),
    asyncStart: on('asyncStart'),
    asyncEnd: on('asyncEnd'),
    error: on('error'),
  }
  const acquisitions = tracingChannel('process-rwlock:acquire')
  acquisitions.subscribe(handlers)
  for (const name of CHANNELS) {
    const handler = on(name)
    subscribe(`process-rwlock:${name}`, handler)
    t.teardown(() => unsubscribe(`process-rwlock:${name}`, handler))
  }
  t.teardown(() => acquisitions.unsubscribe(handlers))
  return {
    events,
    messages,
    names: () => events.map(([name]) => name),
    /** The last message of an event. */
    last: (name) => events.findLast(([its]) => its === name)?.[1],
  }
}

contract(({ test, open, newRef, modes, otherProcess, steal }) => {
  for (const mode of modes) {
    test(`an acquisition for ${mode} with a function: its events, with the function between`, async (t) => {
      const lock = open(t)
      const { events, names, messages, last } = record(t, lock)
      const { token } = await lock[mode](
        async (guard) => {
          events.push(['fn', {}])
          await null
          return { token: guard.token }
        },
        { label: 'a job' },
      )
      await waitFor(() => names().includes('release'))
      const expected = ['start', 'end', 'asyncStart', 'fn', 'asyncEnd', 'release']
      t.deepEqual(
        names().filter((name) => name !== 'contended'),
        expected,
      )
      t.is(messages.size, 1, 'all have one message')
      const { name } = await lock.inspect()
      t.like(last('start'), {
        name,
        mode,
        label: 'a job',
        upgrade: false,
        token: undefined,
        waitedMs: undefined,
      })
      t.like(last('asyncEnd'), { token, holders: undefined })
      t.true(last('asyncEnd').waitedMs >= 0 && last('asyncEnd').waitedMs < 5000)
      t.true(last('release').heldMs >= 0 && last('release').heldMs < 5000)
    })

    test(`an acquisition for ${mode} with a guard: its events`, async (t) => {
      const lock = open(t)
      const { names, last } = record(t, lock)
      const guard = await acquire[mode](lock)
      t.deepEqual(names(), ['start', 'end', 'asyncStart', 'asyncEnd'])
      t.like(last('asyncEnd'), { mode, label: undefined, token: guard.token })
      await guard.release()
      await guard.release()
      t.deepEqual(names().slice(4), ['release'])
    })

    test(`a try for ${mode} is an acquisition, granted or not`, async (t) => {
      const ref = newRef(t)
      const lock = open(t, ref)
      const { names, last } = record(t, lock)
      const guard = await tryTo[mode](lock)
      t.is(last('end').mode, mode)
      t.is((last('asyncEnd') ?? last('end')).token, guard?.token)
      await guard?.release()
      const writer = await open(t, ref).acquireWrite()
      const before = names().length
      t.is(await tryTo[mode](lock), null)
      t.true(names().slice(before).includes('end'))
      t.like(last('asyncEnd') ?? last('end'), { token: undefined, error: undefined })
      await writer.release()
    })
  }

  test('a wait is reported when it begins, with the holders, and when it ends', async (t) => {
    const ref = newRef(t)
    const lock = open(t, ref, { label: 'the holder' })
    const { events, names, last } = record(t, lock)
    const writer = await lock.acquireWrite()
    const waits = lock.acquireRead()
    const start = performance.now()
    await waitFor(() => names().includes('contended'))
    t.like(last('contended'), { mode: 'read', waitedMs: undefined })
    t.like(last('contended').holders, [{ mode: 'write', pid: process.pid, label: 'the holder' }])
    const second = lock.acquireRead()
    await waitFor(() => names().filter((name) => name === 'contended').length === 2)
    await waitFor(() => performance.now() - start > 30)
    const waited = performance.now() - start
    events.length = 0
    await writer.release()
    const reader = await waits
    const [, message] = events.find(([name]) => name === 'asyncEnd') ?? []
    t.like(message, { mode: 'read', token: reader.token, holders: [{ mode: 'write' }] })
    t.true(message.waitedMs >= waited - 10, `${message.waitedMs} ms`)
    t.true(last('release').heldMs >= waited - 10)
    await (await second).release()
    t.false(names().includes('contended'), 'once for each wait')
  })

  test('a wait that fails has an event for its error, and no release', async (t) => {
    const ref = newRef(t)
    const lock = open(t, ref)
    const writer = await open(t, ref).acquireWrite()
    const { names, last } = record(t, lock)
    const timedOut = await t.throwsAsync(
      lock.read(() => t.fail(), { timeout: 30 }),
      { code: 'ERR_LOCK_TIMEOUT' },
    )
    t.true(names().includes('contended'))
    t.deepEqual(
      names().filter((name) => name !== 'contended'),
      ['start', 'end', 'error', 'asyncStart', 'asyncEnd'],
    )
    t.is(last('error').error, timedOut)
    t.true(last('error').waitedMs >= 25)
    t.is(last('asyncEnd').token, undefined)
    const reason = new Error('enough')
    await t.throwsAsync(lock.acquireWrite({ signal: AbortSignal.abort(reason) }), { is: reason })
    t.is(last('error').error, reason)
    t.false(names().includes('release'))
    await writer.release()
  })

  test('a function that throws fails no acquisition, and its hold is released', async (t) => {
    const lock = open(t)
    const { names, last } = record(t, lock)
    await t.throwsAsync(
      lock.write(() => {
        throw new Error('from the function')
      }),
      { message: 'from the function' },
    )
    t.false(names().includes('error'))
    t.is(last('release').error, undefined)
  })

  test('an upgrade is an acquisition of its own, and has no release', ['upgradable'], async (t) => {
    const lock = open(t)
    const { events, names, last, messages } = record(t, lock)
    const guard = await lock.acquireUpgradable()
    await guard.upgrade()
    t.like(last('asyncEnd'), { mode: 'write', upgrade: true, token: guard.token })
    await guard.downgrade()
    t.is(names().at(-1), 'downgrade')
    t.like(last('downgrade'), { mode: 'read', upgrade: false, token: guard.token })
    t.true((await lock.inspect()).holders.every(({ mode }) => mode === 'read'))
    await guard.release()
    t.is(names().filter((name) => name === 'release').length, 1)
    t.like(last('release'), { mode: 'read', upgrade: false, token: guard.token })
    t.is(messages.size, 2)
    const reader = await lock.acquireRead()
    t.true(await reader.tryUpgrade())
    t.like(events.at(-1)?.[1], { mode: 'write', upgrade: true, token: reader.token })
    await reader.release()
    t.is(last('release').mode, 'write')
  })

  test('a downgrade that fails is not published', async (t) => {
    const lock = open(t)
    const { names } = record(t, lock)
    const guard = await lock.acquireRead()
    await t.throwsAsync(async () => guard.downgrade('upgradable'), { code: 'ERR_INVALID_ARG_VALUE' })
    await guard.downgrade('read') // it is one
    t.false(names().includes('downgrade'))
    await guard.release()
  })

  test('yield() is a release and an acquisition', async (t) => {
    const lock = open(t)
    const { events, names, last } = record(t, lock)
    const guard = await lock.acquireWrite({ label: 'cached' })
    const { token } = guard
    events.length = 0
    await guard.yield()
    t.deepEqual(
      names().filter((name) => name !== 'contended'),
      ['start', 'release', 'end', 'asyncStart', 'asyncEnd'],
    )
    t.is(last('release').token, token)
    t.like(last('asyncEnd'), { mode: 'write', label: 'cached', token: guard.token })
    await guard.release()
    t.is(names().filter((name) => name === 'release').length, 2)
    t.is(last('release').token, guard.token)
  })

  test('closing a lock releases its holds', async (t) => {
    const lock = open(t)
    const { names, last } = record(t, lock)
    const guards = [await lock.acquireRead(), await lock.acquireRead()]
    await lock.close()
    t.deepEqual(
      names().filter((name) => name === 'release'),
      ['release', 'release'],
    )
    t.is(last('release').mode, 'read')
    for (const guard of guards) await guard.release()
    t.is(names().filter((name) => name === 'release').length, 2)
  })

  test('a steal is an acquisition, and the end of the hold that it takes a release', ['steal'], async (t) => {
    const ref = newRef(t)
    const [lock, other] = [open(t, ref, { stealable: true }), open(t, ref)]
    const [robbed, thief] = [record(t, lock), record(t, other)]
    const guard = await lock.acquireWrite()
    const { token } = guard
    const stolen = await steal(other, { label: 'thief' })
    await waitFor(() => robbed.names().includes('release'))
    t.like(robbed.last('release'), { mode: 'write', token })
    await guard.release()
    t.is(robbed.names().filter((name) => name === 'release').length, 1)
    t.deepEqual(
      thief.names().filter((name) => name !== 'contended'),
      ['start', 'end', 'asyncStart', 'asyncEnd'],
    )
    t.like(thief.last('asyncEnd'), { mode: 'write', label: 'thief', token: stolen.token })
    await stolen.release()
    t.true(thief.names().includes('release'))
  })

  test('a subscriber may use the lock, and what it throws concerns nobody else', async (t) => {
    const ref = newRef(t)
    const lock = open(t, ref)
    const writer = await open(t, ref).acquireWrite()
    const controller = new AbortController()
    const abort = (message) => message.lock === lock && controller.abort(new Error('by a subscriber'))
    subscribe('process-rwlock:contended', abort)
    t.teardown(() => unsubscribe('process-rwlock:contended', abort))
    await t.throwsAsync(lock.acquireWrite({ signal: controller.signal }), { message: 'by a subscriber' })
    await writer.release()
    await (await lock.acquireWrite()).release()
  })

  test('the function runs in the asynchronous context of its caller', async (t) => {
    const lock = open(t)
    record(t, lock)
    const callers = new AsyncLocalStorage()
    const seen = await callers.run('the caller', () => lock.read(async () => callers.getStore()))
    t.is(seen, 'the caller')
  })

  test('a store that is bound to asyncStart is that of the function', async (t) => {
    const lock = open(t)
    const spans = new AsyncLocalStorage()
    const { asyncStart } = tracingChannel('process-rwlock:acquire')
    asyncStart.bindStore(spans, (/** @type {any} */ message) => (message.lock === lock ? message : undefined))
    t.teardown(() => asyncStart.unbindStore(spans))
    const message = await lock.write(
      async () => {
        await null
        return spans.getStore()
      },
      { label: 'a span' },
    )
    t.is(message.label, 'a span')
    t.is(spans.getStore(), undefined)
  })

  test(
    'the death of an owner is reported once for each lock that finds it',
    ['ownerDied', 'processes'],
    async (t) => {
      const ref = newRef(t)
      const lock = open(t, ref)
      const { events, names, last } = record(t, lock)
      const victim = await otherProcess(t)
      const { token } = await victim.ask('hold', { ref, mode: 'write', options: { label: 'rebuild' } })
      await victim.kill()
      const guard = await lock.acquireRead({ label: 'repairs' })
      const ownerDied = { pid: victim.pid, threadId: 0, label: 'rebuild', token }
      t.like(last('owner-died'), { mode: 'read', label: 'repairs', token, ownerDied })
      await guard.release()
      await lock.read(({ ownerDied }) => t.truthy(ownerDied))
      await lock.write(({ ownerDied }) => t.truthy(ownerDied))
      t.is(names().filter((name) => name === 'owner-died').length, 1)
      events.length = 0
      await lock.write(({ ownerDied }) => t.is(ownerDied, null))
      t.is(last('owner-died'), undefined)
    },
  )
})

contract(({ test, open }) => {
  test('only a subscriber of the release is enough for it', async (t) => {
    const lock = open(t)
    /** @type {any[]} */
    const releases = []
    const handler = (message) => message.lock === lock && releases.push(message)
    channel('process-rwlock:release').subscribe(handler)
    t.teardown(() => channel('process-rwlock:release').unsubscribe(handler))
    await lock.write(() => {})
    t.is(releases.length, 1)
  })
})
