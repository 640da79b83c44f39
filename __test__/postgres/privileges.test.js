// What a role can do that has the privileges that the command line prints, and roles that lack some.
import { randomUUID } from 'node:crypto'
import pg from 'pg'
import { PostgresLocks } from 'process-rwlock/postgres'
import { runCli } from '../cli/process.js'
import { cleanUp } from '../helpers/cleanup.js'
import { testUnless, waitFor } from '../helpers/index.js'
import { noPostgres } from '../helpers/postgres/programs.js'
import { sharedServer } from '../helpers/postgres/shared.js'

const test = testUnless(noPostgres)

/** The superuser, a schema of its own, and roles; all end with the test. @param {import('ava').ExecutionContext<any>} t */
async function setUp(t) {
  const connectionString = await sharedServer()
  const admin = new pg.Client({ connectionString })
  await admin.connect()
  cleanUp(t, 'processes', () => admin.end())
  const schema = `rwlock_${randomUUID().slice(0, 8)}`
  /** @type {string[]} */
  const roles = []
  cleanUp(t, 'files', async () => {
    const client = new pg.Client({ connectionString })
    await client.connect()
    for (const role of roles) await client.query(`drop owned by ${role}; drop role ${role}`)
    await client.query(`drop schema ${schema} cascade`)
    await client.end()
  })
  const owner = new PostgresLocks({ connectionString, schema })
  cleanUp(t, 'locks', () => owner.close())
  await owner.migrate()
  return {
    admin,
    owner,
    schema,
    /** @param {string} kind what `create role` says */
    async role(kind) {
      const role = `role_${randomUUID().slice(0, 8)}`
      await admin.query(`create role ${role} ${kind}`)
      roles.push(role)
      return role
    },
    /** @param {string} role */
    async grant(role) {
      const { code, stdout, stderr } = await runCli(t, ['postgres', 'grants', role, '--schema', schema])
      t.is(code, 0, stderr)
      await admin.query(stdout)
      await admin.query(stdout)
    },
    /** @param {string} user @param {object} [options] */
    locksOf(user, options) {
      const url = new URL(connectionString)
      url.username = user
      const locks = new PostgresLocks({ connectionString: url.href, schema, ...options })
      cleanUp(t, 'locks', () => locks.close())
      return locks
    },
  }
}

test('a role with the granted privileges can do everything with the locks, and nothing besides', async (t) => {
  const { admin, schema, role, grant, locksOf } = await setUp(t)
  const user = await role('login')
  await grant(user)
  const [locks, others] = [locksOf(user), locksOf(user)]
  const name = randomUUID()
  const [lock, other] = [locks.open(name), others.open(name)]
  const guard = await lock.acquireUpgradable()
  await guard.upgrade()
  await guard.setValue('x')
  await other.inspect() // connects
  await t.throwsAsync(other.acquireRead({ timeout: 50 }), { code: 'ERR_LOCK_TIMEOUT' })
  await guard.downgrade()
  await (await other.acquireRead()).release()
  await guard.release()
  await (await other.tryWrite())?.release()
  t.deepEqual(Buffer.from((await lock.inspect()).value ?? []).toString(), 'x')
  t.true((await locks.list()).some((each) => each.name === name))
  t.true(await locks.remove(name))
  const semaphore = locks.semaphore(name, { permits: 1 })
  const permit = await semaphore.acquire()
  await t.throwsAsync(semaphore.acquire({ timeout: 50 }), { code: 'ERR_LOCK_TIMEOUT' })
  await permit.release()
  t.true(await locks.remove(name))
  const { rows } = await admin.query(
    `select c.relname, p.privilege from pg_class c,
       unnest(array['insert', 'update', 'delete', 'truncate', 'references', 'trigger']) as p (privilege)
     where c.relnamespace = $2::regnamespace and c.relkind in ('r', 'v')
       and has_table_privilege($1, c.oid, p.privilege) order by 1, 2`,
    [user, schema],
  )
  t.deepEqual(
    rows.map(({ relname, privilege }) => `${privilege} ${relname}`),
    [
      ...['delete limited', 'insert limited', 'delete lock', 'insert lock', 'update lock'],
      ...['insert session', 'update session'],
    ],
  )
  const { rows: columns } = await admin.query(
    `select a.attname from pg_attribute a where a.attrelid = $2::regclass and a.attnum > 0
       and has_column_privilege($1, a.attrelid, a.attnum, 'update')`,
    [user, `${schema}.meta`],
  )
  t.deepEqual(columns, [{ attname: 'token_floor' }])
})

test('a request can be given up in a session that has taken another role', async (t) => {
  const { admin, owner, schema, role, grant, locksOf } = await setUp(t)
  const [app, user] = [await role('nologin'), await role('login')]
  await grant(app)
  await admin.query(`grant ${app} to ${user}`)
  await admin.query(`alter role ${user} set role = ${app}`)
  const name = randomUUID()
  const guard = await owner.open(name).acquireWrite()
  const lock = locksOf(user).open(name)
  await lock.inspect() // connects
  await t.throwsAsync(lock.acquireRead({ timeout: 50 }), {
    code: 'ERR_LOCK_TIMEOUT',
    message: /held for write by/,
  })
  const waiting = () => admin.query(`select from ${schema}.holders where not granted`)
  await waitFor(async () => (await waiting()).rowCount === 0, { what: 'nothing waits any more' })
  await guard.release()
  await (await lock.acquireRead({ timeout: 10_000 })).release()
})

test('a session that cannot cancel its statements is refused', async (t) => {
  const { admin, role, grant, locksOf } = await setUp(t)
  const [app, user] = [await role('nologin'), await role('login noinherit')]
  await grant(app)
  await admin.query(`grant ${app} to ${user}`)
  await admin.query(`alter role ${user} set role = ${app}`)
  const lock = locksOf(user).open(randomUUID())
  await t.throwsAsync(lock.acquireRead(), { code: 'ERR_LOCK_ACCESS', message: /postgres grants/ })
  await grant(user)
  await (await lock.acquireRead()).release()
})

test('a role that may not create the schema learns which command prints it', async (t) => {
  const { role, locksOf } = await setUp(t)
  const locks = locksOf(await role('login'), { schema: 'rwlock_denied' })
  await t.throwsAsync(locks.migrate(), { code: 'ERR_LOCK_ACCESS', message: /postgres schema/ })
})
