// Web Locks between agents: processes, and worker threads of one process.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { locks } from 'process-rwlock/web-locks'
import { tempDir, test } from '../helpers/index.js'
import { overtakings } from '../helpers/observe.js'
import { agents, begin, newName, ownId, pending, stateOf } from './helpers.js'

const RWLOCK_MODES = /** @type {const} */ ({ shared: 'read', exclusive: 'write' })

for (const [kind, start] of Object.entries(agents)) {
  test(`${kind}: a lock excludes other agents`, async (t) => {
    const name = newName()
    const agent = await start(t)
    await agent.ask('begin', { key: 'a', name })
    t.deepEqual(await agent.ask('granted', { key: 'a' }), { name, mode: 'exclusive' })
    t.deepEqual(await stateOf(name), { held: [`exclusive ${agent.clientId}`], pending: [] })
    t.false(await locks.request(name, { ifAvailable: true }, (lock) => lock !== null))
    const own = begin(name, { mode: 'shared' })
    t.deepEqual((await stateOf(name)).pending, [`shared ${ownId}`])
    await agent.ask('end', { key: 'a', value: 'done' })
    t.deepEqual(await agent.ask('outcome', { key: 'a' }), { value: 'done' })
    await own.granted
    t.false(await agent.ask('tryRequest', { name, mode: 'exclusive' }))
    t.true(await agent.ask('tryRequest', { name, mode: 'shared' }))
    t.deepEqual(
      (await agent.ask('query')).held.filter((it) => it.name === name),
      [{ name, mode: 'shared', clientId: ownId }],
    )
    own.end()
    await own.outcome
  })

  test(`${kind}: a later shared request never passes an earlier exclusive one`, async (t) => {
    const name = newName()
    const [first, second, third] = await Promise.all([start(t), start(t), start(t)])
    await first.ask('begin', { key: 'held', name, options: { mode: 'shared' } })
    await first.ask('granted', { key: 'held' })
    await second.ask('begin', { key: 'exclusive', name })
    await pending(name, 1)
    // The agent that holds it, and one that does not.
    for (const agent of [first, third]) {
      await agent.ask('begin', { key: 'later', name, options: { mode: 'shared' } })
      t.false(await agent.ask('tryRequest', { name, mode: 'shared' }), 'ifAvailable does not pass it either')
    }
    await setTimeout(200) // longer than a nested read of RWLock would wait
    t.deepEqual(await stateOf(name), {
      held: [`shared ${first.clientId}`],
      pending: [`exclusive ${second.clientId}`, `shared ${first.clientId}`, `shared ${third.clientId}`],
    })
    await first.ask('end', { key: 'held' })
    await second.ask('granted', { key: 'exclusive' })
    t.false(await first.ask('isRunning', { key: 'later' }))
    await second.ask('end', { key: 'exclusive' })
    for (const agent of [first, third]) {
      await agent.ask('granted', { key: 'later' })
      await agent.ask('end', { key: 'later' })
    }
  })

  test(`${kind}: requests of several agents are granted in their order`, async (t) => {
    const name = newName()
    const all = await Promise.all([start(t), start(t), start(t)])
    const held = begin(name)
    await held.granted
    const modes = /** @type {Array<'shared' | 'exclusive'>} */ ([])
    const made = [0, 1, 0, 2, 1, 2, 0, 1, 2].map((agent, number) => {
      const mode =
        /** @type {const} */ (['shared', 'exclusive', 'shared', 'shared'])[(number * 7) % 4] ?? 'shared'
      modes.push(mode)
      return { agent: all[agent], key: String(number), mode }
    })
    for (const [number, { agent, key, mode }] of made.entries()) {
      await agent?.ask('begin', { key, name, options: { mode } })
      await pending(name, number + 1)
    }
    const waiting = made.map(({ agent, mode }) => `${mode} ${agent?.clientId}`)
    t.deepEqual((await stateOf(name)).pending, waiting)
    for (const agent of all) t.true((await agent.ask('query')).pending.length >= made.length)
    held.end()
    for (const agent of all) await agent.ask('endAll')
    for (const { agent, key } of made) await agent?.ask('granted', { key })
    const times = await Promise.all(made.map(({ agent, key }) => agent?.ask('time', { key })))
    const granted = made.map((_, number) => number).sort((a, b) => (times[a] < times[b] ? -1 : 1))
    t.deepEqual(
      overtakings(
        modes.map((mode) => RWLOCK_MODES[mode]),
        granted,
      ),
      [],
    )
  })

  test(`${kind}: a request keeps its turn while the event loop of its agent is busy`, async (t) => {
    const name = newName()
    const [first, second] = await Promise.all([start(t), start(t)])
    for (const mode of ['exclusive', 'shared']) {
      // A shared lock lets the exclusive request claim its turn, and wait for the release.
      const held = begin(name, { mode: /** @type {any} */ (mode) })
      await held.granted
      const key = mode
      await first.ask('begin', { key, name })
      await pending(name, 1)
      await second.ask('begin', { key, name })
      await pending(name, 2)
      const busy = first.next('busy')
      const until = join(tempDir(t), 'idle')
      const idle = first.ask('busy', { until })
      await busy
      held.end()
      await held.outcome
      t.false(await locks.request(name, { ifAvailable: true }, (lock) => lock !== null))
      await setTimeout(100) // 20 times as long as RWLock would wait for it
      t.false(await second.ask('isRunning', { key }))
      t.deepEqual(await stateOf(name), {
        held: [],
        pending: [`exclusive ${first.clientId}`, `exclusive ${second.clientId}`],
      })
      writeFileSync(until, '')
      await idle
      await first.ask('granted', { key })
      t.false(await second.ask('isRunning', { key }))
      await first.ask('end', { key })
      await second.ask('granted', { key })
      await second.ask('end', { key })
      await second.ask('outcome', { key })
    }
  })

  test(`${kind}: query() lists many requests of several agents in their order`, async (t) => {
    const name = newName()
    const [agent, other] = await Promise.all([start(t), start(t)])
    const held = begin(name)
    await held.granted
    const expected = []
    const own = []
    for (let round = 0; round < 20; round++) {
      const mode = /** @type {'shared' | 'exclusive'} */ (round % 3 === 0 ? 'exclusive' : 'shared')
      await agent.ask('begin', { key: String(round), name, options: { mode }, aborts: true })
      own.push(begin(name, { mode }))
      expected.push(`${mode} ${agent.clientId}`, `${mode} ${ownId}`)
    }
    await other.ask('begin', { key: 'last', name })
    expected.push(`exclusive ${other.clientId}`)
    t.deepEqual((await stateOf(name)).pending, expected)
    const { pending: seen } = await other.ask('query')
    t.deepEqual(
      seen.flatMap((it) => (it.name === name ? [`${it.mode} ${it.clientId}`] : [])),
      expected,
    )
    // One in the middle leaves, and others get rows.
    await agent.ask('abort', { key: '10' })
    await agent.ask('outcome', { key: '10' })
    expected.splice(20, 1)
    t.deepEqual((await stateOf(name)).pending, expected)
    // An agent that dies leaves no rows.
    await agent.destroyed()
    await pending(name, 21)
    for (const each of own) each.end()
    held.end()
    await Promise.all(own.map(({ outcome }) => outcome))
    await other.ask('granted', { key: 'last' })
    t.deepEqual(await stateOf(name), { held: [`exclusive ${other.clientId}`], pending: [] })
    await other.ask('end', { key: 'last' })
    await other.ask('outcome', { key: 'last' })
  })

  test(`${kind}: an abort reaches a request that waits for another agent`, async (t) => {
    const name = newName()
    const agent = await start(t)
    const held = begin(name)
    await held.granted
    await agent.ask('begin', { key: 'a', name, aborts: true })
    await agent.ask('begin', { key: 'b', name })
    await pending(name, 2)
    await agent.ask('abort', { key: 'a' })
    const { error } = await agent.ask('outcome', { key: 'a' })
    t.is(error.name, 'AbortError')
    t.deepEqual((await stateOf(name)).pending, [`exclusive ${agent.clientId}`])
    held.end()
    await agent.ask('granted', { key: 'b' })
    await agent.ask('end', { key: 'b' })
    await agent.ask('outcome', { key: 'b' })
  })

  test(`${kind}: the death of an agent releases what it holds and withdraws what it requested`, async (t) => {
    const name = newName()
    const [holder, waiter] = await Promise.all([start(t), start(t)])
    await holder.ask('begin', { key: 'a', name })
    await holder.ask('granted', { key: 'a' })
    await waiter.ask('begin', { key: 'b', name })
    await pending(name, 1)
    const own = begin(name, { mode: 'shared' })
    await pending(name, 2)
    await waiter.destroyed()
    await pending(name, 1)
    t.false(own.isRunning)
    await holder.destroyed()
    t.like(await own.granted, { name, mode: 'shared' })
    t.deepEqual(await stateOf(name), { held: [`shared ${ownId}`], pending: [] })
    own.end()
    await own.outcome
  })

  test(`${kind}: a steal takes the lock from another agent, whose callback runs on`, async (t) => {
    const name = newName()
    const [agent, waiter] = await Promise.all([start(t), start(t)])
    for (const mode of ['exclusive', 'shared']) {
      await agent.ask('begin', { key: mode, name, options: { mode } })
      await agent.ask('granted', { key: mode })
      await waiter.ask('begin', { key: mode, name })
      await pending(name, 1)
      const thief = begin(name, { steal: true })
      await thief.granted
      const { error } = await agent.ask('outcome', { key: mode })
      t.is(error.name, 'AbortError')
      t.true(await agent.ask('isRunning', { key: mode }))
      t.deepEqual(await stateOf(name), {
        held: [`exclusive ${ownId}`],
        pending: [`exclusive ${waiter.clientId}`],
      })
      // Back: the last caller keeps it.
      await agent.ask('begin', { key: 'back', name, options: { steal: true } })
      await agent.ask('granted', { key: 'back' })
      await t.throwsAsync(thief.outcome, { any: true, name: 'AbortError' })
      await agent.ask('end', { key: mode })
      await agent.ask('end', { key: 'back' })
      await waiter.ask('granted', { key: mode })
      await waiter.ask('end', { key: mode })
      await waiter.ask('outcome', { key: mode })
    }
  })

  test(`${kind}: agents agree on any name`, async (t) => {
    const name = newName()
    const agent = await start(t)
    const names = ['', '\0', '\ud800', '%00', `${name}x`.repeat(1000), 'é'.repeat(1_000_000)]
    for (const [index, each] of names.entries()) {
      const key = String(index)
      await agent.ask('begin', { key, name: each })
      t.is((await agent.ask('granted', { key })).name, each)
      t.false(await locks.request(each, { ifAvailable: true }, (lock) => lock !== null))
      const { held } = await locks.query()
      t.true(held.some((it) => it.name === each && it.clientId === agent.clientId))
      await agent.ask('end', { key })
    }
  })

  test(`${kind}: install() puts them at navigator.locks, and importing does not`, async (t) => {
    const agent = await start(t)
    const { isLeftAlone, isOurs, isSame, userAgent } = await agent.ask('install')
    t.deepEqual([isLeftAlone, isOurs], [true, true])
    t.is(isSame, globalThis.navigator !== undefined, 'navigator stays what it was')
    t.is(userAgent, `Node.js/${process.versions.node.split('.')[0]}`)
  })
}

test('agents that wait for each other are not warned of a deadlock', async (t) => {
  const names = [newName(), newName()]
  const all = await Promise.all([agents.process(t), agents.process(t)])
  for (const [index, agent] of all.entries()) {
    await agent.ask('begin', { key: 'held', name: names[index] })
    await agent.ask('granted', { key: 'held' })
  }
  for (const [index, agent] of all.entries()) {
    await agent.ask('begin', { key: 'wait', name: names[1 - index] })
  }
  await setTimeout(2000) // RWLock would have warned after 1.2 s at most
  for (const agent of all) t.deepEqual(await agent.ask('warnings'), [])
})

test('threads of one process exclude each other', async (t) => {
  const name = newName()
  const all = await Promise.all([agents.thread(t), agents.thread(t), agents.thread(t)])
  const memory = new SharedArrayBuffer(4)
  await Promise.all(all.map((agent) => agent.ask('add', { name, memory, times: 50 })))
  t.is(new Int32Array(memory)[0], 150)
})

test('a stopped holder keeps the lock', async (t) => {
  const name = newName()
  const agent = await agents.process(t)
  await agent.ask('begin', { key: 'a', name })
  await agent.ask('granted', { key: 'a' })
  agent.stop()
  const thief = begin(name, { steal: true })
  await setTimeout(100)
  t.false(thief.isRunning)
  agent.resume()
  await thief.granted
  thief.end()
  await thief.outcome
  t.is((await agent.ask('outcome', { key: 'a' })).error.name, 'AbortError')
})
