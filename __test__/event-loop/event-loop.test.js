// Waiting blocks neither the event loop nor the thread pool of libuv, and uses no processor time; a
// wait keeps the process alive until it ends.
import {
  linuxTest,
  median,
  spawnChild,
  spawnNode,
  test,
  timeoutFactor,
  uniqueName,
  unlessEmulated,
  waitFor,
} from '../helpers/index.js'

const LOCKS = 100
/**
 * Threads: one for 127 waits with futex_waitv (Linux 5.16), or for 1 without; and one that is
 * notified of process exits.
 */
const THREADS = [Math.ceil(LOCKS / 127) + 1, LOCKS + 1]
const PROMPT = 2000

const script = (name) => new URL(`./programs/${name}.js`, import.meta.url)

unlessEmulated('it has no futex_waitv, so every lock takes a thread', { by: linuxTest, under: ['qemu'] })(
  '1,000 waits on 100 locks leave files, timers and the processor alone, take two threads, and all end',
  async (t) => {
    t.timeout(60_000 * timeoutFactor)
    const names = Array.from({ length: LOCKS }, () => uniqueName(t))
    const holder = await spawnChild(t)
    const guards = await Promise.all(names.map((ref) => holder.ask('hold', { ref, mode: 'write' })))

    const child = spawnNode(t, script('waits-on-many-locks'), names, {
      env: { UV_THREADPOOL_SIZE: '1' },
      execArgv: ['--expose-gc'],
    })
    const measured = await child.next('measured', { bound: 40_000 })
    const { reading, lateness, idle, before, during } = measured
    // The load of other processes varies: the better windows show the cost of the waits.
    const good = (values) => values.toSorted((a, b) => a - b)[values.length >> 2]
    const comparison = (kinds, unit, scale = 1) =>
      `${(good(kinds.pending) * scale).toFixed(2)} ${unit} with waits, ${(good(kinds.without) * scale).toFixed(2)} without`
    t.log(`reading a file: ${comparison(reading, 'ms')}`)
    t.log(`timers late, p99: ${comparison(lateness, 'ms')}`)
    t.log(`idle: ${comparison(idle, '% of a processor', 100)}; ${during - before} threads`)
    t.true(good(reading.pending) < 2 * good(reading.without), `${reading.pending} / ${reading.without}`)
    t.true(
      good(lateness.pending) < Math.max(5, 1.5 * good(lateness.without)),
      `${lateness.pending} / ${lateness.without}`,
    )
    t.true(good(idle.pending) - good(idle.without) < 0.01, `${idle.pending} / ${idle.without}`)
    t.true(THREADS.includes(during - before), `${during - before} threads for ${LOCKS} locks`)

    for (const { guard } of guards) await holder.ask('release', { guard })
    t.is((await child.next('granted')).writes, LOCKS * 6)
    t.is((await child.next('quiet')).after, before, 'the threads end when there is nothing to wait for')
    t.deepEqual(await child.exited, { code: 0, signal: null })
  },
)

for (const [what, how] of /** @type {const} */ ([
  ['process.exit()', 'exit'],
  ['an uncaught error', 'throw'],
])) {
  test(`${what} ends the process immediately, with any waits pending`, async (t) => {
    const name = uniqueName(t)
    const holder = await spawnChild(t)
    await holder.ask('hold', { ref: name, mode: 'write' })
    const child = spawnNode(t, script('ends-by-itself'), [how, name])
    await child.next('leaving')
    const began = performance.now()
    t.is((await child.exited).code, how === 'exit' ? 7 : 1)
    t.true(performance.now() - began < PROMPT, `${performance.now() - began} ms`)
    // No waiter is left.
    await waitFor(async () => (await holder.ask('inspect')).waiters.length === 0)
  })
}

test('worker.terminate() immediately ends a worker that waits or is blocked in a synchronous call', async (t) => {
  const name = uniqueName(t)
  const holder = await spawnChild(t)
  await holder.ask('hold', { ref: name, mode: 'write' })
  const child = spawnNode(t, script('ends-by-itself'), ['terminate', name])
  const { value } = await child.next('terminated')
  t.log(`${median(value.waits).toFixed(1)} ms waiting, ${median(value.blocks).toFixed(1)} ms blocked`)
  for (const time of [...value.waits, ...value.blocks]) t.true(time < PROMPT, `${time} ms`)
  t.deepEqual(await child.exited, { code: 0, signal: null })
  await waitFor(async () => (await holder.ask('inspect')).waiters.length === 0)
})

// ---- what keeps a process alive

test('a wait keeps the process alive until it is granted', async (t) => {
  const name = uniqueName(t)
  const holder = await spawnChild(t)
  await holder.ask('hold', { ref: name, mode: 'write' })
  const child = spawnNode(t, script('ends-by-itself'), ['granted', name])
  await child.next('waiting')
  await waitFor(async () => (await holder.ask('inspect')).waiters.length === 1)
  const early = await Promise.race([
    child.exited,
    new Promise((resolve) => setTimeout(resolve, 300, 'alive')),
  ])
  t.is(early, 'alive')
  await holder.ask('release')
  t.is((await child.next('granted')).value, 'write')
  // The hold that it did not release does not keep it alive.
  t.deepEqual(await child.exited, { code: 0, signal: null })
})

for (const [what, how, mode] of /** @type {const} */ ([
  ['a wait', 'timed out', 'write'],
  ['a hold that waits to be upgraded', 'upgrading', 'read'],
])) {
  test(`${what} keeps the process alive until its timeout, and no longer`, async (t) => {
    const name = uniqueName(t)
    const holder = await spawnChild(t)
    await holder.ask('hold', { ref: name, mode })
    const child = spawnNode(t, script('ends-by-itself'), [how, name])
    t.true((await child.next('ERR_LOCK_TIMEOUT')).value >= 399)
    t.deepEqual(await child.exited, { code: 0, signal: null })
  })
}

for (const [what, how] of /** @type {const} */ ([
  ['an open lock', 'idle'],
  ['a hold', 'holding'],
  ['a wait that has timed out or was aborted', 'settled'],
  ['a lock that was closed with waits pending', 'closed'],
])) {
  test(`${what} does not keep the process alive`, async (t) => {
    const name = uniqueName(t)
    const holder = await spawnChild(t)
    await holder.ask('hold', { ref: name, mode: 'write' })
    const child = spawnNode(t, script('ends-by-itself'), [how, name, uniqueName(t)])
    const bound = setTimeout(() => child.kill(), 10_000)
    t.deepEqual(await child.exited, { code: 0, signal: null })
    clearTimeout(bound)
  })
}

// ---- many waits on one lock

test('the cost of 10,000 waits on one lock grows linearly with their number', async (t) => {
  t.timeout(60_000 * timeoutFactor)
  const child = spawnNode(t, script('measures-many-waits'))
  const { times } = await child.next('measured', { bound: 50_000 })
  for (const [what, by] of Object.entries(times)) {
    const factor = by[10_000] / by[1000]
    t.log(`${what}: ${by[1000].toFixed(1)} ms for 1,000, ${by[10_000].toFixed(1)} ms for 10,000`)
    // 10 if the growth is linear, 100 if it is quadratic.
    t.true(factor < 35 || by[10_000] < 100, `${what}: ${factor.toFixed(0)} times as long`)
    t.true(by[10_000] < 5000, what)
  }
})
