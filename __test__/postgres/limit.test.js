// Locks in PostgreSQL that limit their readers, and semaphores: what the contract does not say, and
// what happens when processes are killed and rows are replaced.
import { keyOf } from '../../dist/postgres/keys.js'
import { testUnless, waitFor } from '../helpers/index.js'
import { queued } from '../helpers/observe.js'
import { fileServer } from '../helpers/postgres/file-server.js'
import { noPostgres } from '../helpers/postgres/programs.js'
import { childAt, locksAt, newName } from './setup.js'

const test = testUnless(noPostgres)
const server = fileServer()

/** @typedef {import('process-rwlock/postgres').PostgresLocks} PostgresLocks */

/** A lock with its row. @param {PostgresLocks} locks @param {number} maxReaders */
async function create(locks, maxReaders) {
  const lock = locks.open(newName(), { maxReaders })
  await lock.inspect()
  return lock
}

/** The two numbers of Q of a lock, for advisory locks. @param {string | undefined} name */
const queueOf = (name = '') => {
  const key = BigInt(keyOf('rwlock', name))
  return [String(key >> 32n), String(BigInt.asIntN(32, key) | 65535n)]
}

test('the permit of a killed process goes to who waits', async (t) => {
  const it = await server()
  const lock = await create(await locksAt(t, it), 2)
  const child = await childAt(t, it)
  await child.ask('hold', { ref: lock.name, mode: 'read' })
  const own = await lock.acquireRead()
  const next = lock.acquireRead()
  await queued(lock, process)
  await child.kill()
  await (await next).release()
  await own.release()
  t.like(await lock.inspect(), { holders: [], waiters: [], ownerDied: null })
})

test('a killed process that looks for a permit does not keep it from those behind it', async (t) => {
  const it = await server()
  const lock = await create(await locksAt(t, it), 1)
  const [first, second] = [await childAt(t, it), await childAt(t, it)]
  const own = await lock.acquireRead()
  first.tell('hold', { ref: lock.name, mode: 'read' })
  await queued(lock, first)
  const behind = second.ask('hold', { ref: lock.name, mode: 'read' })
  await queued(lock, second)
  await first.kill()
  // Also one that is granted to a session whose process is gone comes back.
  await own.release()
  await behind
  t.is(await lock.tryRead(), null)
  await second.ask('release')
  t.truthy(await lock.tryRead())
})

test('a reader that looks for a permit is the first that waits, and as long as it does', async (t) => {
  const it = await server()
  const lock = await create(await locksAt(t, it), 1)
  const [first, second] = [await childAt(t, it), await childAt(t, it)]
  const own = await lock.acquireRead()
  const waits = []
  for (const child of [first, second]) {
    waits.push(child.ask('hold', { ref: lock.name, mode: 'read' }))
    await queued(lock, child)
  }
  const start = performance.now()
  await waitFor(() => performance.now() - start > 60)
  const { waiters } = await lock.inspect()
  t.deepEqual(
    waiters.map(({ pid }) => pid),
    [first.pid, second.pid],
  )
  for (const { ms } of waiters) t.true(ms >= 40, `${ms} ms`)
  await own.release()
  await waits[0]
  await first.ask('release')
  await waits[1]
})

test('one session of those that wait looks for a permit, and none when nobody waits', async (t) => {
  const it = await server()
  const all = await Promise.all([1, 2, 3, 4].map(() => locksAt(t, it)))
  const lock = await create(all[0], 1)
  const guard = await lock.acquireRead()
  const waits = all.map((locks) => locks.open(lock.name ?? '').acquireRead())
  /** How many sessions look, and how many wait for their turn. */
  const queue = async () => {
    const { rows } = await it.query(
      `select granted from pg_locks where locktype = 'advisory' and objsubid = 2
         and classid = $1::integer::oid and objid = $2::integer::oid`,
      queueOf(lock.name),
    )
    return [rows.filter(({ granted }) => granted).length, rows.filter(({ granted }) => !granted).length]
  }
  await waitFor(async () => (await queue())[1] === 3)
  for (let n = 0; n < 20; n++) t.deepEqual(await queue(), [1, 3])
  await guard.release()
  await Promise.all(waits.map(async (wait) => (await wait).release()))
  t.is((await it.query("select from pg_stat_activity where wait_event = 'PgSleep'")).rowCount, 0)
})

test('a process with all its holds in one session counts them right', async (t) => {
  const it = await server()
  const lock = await create(await locksAt(t, it), 3)
  const child = await childAt(t, it, { maxSessions: 1 })
  await child.ask('hold', { ref: lock.name, mode: 'upgradable' })
  await child.ask('acquireRead')
  await child.ask('tryRead')
  const counts = async () =>
    (await lock.inspect()).holders.map(({ mode, count }) => `${mode} ${count}`).toSorted()
  t.deepEqual(await counts(), ['read 2', 'upgradable 1'])
  const own = await lock.tryRead()
  t.is(await lock.tryRead(), null)
  t.is(await child.ask('tryRead'), null)
  await child.ask('release', { guard: 1 })
  t.deepEqual(await counts(), ['read 1', 'read 1', 'upgradable 1'])
  t.truthy(await child.ask('tryRead'))
  await own?.release()
})

for (const maxSessions of [1, 2]) {
  test(`there are never more than the permits, with maxSessions ${maxSessions}`, async (t) => {
    const it = await server()
    const name = newName()
    let [running, most] = [0, 0]
    const uses = []
    for (let n = 0; n < 3; n++) {
      const semaphore = (await locksAt(t, it, { maxSessions })).semaphore(name, { permits: 2 })
      for (let use = 0; use < 5; use++) {
        uses.push(
          semaphore.use(async () => {
            most = Math.max(most, ++running)
            // The first one until a second one runs.
            await waitFor(() => most > 1)
            await new Promise((resolve) => setTimeout(resolve, 5))
            running--
          }),
        )
      }
    }
    await Promise.all(uses)
    t.is(most, 2)
  })
}

test('a lock that was removed and created again with a limit keeps it', async (t) => {
  const it = await server()
  const [locks, other] = [await locksAt(t, it), await locksAt(t, it)]
  const [read, upgradable] = [newName(), newName()]
  for (const name of [read, upgradable]) {
    const lock = locks.open(name)
    await (await lock.acquireRead()).release()
    t.true(await other.remove(name))
    const limited = other.open(name, { maxReaders: 1 })
    const guard = await limited.acquireRead()
    if (name === read) {
      t.is(await lock.tryRead(), null)
      await t.throwsAsync(lock.acquireRead({ timeout: 50 }), { code: 'ERR_LOCK_TIMEOUT' })
    } else {
      const held = await lock.acquireUpgradable()
      await t.throwsAsync(async () => held.downgrade(), {
        code: 'ERR_LOCK_BUSY',
        message: /stays upgradable/,
      })
      await held.release()
    }
    await guard.release()
    t.truthy(await lock.tryRead())
    t.is(await limited.tryRead(), null)
  }
  for (let n = 0; n < 5; n++) {
    const name = newName()
    const lock = locks.open(name, { maxReaders: 10 })
    await (await lock.acquireRead()).release()
    t.true(await other.remove(name))
    const guard = await other.open(name, { maxReaders: 1 }).acquireRead()
    const held = await lock.acquireUpgradable()
    await t.throwsAsync(async () => held.downgrade(), { code: 'ERR_LOCK_BUSY' })
    await guard.release()
    await held.downgrade()
    t.is(await lock.tryRead(), null)
    await held.release()
  }
  // The other way: one that had a limit.
  const name = newName()
  const lock = locks.open(name, { maxReaders: 1 })
  await (await lock.acquireRead()).release()
  t.true(await other.remove(name))
  t.is((await other.open(name).inspect()).maxReaders, null)
  const both = [lock.acquireRead(), lock.acquireRead()]
  for (const guard of await Promise.all(both)) await guard.release()
  t.is((await lock.inspect()).maxReaders, null)
})

test('a lock that a reader waits for is not removed', async (t) => {
  const it = await server()
  const locks = await locksAt(t, it)
  const lock = await create(locks, 1)
  const name = /** @type {string} */ (lock.name)
  const session = await it.connect(t)
  // As a reader between two looks.
  await session.query('select pg_advisory_lock($1, $2)', queueOf(name))
  t.is((await lock.inspect()).waiters.length, 1)
  t.is(await lock.tryRead(), null)
  await t.throwsAsync(locks.remove(name), { code: 'ERR_LOCK_BUSY' })
  await session.query('select pg_advisory_unlock($1, $2)', queueOf(name))
  t.true(await locks.remove(name))
})

test('a lock whose permits would be those of another one is refused', async (t) => {
  const it = await server()
  const locks = await locksAt(t, it)
  const name = newName()
  const other = String(BigInt(keyOf('rwlock', name)) ^ 4n)
  t.like((await it.query(`select * from rwlock.open($1, 'the other', 2)`, [other])).rows[0], {
    name: 'the other',
    max_readers: 2,
  })
  await t.throwsAsync(async () => locks.open(name, { maxReaders: 2 }).tryRead(), {
    code: 'ERR_LOCK_INCOMPATIBLE',
    message: /'the other'/,
  })
  const unlimited = await (await locksAt(t, it)).open(name).tryRead()
  t.truthy(unlimited, 'without a limit it has no permits')
  await unlimited?.release()
  t.true(await locks.remove(name))
  t.true((await it.query(`select from rwlock.limited where key = $1`, [other])).rowCount === 1)
})

test('a lock without maxReaders is no semaphore', async (t) => {
  const it = await server()
  const locks = await locksAt(t, it)
  const name = newName()
  const lock = locks.open(name)
  await lock.inspect()
  const semaphore = (await locksAt(t, it)).semaphore({ name }, { permits: 2 })
  t.deepEqual(JSON.parse(JSON.stringify(semaphore)), { name })
  for (const call of [
    () => semaphore.tryAcquire(),
    () => semaphore.acquire(),
    () => semaphore.use(() => t.fail()),
    () => semaphore.inspect(),
  ]) {
    await t.throwsAsync(async () => call(), {
      code: 'ERR_LOCK_INCOMPATIBLE',
      message: new RegExp(`'${name}' was created without maxReaders`),
    })
  }
  const guard = await lock.tryWrite()
  t.truthy(guard, 'none has left a hold')
})

test('a lost permit is told', async (t) => {
  const it = await server()
  const semaphore = (await locksAt(t, it)).semaphore(newName(), { permits: 1 })
  const { name } = /** @type {{ name: string }} */ (semaphore.toJSON())
  await t.throwsAsync(
    semaphore.use(async (permit) => {
      const lost = new Promise((resolve) => permit.signal.addEventListener('abort', resolve))
      await it.query('select pg_terminate_backend(backend) from rwlock.holders where name = $1', [name])
      await lost
      t.is(permit.signal.reason.code, 'ERR_LOCK_LOST')
    }),
    { code: 'ERR_LOCK_LOST' },
  )
  // The session tells its client before it releases.
  t.truthy(await waitFor(() => semaphore.tryAcquire()))
})
