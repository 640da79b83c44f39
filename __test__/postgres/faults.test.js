// What happens to locks in PostgreSQL when processes, the server and the network fail.
import { testUnless, waitFor } from '../helpers/index.js'
import { holding, queued } from '../helpers/observe.js'
import { fileServer } from '../helpers/postgres/file-server.js'
import { noPostgres } from '../helpers/postgres/programs.js'
import { startProxy } from '../helpers/postgres/proxy.js'
import { startServer } from '../helpers/postgres/server.js'
import { childAt, HEARTBEAT, locksAt, lossOf, newName } from './setup.js'

const test = testUnless(noPostgres)
const server = fileServer()

/** Waits until the server knows that a waiter is gone. @param {import('process-rwlock').AsyncRWLock} lock @param {{ pid: number }} waiter */
const gone = (lock, { pid }) =>
  waitFor(async () => (await lock.inspect()).waiters.every((waiter) => waiter.pid !== pid), {
    what: 'the server knows that the waiter is gone',
  })

// ---- processes

test('the next writer after a killed one gets the lock, and learns of the death', async (t) => {
  const it = await server()
  const lock = (await locksAt(t, it)).open(newName())
  const child = await childAt(t, it, { label: 'first' })
  const { token } = await child.ask('hold', { ref: lock.name, mode: 'write' })
  const next = lock.acquireWrite()
  await queued(lock, process)
  await child.kill()
  const guard = await next
  t.true(guard.token > token)
  t.like(guard.ownerDied, { pid: child.pid, token, label: 'first' })
  await guard.release()
})

test('a killed waiter does not keep the lock from those behind it', async (t) => {
  const it = await server()
  const lock = (await locksAt(t, it)).open(newName())
  const child = await childAt(t, it)
  const guard = await lock.acquireRead()
  child.tell('hold', { ref: lock.name, mode: 'write' })
  await queued(lock, child)
  const behind = lock.acquireWrite()
  await child.kill()
  await gone(lock, child)
  await guard.release()
  const next = await behind
  t.is(next.ownerDied, null)
  await next.release()
})

test('a killed upgrader leaves the lock to others, and is no death inside', async (t) => {
  const it = await server()
  const lock = (await locksAt(t, it)).open(newName())
  const child = await childAt(t, it)
  // One that had to wait has a session, in which its upgrade can wait.
  const writer = await lock.acquireWrite()
  const held = child.ask('hold', { ref: lock.name, mode: 'upgradable' })
  await queued(lock, child)
  await writer.release()
  await held
  const reader = await lock.acquireRead()
  child.tell('upgrade')
  await queued(lock, child)
  await child.kill()
  await gone(lock, child)
  await reader.release()
  const guard = await lock.acquireWrite()
  t.is(guard.ownerDied, null)
  await guard.release()
})

test('a stopped holder keeps the lock', async (t) => {
  const it = await server()
  const lock = (await locksAt(t, it)).open(newName())
  const child = await childAt(t, it)
  await child.ask('hold', { ref: lock.name, mode: 'write' })
  child.stop()
  await t.throwsAsync(lock.acquireWrite({ timeout: 8 * HEARTBEAT }), { code: 'ERR_LOCK_TIMEOUT' })
  child.resume()
  t.is((await child.ask('describe')).mode, 'write')
  await child.ask('release')
  const guard = await lock.acquireWrite()
  t.is(guard.ownerDied, null)
  await guard.release()
})

test('a waiter that is stopped is granted, and goes on when it continues', async (t) => {
  const it = await server()
  const lock = (await locksAt(t, it)).open(newName())
  const child = await childAt(t, it)
  const guard = await lock.acquireWrite()
  const { token } = guard
  const granted = child.ask('hold', { ref: lock.name, mode: 'write' })
  await queued(lock, child)
  child.stop()
  await guard.release()
  await holding(lock, child)
  t.is(await lock.tryWrite(), null)
  child.resume()
  t.true((await granted).token > token)
})

test('a clock that is set back changes nothing', async (t) => {
  const it = await server()
  const name = newName()
  const lock = (await locksAt(t, it)).open(name)
  const other = (await locksAt(t, it)).open(name)
  const { now } = Date
  t.teardown(() => {
    Date.now = now
  })
  const guard = await lock.acquireWrite()
  await other.inspect() // connects
  const waits = other.acquireWrite({ timeout: 500 })
  Date.now = () => now() - 3_600_000
  await t.throwsAsync(waits, { code: 'ERR_LOCK_TIMEOUT' })
  t.false(guard.signal.aborted)
  const next = other.acquireWrite()
  await guard.release()
  await (await next).release()
})

// ---- the server

for (const [title, end] of /** @type {const} */ ([
  ['is killed', (/** @type {any} */ it) => it.kill()],
  ['is stopped', (/** @type {any} */ it) => it.stop('fast')],
  ['crashes', (/** @type {any} */ it) => it.stop('immediate')],
])) {
  test(`a holder learns that the server ${title}; token and death survive`, async (t) => {
    const it = await server()
    const lock = (await locksAt(t, it)).open(newName())
    let token = 0n
    let ended = Promise.resolve()
    const call = lock.write(async (guard) => {
      token = guard.token
      const loss = lossOf(guard)
      ended = end(it)
      t.is(await loss, 'ERR_LOCK_LOST')
      return 'done'
    })
    await t.throwsAsync(call, { code: 'ERR_LOCK_LOST' })
    await ended
    await t.throwsAsync(lock.acquireWrite({ timeout: 100 }), { code: 'ERR_LOCK_UNAVAILABLE' })
    const next = lock.acquireWrite({ timeout: 20_000 })
    await it.start()
    const guard = await next
    t.true(guard.token > token)
    t.like(guard.ownerDied, { pid: process.pid, token })
    await guard.release()
  })
}

test('a wait survives the end of its session, and a cancel by others', async (t) => {
  const it = await server()
  const lock = (await locksAt(t, it)).open(newName())
  const child = await childAt(t, it)
  await child.ask('hold', { ref: lock.name, mode: 'write' })
  for (const mode of /** @type {const} */ (['acquireRead', 'acquireWrite', 'acquireUpgradable'])) {
    for (const call of ['pg_terminate_backend', 'pg_cancel_backend']) {
      const waits = lock[mode]()
      const waiting = async () =>
        (await it.query('select backend from rwlock.holders where name = $1 and not granted', [lock.name]))
          .rows[0]
      const { backend } = await waitFor(waiting, { what: `${mode} waits in the server` })
      await it.query(`select ${call}($1)`, [backend])
      // Cancelled, it may go on in the same session.
      await waitFor(async () => (await waiting())?.backend !== backend || call === 'pg_cancel_backend')
      await child.ask('release')
      await (await waits).release()
      await child.ask('hold', { ref: lock.name, mode: 'write' })
    }
  }
  t.pass()
})

// ---- the network

test('a holder whose connection stalls is told before the next one gets the lock', async (t) => {
  const it = await server()
  const proxy = await startProxy(t, it.port)
  const name = newName()
  const lock = (await locksAt(t, it, { connectionString: it.url({ port: proxy.port }) })).open(name)
  const other = (await locksAt(t, it)).open(name)
  const guard = await lock.acquireWrite()
  proxy.stall()
  t.is(await other.tryWrite(), null)
  t.is(await lossOf(guard), 'ERR_LOCK_LOST')
  // Through a proxy the server sees the end of the connection only when the proxy passes it on.
  proxy.resume()
  const next = await other.acquireWrite()
  t.like(next.ownerDied, { token: guard.token })
  await next.release()
})

test('the other sessions go on while one stalls', async (t) => {
  const it = await server()
  const proxy = await startProxy(t, it.port)
  const locks = await locksAt(t, it, { connectionString: it.url({ port: proxy.port }) })
  const name = newName()
  const [one, two] = [locks.open(name), locks.open(newName())]
  const other = (await locksAt(t, it)).open(name)
  const holder = await other.acquireWrite()
  const waits = one.acquireWrite()
  await queued(other, process)
  const { rows } = await it.query(
    'select client_port from pg_stat_activity join rwlock.holders on backend = pg_stat_activity.pid where name = $1 and not granted',
    [name],
  )
  proxy.linkOf(rows[0].client_port)?.stall()
  await (await two.acquireWrite()).release()
  await holder.release()
  proxy.resume()
  await (await waits).release()
  t.pass()
})

test('a connection that is cut inside an answer leaves no lock', async (t) => {
  const it = await server()
  const proxy = await startProxy(t, it.port)
  const name = newName()
  const lock = (await locksAt(t, it, { connectionString: it.url({ port: proxy.port }) })).open(name)
  const other = (await locksAt(t, it)).open(name)
  await (await lock.acquireWrite()).release()
  for (let bytes = 1; bytes < 120; bytes += 17) {
    const holder = await other.acquireWrite()
    const waits = lock.acquireWrite()
    await queued(other, process)
    for (const link of proxy.links) link.cutAfter(bytes)
    await holder.release()
    const guard = await waits
    for (const link of proxy.links) link.cutAfter(Number.POSITIVE_INFINITY)
    await guard.release()
    const next = await other.acquireWrite()
    t.true(next.token > guard.token)
    await next.release()
  }
})

// ---- failover

test('nothing is lost by a failover to a synchronous standby, twice', async (t) => {
  let primary = await startServer(t)
  const name = newName()
  let highest = 0n
  for (let time = 1; time <= 2; time++) {
    const standby = await primary.startStandby(t, { synchronous: true })
    const lock = (await locksAt(t, primary)).open(name)
    const guard = await lock.acquireWrite()
    t.true(guard.token > highest)
    highest = guard.token
    await primary.kill()
    t.is(await lossOf(guard), 'ERR_LOCK_LOST')
    await standby.promote()
    const after = await (await locksAt(t, standby)).open(name).acquireWrite()
    t.true(after.token > highest)
    t.like(after.ownerDied, { token: highest, pid: process.pid })
    highest = after.token
    await after.release()
    primary = standby
  }
})

test('after a failover to an asynchronous standby the tokens rise, and the first holder is told', async (t) => {
  const primary = await startServer(t)
  const name = newName()
  const lock = (await locksAt(t, primary)).open(name)
  const standby = await primary.startStandby(t)
  await (await lock.acquireWrite()).release()
  const released = 'select from rwlock.lock where name = $1 and token > 0 and writer is null'
  await waitFor(async () => (await standby.query(released, [name])).rowCount, {
    what: 'the standby has the lock',
  })
  // What follows does not reach the standby.
  await standby.stop()
  await standby.start()
  let token = 0n
  for (let each = 0; each < 5; each++) {
    const guard = await lock.acquireWrite()
    token = guard.token
    await guard.release()
  }
  await primary.kill()
  await standby.promote()
  const guard = await (await locksAt(t, standby)).open(name).acquireWrite()
  t.true(guard.token > token)
  t.true(guard.ownerDied?.failover)
  await guard.release()
})
