// PostgresLocks: the schema, lists, removal, connections that end, and errors.
import { randomUUID } from 'node:crypto'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import pg from 'pg'
import { LockError, lockAll } from 'process-rwlock'
import { lead } from 'process-rwlock/leader'
import { PostgresLocks } from 'process-rwlock/postgres'
import { runCli } from '../cli/process.js'
import { cleanUp } from '../helpers/cleanup.js'
import { openLock, testUnless, waitFor } from '../helpers/index.js'
import { freePort } from '../helpers/postgres/ports.js'
import { noPostgres } from '../helpers/postgres/programs.js'
import { sharedServer } from '../helpers/postgres/shared.js'
import { spawnNode } from '../helpers/process.js'

const test = testUnless(noPostgres)

/** @typedef {import('ava').ExecutionContext<any>} Test */

/** @param {Test} t @param {import('process-rwlock/postgres').PostgresLocksOptions} [options] */
async function openLocks(t, options) {
  const locks = new PostgresLocks({ connectionString: await sharedServer(), ...options })
  cleanUp(t, 'locks', () => locks.close())
  await locks.migrate()
  return locks
}

/** @param {Test} t @param {string} [user] */
async function connect(t, user) {
  const client = new pg.Client({ connectionString: await sharedServer(), ...(user && { user }) })
  client.on('error', () => {})
  cleanUp(t, 'processes', () => client.end())
  await client.connect()
  return client
}

/** A schema that no other test has. @param {Test} t */
function newSchema(t) {
  const schema = `rwlock_${randomUUID().slice(0, 8)}`
  cleanUp(t, 'files', async () => {
    const client = new pg.Client({ connectionString: await sharedServer() })
    await client.connect()
    await client.query(`drop schema if exists ${schema} cascade`)
    await client.end()
  })
  return schema
}

/** Ends the sessions that hold a lock, or wait for it. @param {pg.Client} client @param {string} name */
const terminate = (client, name) =>
  client.query('select pg_terminate_backend(backend) from rwlock.holders where name = $1', [name])

// ---- the schema

test('migrate() creates the schema once, also if several processes call it at the same time', async (t) => {
  const schema = newSchema(t)
  const connectionString = await sharedServer()
  const all = Array.from({ length: 4 }, () => new PostgresLocks({ connectionString, schema }))
  await Promise.all(all.map((locks) => locks.migrate()))
  await all[0].migrate()
  for (const locks of all) cleanUp(t, 'locks', () => locks.close())
  const [one, two] = all.map((locks) => locks.open('x'))
  const guard = await one.acquireWrite()
  t.is(await two.tryRead(), null)
  await guard.release()
})

test('without its schema a lock fails with ERR_LOCK_ACCESS, which says what to do', async (t) => {
  const locks = new PostgresLocks({ connectionString: await sharedServer(), schema: 'rwlock_missing' })
  cleanUp(t, 'locks', () => locks.close())
  await t.throwsAsync(
    locks.open('x').read(() => {}),
    { instanceOf: LockError, code: 'ERR_LOCK_ACCESS', message: /not installed.*locks\.migrate\(\)/ },
  )
})

test('an older schema is refused, and a later one is not', async (t) => {
  const schema = newSchema(t)
  const client = await connect(t)
  const first = await openLocks(t, { schema })
  await first.open('x').read(() => {})
  await client.query(`update ${schema}.meta set version = version + 1`)
  const later = await openLocks(t, { schema })
  t.is(await later.open('x').read(() => 'served'), 'served')
  await client.query(`update ${schema}.meta set version = 0`)
  const older = new PostgresLocks({ connectionString: await sharedServer(), schema })
  cleanUp(t, 'locks', () => older.close())
  await t.throwsAsync(
    older.open('x').read(() => {}),
    { code: 'ERR_LOCK_ACCESS', message: /version 0.*needs version 1/ },
  )
})

test('a role without privileges fails with ERR_LOCK_ACCESS', async (t) => {
  const schema = newSchema(t)
  const role = `${schema}_role`
  await openLocks(t, { schema })
  const client = await connect(t)
  await client.query(`create role ${role} login`)
  cleanUp(t, 'names', async () => {
    const admin = new pg.Client({ connectionString: await sharedServer() })
    await admin.connect()
    await admin.query(`drop owned by ${role}; drop role ${role}`)
    await admin.end()
  })
  const url = new URL(await sharedServer())
  url.username = role
  const locks = new PostgresLocks({ connectionString: url.href, schema })
  cleanUp(t, 'locks', () => locks.close())
  await t.throwsAsync(
    locks.open('x').read(() => {}),
    { code: 'ERR_LOCK_ACCESS', message: /privileges/ },
  )
  const printed = await runCli(t, ['postgres', 'grants', role, '--schema', schema])
  t.like(printed, { code: 0, stderr: '' })
  await client.query(printed.stdout)
  await locks.migrate() // nothing to do
  t.is(await locks.open('x').write(() => 'granted'), 'granted')
  t.is((await locks.list()).length, 1)
  t.true(await locks.remove('x'))
})

test('the SQL that the command line prints makes the schema, and again changes nothing', async (t) => {
  const schema = newSchema(t)
  const { code, stdout } = await runCli(t, ['postgres', 'schema', '--schema', schema])
  t.is(code, 0)
  const client = await connect(t)
  await client.query(stdout)
  await client.query(stdout)
  const locks = new PostgresLocks({ connectionString: await sharedServer(), schema })
  cleanUp(t, 'locks', () => locks.close())
  t.is(await locks.open('x').write(() => 'granted'), 'granted')
  for (const args of [
    ['postgres'],
    ['postgres', 'grants'],
    ['postgres', 'schema', 'app'],
    ['postgres', 'tables'],
  ]) {
    t.is((await runCli(t, args)).code, 64, args.join(' '))
  }
})

test('two names with one key are refused', async (t) => {
  const locks = await openLocks(t)
  const name = randomUUID()
  await locks.open(name).read(() => {})
  const client = await connect(t)
  await client.query('update rwlock.lock set name = $2 where name = $1', [name, `other ${name}`])
  const again = await openLocks(t)
  await t.throwsAsync(
    again.open(name).read(() => {}),
    { code: 'ERR_LOCK_INCOMPATIBLE', message: new RegExp(`other ${name}`) },
  )
})

// ---- list and remove

test('list() shows every lock of the schema, with its holders and its value', async (t) => {
  const schema = newSchema(t)
  const [here, there] = [await openLocks(t, { schema }), await openLocks(t, { schema, label: 'there' })]
  const guard = await here.open('b').acquireWrite()
  await guard.setValue('value of b')
  await there.open('a').acquireRead()
  const list = await here.list()
  t.deepEqual(
    list.map(({ name, holders }) => [name, holders.map(({ mode, label }) => [mode, label])]),
    [
      ['a', [['read', 'there']]],
      ['b', [['write', process.title.slice(0, 48)]]],
    ],
  )
  t.deepEqual(list[1].value, new Uint8Array(Buffer.from('value of b')))
})

test('a writer that has the first of its two locks is shown as a waiter', async (t) => {
  const locks = await openLocks(t)
  const name = randomUUID()
  const lock = locks.open(name)
  await lock.read(() => {})
  const client = await connect(t)
  // What a writer has between the two.
  const { rows } = await client.query(
    'select key, pg_advisory_lock(key | 1) from rwlock.lock where name = $1',
    [name],
  )
  t.like(await lock.inspect(), { holders: [], waiters: [{ mode: 'write' }] })
  await client.query('select pg_advisory_lock_shared($1::bigint | 2)', [rows[0].key])
  t.like(await lock.inspect(), { holders: [], waiters: [{ mode: 'upgradable' }] })
})

test('remove() keeps a floor for tokens, and refuses a lock that is held or waited for', async (t) => {
  const [locks, others] = [await openLocks(t), await openLocks(t)]
  const name = randomUUID()
  t.false(await locks.remove(name))
  const lock = locks.open(name)
  const guard = await lock.acquireWrite()
  const { token } = guard
  await guard.setValue('gone')
  await t.throwsAsync(locks.remove(name), { code: 'ERR_LOCK_BUSY' })
  await t.throwsAsync(others.remove(name), { code: 'ERR_LOCK_BUSY' })
  await guard.release()
  t.true(await others.remove(name))
  t.false(await others.remove(name))
  // A lock that is open works on, and its row is made again.
  await lock.write(async (guard) => {
    t.true(guard.token > token)
    t.is(await guard.value, null)
  })
})

// ---- connections that end

test('a hold whose connection ends is lost, and its function rejects although it succeeded', async (t) => {
  const [locks, others] = [await openLocks(t), await openLocks(t)]
  const client = await connect(t)
  const name = randomUUID()
  /** @type {any} */
  let reason
  const run = locks.open(name).write(async ({ signal }) => {
    const aborted = once(signal, 'abort')
    await terminate(client, name)
    await aborted
    reason = signal.reason
    return 'done'
  })
  const error = await t.throwsAsync(run, { instanceOf: LockError, code: 'ERR_LOCK_LOST' })
  t.true(error?.message.includes(name))
  t.is(reason.code, 'ERR_LOCK_LOST')
  await others.open(name).write(({ ownerDied }) => t.is(ownerDied?.pid, process.pid))
  // The lock connects again.
  t.is(await locks.open(name).write(({ ownerDied }) => ownerDied), null)
})

test('a session that ends while it waits is replaced by another one', async (t) => {
  const [locks, others] = [await openLocks(t), await openLocks(t)]
  const client = await connect(t)
  const name = randomUUID()
  const lock = locks.open(name)
  const holder = await others.open(name).acquireWrite()
  for (const mode of /** @type {const} */ (['read', 'write', 'upgradable'])) {
    const waits = lock[mode]((guard) => guard.mode, { timeout: 30_000 })
    const waiting = () =>
      client.query('select backend from rwlock.holders where name = $1 and not granted', [name])
    const backend = await waitFor(async () => (await waiting()).rows[0]?.backend)
    await client.query('select pg_terminate_backend($1)', [backend])
    await waitFor(async () => (await waiting()).rows.some((row) => row.backend !== backend))
    await holder.yield()
    t.is(await waits, mode)
  }
  await holder.release()
})

test('a statement that somebody else cancels is repeated', async (t) => {
  const [locks, others] = [await openLocks(t), await openLocks(t)]
  const client = await connect(t)
  const name = randomUUID()
  const holder = await others.open(name).acquireRead()
  const waits = locks.open(name).write(() => 'granted')
  for (let round = 0; round < 3; round++) {
    await waitFor(
      async () =>
        (
          await client.query(
            'select pg_cancel_backend(backend) from rwlock.holders where name = $1 and not granted',
            [name],
          )
        ).rowCount === 1,
    )
  }
  await holder.release()
  t.is(await waits, 'granted')
})

test('with one connection everything works, and waits end', async (t) => {
  const [locks, others] = [await openLocks(t, { maxSessions: 1 }), await openLocks(t)]
  const name = randomUUID()
  const [lock, other] = [locks.open(name), others.open(name)]
  const holder = await other.acquireWrite()
  await lock.inspect() // connects
  const waits = [lock.read(() => 'read'), lock.upgradable(() => 'upgradable'), lock.write(() => 'written')]
  await t.throwsAsync(lock.acquireWrite({ timeout: 50 }), { code: 'ERR_LOCK_TIMEOUT' })
  await holder.release()
  t.deepEqual(await Promise.all(waits), ['read', 'upgradable', 'written'])
  const guard = await lock.acquireUpgradable()
  const reader = await other.acquireRead()
  const upgrade = guard.upgrade()
  const tried = async () => t.is(await other.tryWrite(), null)
  t.false(await Promise.race([upgrade.then(() => true), tried().then(() => false)]))
  await reader.release()
  await upgrade
  t.is(await other.tryRead(), null)
  await guard.release()
  const client = await connect(t)
  const { rows } = await client.query('select count(*)::int as count from rwlock.holders where name = $1', [
    name,
  ])
  t.is(rows[0].count, 0)
})

test('remove() leaves a lock that a try of this process is about to get', async (t) => {
  const locks = await openLocks(t)
  const name = randomUUID()
  const lock = locks.open(name)
  for (const method of /** @type {const} */ (['tryRead', 'tryWrite', 'tryUpgradable'])) {
    await lock.write(() => {})
    const trying = lock[method]()
    await t.throwsAsync(locks.remove(name), { code: 'ERR_LOCK_BUSY' }, method)
    await (await trying)?.release()
    t.true(await locks.remove(name))
  }
})

test('a hold whose row somebody has deleted says so, and the lock goes on', async (t) => {
  const locks = await openLocks(t)
  const client = await connect(t)
  const name = randomUUID()
  const lock = locks.open(name)
  const erase = () => client.query('delete from rwlock.lock where name = $1', [name])
  const gone = { code: 'ERR_LOCK_ACCESS', message: /row was deleted/ }
  const writer = await lock.acquireWrite()
  await erase()
  await t.throwsAsync(async () => writer.setValue('x'), gone)
  await writer.release()
  const upgradable = await lock.acquireUpgradable()
  await erase()
  await t.throwsAsync(upgradable.upgrade(), gone)
  await t.throwsAsync(async () => upgradable.tryUpgrade(), gone)
  await upgradable.release()
  for (const mode of /** @type {const} */ (['read', 'upgradable', 'write'])) {
    await erase()
    t.is(await lock[mode]((guard) => guard.mode), mode)
  }
})

// ---- no connection

test('a server that cannot be reached is ERR_LOCK_UNAVAILABLE, after the timeout', async (t) => {
  const locks = new PostgresLocks({ host: '127.0.0.1', port: await freePort(), user: 'postgres' })
  cleanUp(t, 'locks', () => locks.close())
  const lock = locks.open('x')
  const start = performance.now()
  const error = await t.throwsAsync(lock.acquireRead({ timeout: 300 }), {
    instanceOf: LockError,
    code: 'ERR_LOCK_UNAVAILABLE',
    message: /127\.0\.0\.1/,
  })
  t.true(performance.now() - start >= 299)
  t.is(/** @type {any} */ (error).cause.code, 'ECONNREFUSED')
  await t.throwsAsync(async () => lock.tryRead(), { code: 'ERR_LOCK_UNAVAILABLE' })
  await t.throwsAsync(locks.list(), { code: 'ERR_LOCK_UNAVAILABLE' })
})

test('synchronous methods fail with ERR_LOCK_UNSUPPORTED', async (t) => {
  const lock = /** @type {any} */ ((await openLocks(t)).open('x'))
  for (const method of ['readSync', 'writeSync', 'acquireReadSync', 'acquireWriteSync']) {
    t.throws(() => lock[method](() => t.fail()), { instanceOf: LockError, code: 'ERR_LOCK_UNSUPPORTED' })
  }
})

test('locks of one name in two schemas are two locks', async (t) => {
  const [one, two] = [await openLocks(t), await openLocks(t, { schema: newSchema(t) })]
  const name = randomUUID()
  await one.open(name).write(async () => {
    t.deepEqual((await two.open(name).inspect()).holders, [])
    const guard = await two.open(name).tryWrite()
    t.is(guard?.mode, 'write')
    await guard?.release()
  })
})

for (const warm of [false, true]) {
  test(`a call that close() ends fails with ERR_LOCK_CLOSED, ${warm ? 'connected' : 'connecting'}`, async (t) => {
    const calls = /** @type {Record<string, (lock: any, locks: PostgresLocks) => Promise<unknown>>} */ ({
      tryRead: (lock) => lock.tryRead(),
      tryWrite: (lock) => lock.tryWrite(),
      tryUpgradable: (lock) => lock.tryUpgradable(),
      'without a wait': (lock) => lock.acquireWrite({ timeout: 0 }),
      acquireUpgradable: (lock) => lock.acquireUpgradable(),
      inspect: (lock) => lock.inspect(),
      list: (_, locks) => locks.list(),
      remove: (_, locks) => locks.remove('none'),
    })
    for (const [name, call] of Object.entries(calls)) {
      const locks = await openLocks(t)
      const lock = locks.open(randomUUID())
      if (warm) await lock.read(() => {})
      const outcome = call(lock, locks).then(
        () => 'answered',
        (error) => error.code,
      )
      await locks.close()
      const code = await outcome
      if (!warm || code !== 'answered') t.is(code, 'ERR_LOCK_CLOSED', name)
    }
  })
}

test('after close() every call fails with ERR_LOCK_CLOSED', async (t) => {
  const locks = await openLocks(t)
  await locks.close()
  t.throws(() => locks.open('x'), { code: 'ERR_LOCK_CLOSED' })
  await t.throwsAsync(locks.list(), { code: 'ERR_LOCK_CLOSED' })
})

for (const [method, printed] of [
  ['list', 'object'],
  ['remove', 'boolean'],
  ['inspect', 'object'],
]) {
  test(`a program that only calls ${method}() does not end before its answer`, async (t) => {
    await openLocks(t)
    const program = spawnNode(t, new URL('./programs/only-looks.js', import.meta.url), [method])
    t.deepEqual(await program.exited, { code: 0, signal: null })
    t.is(await waitFor(() => program.stdout), `${printed}\n`)
  })
}

test('an open lock and a hold keep no process alive, a wait does, and the addon is not loaded', async (t) => {
  const name = randomUUID()
  const lock = (await openLocks(t)).open(name)
  const guard = await lock.acquireWrite()
  const program = spawnNode(t, new URL('./programs/ends-by-itself.js', import.meta.url), [
    await sharedServer(),
    name,
  ])
  let ended = false
  program.exited.then(() => {
    ended = true
  })
  await waitFor(async () => ended || (await lock.inspect()).waiters.length === 1)
  await guard.release()
  t.deepEqual(await program.exited, { code: 0, signal: null })
  await lock.write(({ ownerDied }) => t.is(ownerDied?.pid, program.pid))
})

test('a traced request that waits for another process is published with the holders', async (t) => {
  const [locks, others] = [await openLocks(t), await openLocks(t)]
  const name = randomUUID()
  const lock = locks.open(name)
  await lock.upgradable(() => {}) // a session is idle now, and will wait
  const holder = await others.open(name).acquireWrite()
  const contended = new Promise((resolve) => {
    const subscriber = (/** @type {any} */ message) => message.name === name && resolve(message.holders)
    subscribe('process-rwlock:contended', subscriber)
    cleanUp(t, 'names', () => unsubscribe('process-rwlock:contended', subscriber))
  })
  const wait = lock.acquireRead()
  const holders = await contended
  t.like(holders, [{ mode: 'write', pid: process.pid }])
  await holder.release()
  await (await wait).release()
})

test('lockAll, lead and ensure take locks over PostgreSQL', async (t) => {
  const locks = await openLocks(t)
  const machine = openLock(t)
  const [a, b] = [locks.open(randomUUID()), locks.open(randomUUID())]
  await lockAll([{ lock: a }, { lock: machine }, { lock: b, mode: 'read' }], async (guards) => {
    t.deepEqual(
      guards.map(({ mode }) => mode),
      ['write', 'write', 'read'],
    )
    t.is(await a.tryRead(), null)
    t.is(machine.tryRead(), null)
  })
  t.is(
    await lead(a, (signal, guard) => [signal.aborted, guard.mode].join(), { value: 'here' }),
    'false,write',
  )
  t.deepEqual((await a.inspect()).value, new Uint8Array(Buffer.from('here')))
  let made = 0
  const load = () => (made > 0 ? made : undefined)
  const make = async () => {
    made++
  }
  t.deepEqual(await Promise.all([b, b, b].map((lock) => lock.ensure(load, make))), [1, 1, 1])
})
