// ownerDied in synchronous calls, and of the threads of a process that died. The tests for every
// engine are in ../contract.
import { openLock, spawnChild, spawnNode, test } from '../helpers/index.js'

/**
 * @typedef {import('ava').ExecutionContext<any>} Test
 * @typedef {import('process-rwlock').RWLock} RWLock
 */

test('ownerDied is reported to a synchronous read', async (t) => {
  const lock = openLock(t)
  const died = await dieInside(t, lock)
  t.deepEqual(
    lock.readSync(({ ownerDied }) => ownerDied),
    died,
  )
})

for (const [how, end] of /** @type {Array<[string, (lock: RWLock) => unknown]>} */ ([
  ['a function that writes synchronously returns', (lock) => lock.writeSync(() => {})],
  ['a writer disposes of its guard', async (lock) => (await lock.acquireWrite())[Symbol.dispose]()],
])) {
  test(`ownerDied is cleared when ${how}`, async (t) => {
    const lock = openLock(t)
    const died = await dieInside(t, lock)
    t.deepEqual(await lock.read(({ ownerDied }) => ownerDied), died)
    await end(lock)
    t.is(lock.inspect().ownerDied, null)
    t.is(await lock.read(({ ownerDied }) => ownerDied), null)
    const other = await spawnChild(t)
    t.is((await other.ask('hold', { ref: lock.toJSON(), mode: 'read' })).ownerDied, null)
  })
}

test('ownerDied stays set when a function that writes synchronously throws', async (t) => {
  const lock = openLock(t)
  const died = await dieInside(t, lock)
  t.throws(() => lock.writeSync(fail), { message: 'failed on purpose' })
  t.deepEqual(lock.inspect().ownerDied, died)
  t.deepEqual(await lock.write(({ ownerDied }) => ownerDied), died)
  t.is(lock.inspect().ownerDied, null)
})

test('a synchronous function that throws does not set ownerDied', async (t) => {
  const lock = openLock(t)
  t.throws(() => lock.writeSync(fail), { message: 'failed on purpose' })
  t.is(await lock.read(({ ownerDied }) => ownerDied), null)
})

test('ownerDied names the thread of a process that ended while the thread held the lock', async (t) => {
  const lock = openLock(t)
  const victim = spawnNode(t, new URL('./programs/holds-in-worker.js', import.meta.url), [
    JSON.stringify({ ref: lock, mode: 'write' }),
  ])
  const { threadId, token } = await victim.next('held')
  t.true(threadId > 0)
  await victim.kill()
  const died = await lock.read(({ ownerDied }) => ownerDied)
  t.like(died, { pid: victim.pid, threadId, token })
})

/**
 * Kills a process during a write hold.
 *
 * @param {Test} t
 * @param {RWLock} lock
 */
async function dieInside(t, lock) {
  const victim = await spawnChild(t)
  const label = `victim ${victim.pid}`
  const { token } = await victim.ask('hold', { ref: lock.toJSON(), mode: 'write', options: { label } })
  await victim.kill()
  return { pid: victim.pid, threadId: 0, label, token }
}

function fail() {
  throw new Error('failed on purpose')
}
