// Servers, poolers and roles that are not as a lock needs them, and servers that have nothing left.
import { PostgresLocks } from 'process-rwlock/postgres'
import { cleanUp } from '../helpers/cleanup.js'
import { tempDir, testUnless, waitFor } from '../helpers/index.js'
import { startBouncer } from '../helpers/postgres/bouncer.js'
import { fileServer } from '../helpers/postgres/file-server.js'
import { noPostgres, pgbouncer } from '../helpers/postgres/programs.js'
import { startServer } from '../helpers/postgres/server.js'
import { canMountAsRoot } from '../helpers/sandbox.js'
import { locksAt, newName } from './setup.js'

const test = testUnless(noPostgres)
const bouncerTest = testUnless(noPostgres || (!pgbouncer && 'no pgbouncer'))
const diskTest = testUnless(noPostgres || (!canMountAsRoot && 'not root of a mount namespace'))
const server = fileServer()

test('a standby is refused', async (t) => {
  const primary = await startServer(t)
  await locksAt(t, primary)
  const standby = await primary.startStandby(t)
  const lock = (await locksAt(t, standby, { connectionString: standby.url() })).open(newName())
  await t.throwsAsync(lock.acquireWrite({ timeout: 20_000 }), {
    code: 'ERR_LOCK_ACCESS',
    message: /standby.*primary/,
  })
})

for (const mode of /** @type {const} */ (['session', 'transaction', 'statement'])) {
  bouncerTest(`pgbouncer is refused unless it is allowed: ${mode}`, async (t) => {
    const it = await server()
    await locksAt(t, it)
    const { url } = await startBouncer(t, it, mode)
    const lock = (await locksAt(t, it, { connectionString: url })).open(newName())
    await t.throwsAsync(lock.acquireWrite({ timeout: 20_000 }), {
      code: 'ERR_LOCK_ACCESS',
      message: /pooler/,
    })
  })
}

bouncerTest('through pgbouncer that keeps sessions, two clients exclude each other', async (t) => {
  const it = await server()
  await locksAt(t, it)
  const { url } = await startBouncer(t, it, 'session', { default_pool_size: 20 })
  const name = newName()
  const [one, two] = await Promise.all(
    [1, 2].map(async () => (await locksAt(t, it, { connectionString: url, pooler: 'session' })).open(name)),
  )
  const guard = await one.acquireWrite()
  t.is(await two.tryRead(), null)
  const next = two.acquireWrite()
  await guard.release()
  const { token } = await next
  t.true(token > guard.token)
  await (await next).release()
})

bouncerTest('a pooler that hands a session on with what the last client left there is refused', async (t) => {
  const it = await server()
  await locksAt(t, it)
  const { url } = await startBouncer(t, it, 'session', { default_pool_size: 1, server_reset_query: '' })
  const first = await locksAt(t, it, { connectionString: url, pooler: 'session', maxSessions: 1 })
  await (await first.open(newName()).acquireWrite()).release()
  await first.close()
  const second = await locksAt(t, it, { connectionString: url, pooler: 'session', maxSessions: 1 })
  await t.throwsAsync(second.open(newName()).acquireWrite(), {
    code: 'ERR_LOCK_ACCESS',
    message: /DISCARD ALL/,
  })
})

test('settings of the role do not reach the sessions', async (t) => {
  const it = await server()
  await locksAt(t, it)
  await it.query('create role hostile login superuser')
  for (const [name, value] of Object.entries({
    statement_timeout: '100ms',
    lock_timeout: '50ms',
    idle_in_transaction_session_timeout: '50ms',
    idle_session_timeout: '100ms',
    transaction_timeout: '100ms',
    deadlock_timeout: '10ms',
    default_transaction_isolation: 'serializable',
    default_transaction_read_only: 'on',
    synchronous_commit: 'off',
    search_path: 'nowhere',
    client_min_messages: 'debug5',
    bytea_output: 'escape',
    DateStyle: 'SQL, DMY',
    intervalstyle: 'sql_standard',
    extra_float_digits: '-15',
    standard_conforming_strings: 'off',
  })) {
    await it.query(`alter role hostile set ${name} = '${value}'`)
  }
  const name = newName()
  const one = (await locksAt(t, it, { connectionString: it.url({ user: 'hostile' }) })).open(name)
  const two = (await locksAt(t, it, { connectionString: it.url({ user: 'hostile' }) })).open(name)
  const guard = await one.acquireWrite()
  const value = Uint8Array.of(0, 39, 92, 98, 255)
  await guard.setValue(value)
  await two.inspect() // connects
  await t.throwsAsync(two.acquireWrite({ timeout: 400 }), { code: 'ERR_LOCK_TIMEOUT' })
  const waits = two.acquireWrite()
  await guard.release()
  const next = await waits
  t.is(next.ownerDied, null)
  t.deepEqual(await next.value, value)
  await next.release()
})

test('without room for more locks an acquisition fails with ERR_LOCK_FULL, and goes on later', async (t) => {
  t.timeout(90_000) // thousands of locks
  const it = await startServer(t, { settings: { max_locks_per_transaction: 10, max_connections: 20 } })
  const locks = await locksAt(t, it)
  const prefix = newName()
  /** @type {import('process-rwlock').AsyncGuard[]} */
  const guards = []
  const error = await t.throwsAsync(
    async () => {
      for (let each = 0; each < 20_000; each++) {
        const guard = await locks.open(`${prefix}/${each}`).tryWrite()
        if (guard === null) throw new Error('nobody else has it')
        guards.push(guard)
      }
    },
    { code: 'ERR_LOCK_FULL' },
  )
  t.regex(error?.message ?? '', /max_locks_per_transaction/)
  t.true(guards.every((guard) => !guard.signal.aborted))
  await Promise.all(guards.map((guard) => guard.release()))
  await (await locks.open(`${prefix}/0`).acquireWrite({ timeout: 5000 })).release()
})

test('without a connection left an acquisition fails with ERR_LOCK_FULL; who has one goes on', async (t) => {
  const it = await startServer(t, { settings: { max_connections: 8, reserved_connections: 0 } })
  const locks = await locksAt(t, it)
  const name = newName()
  const lock = locks.open(name)
  await (await lock.acquireWrite()).release()
  await it.query('create role poor login')
  await it.query('grant all on schema rwlock to poor')
  await it.query('grant all on all tables in schema rwlock to poor')
  await it.query('alter role poor connection limit 1')
  const poor = new PostgresLocks({ connectionString: it.url({ user: 'poor' }) })
  cleanUp(t, 'locks', () => poor.close())
  const second = new PostgresLocks({ connectionString: it.url({ user: 'poor' }) })
  cleanUp(t, 'locks', () => second.close())
  const guard = await poor.open(name).acquireWrite({ timeout: 10_000 })
  await t.throwsAsync(second.open(name).acquireWrite({ timeout: 20_000 }), { code: 'ERR_LOCK_FULL' })
  const next = lock.acquireWrite({ timeout: 10_000 })
  await guard.release()
  await (await next).release()
})

diskTest(
  'a full disk fails an acquisition with a code, and the lock goes on when there is room',
  async (t) => {
    const it = await startServer(t, {
      disk: { size: '96m', at: tempDir(t) },
      // Without a checkpoint the log only grows.
      settings: { max_wal_size: '1GB', min_wal_size: '2MB', checkpoint_timeout: '1h' },
    })
    const locks = await locksAt(t, it)
    const lock = locks.open(newName())
    let token = 0n
    const { token: first } = await lock.write(({ token }) => ({ token }))
    token = first
    const args = ['LC_ALL=C', 'dd', 'if=/dev/zero', 'of=fill', 'bs=64k']
    await t.throwsAsync(it.ask('run', { command: 'env', args }), { message: /No space left/ })
    // Each write adds to the log until that needs room.
    const error = await t.throwsAsync(async () => {
      for (let each = 0; each < 20_000; each++) {
        await lock.write(
          async (guard) => {
            t.true(guard.token > token)
            token = guard.token
            await guard.setValue(Buffer.alloc(1024, each))
          },
          { timeout: 2000 },
        )
      }
    })
    t.regex(/** @type {any} */ (error).code, /^ERR_LOCK_(LOST|UNAVAILABLE|ACCESS)$/)
    await it.ask('run', { command: 'rm', args: ['fill'] })
    // The server may end a moment later: it could not write its log.
    const guard = await waitFor(
      async () => {
        if (it.pid === undefined) await it.start()
        return lock.acquireWrite({ timeout: 2000 }).catch(() => null)
      },
      { bound: 60_000, what: 'the lock is granted again' },
    )
    t.true((guard?.token ?? 0n) > token)
    await guard?.release()
  },
)
