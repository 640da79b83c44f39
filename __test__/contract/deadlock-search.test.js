// The search for threads that wait for each other: over what engines show (src/wait-graph.ts), and
// over an engine that answers later.
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { setTimeout as sleep } from 'node:timers/promises'
import { watchWaits } from '../../dist/long-waits.js'
import { findCycles, stillStands, textOf } from '../../dist/wait-graph.js'
import { test, uniqueName, waitFor } from '../helpers/index.js'
import { open } from './engines/in-process.js'

/**
 * A hold or a request: `thread mode since`, such as `me write 5`. This thread is `me`.
 *
 * @param {string} text
 * @returns {import('../../dist/wait-graph.js').SeenParty}
 */
function party(text) {
  const [thread = '', mode, since] = text.split(' ')
  return {
    thread,
    pid: 1,
    threadId: 0,
    mode: /** @type {any} */ (mode),
    label: thread,
    since: Number(since),
    ms: 0,
    own: thread === 'me',
  }
}

/** @param {string} name @param {string[]} holders @param {string[]} waiters */
const lock = (name, holders, waiters) => ({
  identity: `name:${name}`,
  name,
  holders: holders.map(party),
  waiters: waiters.map(party),
})

/** Each cycle as the threads that wait, and for what. @param {any[]} locks */
const cycles = (locks) =>
  findCycles(locks).map((cycle) =>
    cycle.map(
      ({ lock, waiter, queued }) => `${waiter.thread} ${queued ? 'queues' : 'waits'} for ${lock.name}`,
    ),
  )

const CIRCLE = [lock('a', ['me write 1'], ['you write 4']), lock('b', ['you write 2'], ['me write 3'])]

test('two threads that wait for each other are a cycle', (t) => {
  t.deepEqual(cycles(CIRCLE), [['me waits for b', 'you waits for a']])
})

test('a cycle goes through any number of threads, and the shortest is found', (t) => {
  const ring = [
    lock('a', ['me write 1'], ['x read 5']),
    lock('b', ['y read 2', 'z read 1'], ['me write 4']),
    lock('c', ['x upgradable 3'], ['y upgradable 6', 'z write 7']),
    lock('d', ['x write 3'], ['z write 8']),
  ]
  t.deepEqual(cycles(ring), [['me waits for b', 'y waits for c', 'x waits for a']])
  t.deepEqual(cycles([...ring, lock('e', ['w write 1'], ['y write 9'])]).length, 1)
})

for (const [what, locks] of /** @type {const} */ ([
  ['a wait for a thread that waits for nothing', [CIRCLE[0], lock('b', ['he write 2'], ['me write 3'])]],
  ['holds that do not conflict', [CIRCLE[0], lock('b', ['you read 2'], ['me read 3'])]],
  [
    'a cycle of other threads',
    [lock('a', ['x write 1'], ['y write 4']), lock('b', ['y write 2'], ['x write 3'])],
  ],
  ['a hold that began after the wait', [lock('a', ['me write 9'], ['you write 10']), CIRCLE[1]]],
  ['a hold whose beginning is unknown', [lock('a', ['me write 0'], ['you write 4']), CIRCLE[1]]],
  ['a wait whose beginning is unknown', [CIRCLE[0], lock('b', ['you write 2'], ['me write 0'])]],
  ['one lock', [lock('a', ['me read 1', 'you read 2'], ['me write 3', 'you write 4'])]],
  [
    'the same name in another place',
    [lock('a', ['1:7:0 write 1'], ['me write 4']), lock('b', ['me write 1'], ['2:7:0 write 5'])],
  ],
  [
    'a place behind a thread of which the reader is part already',
    [
      lock('a', ['me read 1', 'x read 1'], ['you write 2', 'x read 4']),
      lock('b', ['x write 1'], ['me write 3']),
    ],
  ],
])) {
  test(`no cycle: ${what}`, (t) => {
    t.deepEqual(cycles([...locks]), [])
  })
}

test('a request that waits only for its turn is blocked by the earlier one', (t) => {
  const locks = [
    lock('a', ['me read 1'], ['you write 2', 'x read 4']),
    lock('b', ['x write 1'], ['me write 3']),
  ]
  t.deepEqual(cycles(locks), [['me waits for b', 'x queues for a', 'you waits for a']])
})

test('a cycle stands while each request and each hold is the same', (t) => {
  const [cycle] = findCycles(CIRCLE)
  t.true(stillStands(cycle, CIRCLE))
  t.true(stillStands(cycle, [...CIRCLE].reverse()))
  const [a, b] = CIRCLE
  for (const [what, locks] of /** @type {const} */ ([
    ['a lock is gone', [a]],
    ['a request ended', [lock('a', ['me write 1'], []), b]],
    ['a request is another one', [lock('a', ['me write 1'], ['you write 5']), b]],
    ['a hold ended', [lock('a', [], ['you write 4']), b]],
    ['a hold is another one', [lock('a', ['me write 3'], ['you write 4']), b]],
    ['a hold is of another mode', [lock('a', ['me upgradable 1'], ['you write 4']), b]],
    ['a hold is of another thread', [lock('a', ['he write 1'], ['you write 4']), b]],
  ])) {
    t.false(stillStands(cycle, locks), what)
  }
  const queue = [
    lock('a', ['me read 1'], ['you write 2', 'x read 4']),
    lock('b', ['x write 1'], ['me write 3']),
  ]
  const [queued] = findCycles(queue)
  t.true(stillStands(queued, queue))
  t.false(stillStands(queued, [lock('a', ['me read 1'], ['x read 4', 'you write 2']), queue[1]]))
})

test('the same cycle has one text, wherever it begins', (t) => {
  const cycle = findCycles(CIRCLE)[0]
  t.is(textOf(cycle), textOf([...cycle].reverse()))
  const other = findCycles([CIRCLE[0], lock('b', ['you write 2'], ['me write 9'])])[0]
  t.not(textOf(cycle), textOf(other))
})

test('a cycle is reported when a second look finds the same requests and holds', async (t) => {
  // In each look but the last, another request of `you` waits.
  const looks = [4, 5, 6, 6].map((since) => [
    lock('a', ['me write 1'], [`you write ${since}`]),
    lock('b', ['you write 2'], ['me write 3']),
  ])
  let count = 0
  const request = {
    engine: { identity: 'name:b', location: { name: 'b' }, text: 'the lock' },
    lock: {},
    mode: /** @type {const} */ (3),
    upgrade: null,
    done: false,
  }
  const graph = {
    pending: () => (count <= looks.length ? [request] : []),
    see: () => t.fail(),
    held: () => looks[0],
    wanted: () => looks[count++] ?? [],
  }
  const reported = new Promise((resolve) => {
    const handler = (message) => message.lock === request.lock && resolve({ count, message })
    subscribe('process-rwlock:deadlock', handler)
    t.teardown(() => unsubscribe('process-rwlock:deadlock', handler))
  })
  watchWaits(/** @type {any} */ (graph))
  await waitFor(() => count === looks.length)
  const { count: then, message } = await reported
  t.is(then, looks.length)
  t.like(message, { name: 'b', mode: 'write' })
})

test('nothing is looked at for a thread that holds nothing that others want', async (t) => {
  const request = /** @type {any} */ ({ engine: { identity: 'name:z' }, mode: 3, upgrade: null })
  let asked = 0
  const graph = {
    pending: () => (asked < 1 ? [request] : []),
    see: () => t.fail(),
    held: () => {
      asked++
      return []
    },
    wanted: () => t.fail(),
  }
  watchWaits(/** @type {any} */ (graph))
  await waitFor(() => asked > 0)
  await sleep(500)
  t.is(asked, 1)
})

test('clients of an engine that answers later are found, each circle once', async (t) => {
  const names = [uniqueName(t), uniqueName(t)]
  const [a, b] = ['one', 'two'].map((label) => names.map((name) => open(name, { label })))
  t.teardown(() => Promise.all([...a, ...b].map((lock) => lock.close())))
  await a[0].acquireWrite()
  await b[1].acquireWrite()
  /** @type {any[]} */
  const found = []
  const handler = (message) => names.includes(message.name) && found.push(message)
  subscribe('process-rwlock:deadlock', handler)
  t.teardown(() => unsubscribe('process-rwlock:deadlock', handler))
  const waits = [a[1].acquireWrite(), b[0].acquireRead()]
  for (const wait of waits) wait.catch(() => {})
  await waitFor(() => found.length > 0)
  await sleep(1500)
  t.is(found.length, 1)
  const [{ waits: said, lock }] = found
  t.deepEqual(said.map(({ waiter, blockedBy }) => [waiter.label, blockedBy.label]).sort(), [
    ['one', 'two'],
    ['two', 'one'],
  ])
  t.true(lock === a[1] || lock === b[0])
})
