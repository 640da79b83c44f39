// The options of PostgresLocks, and the names, labels and values that a server cannot store.
import { randomUUID } from 'node:crypto'
import pg from 'pg'
import { PostgresLocks } from 'process-rwlock/postgres'
import { cleanUp } from '../helpers/cleanup.js'
import { testUnless } from '../helpers/index.js'
import { noPostgres } from '../helpers/postgres/programs.js'
import { sharedServer } from '../helpers/postgres/shared.js'

const test = testUnless(noPostgres)

/** @param {import('ava').ExecutionContext<any>} t @param {import('process-rwlock/postgres').PostgresLocksOptions} [options] */
async function openLocks(t, options) {
  const locks = new PostgresLocks({ connectionString: await sharedServer(), ...options })
  cleanUp(t, 'locks', () => locks.close())
  await locks.migrate()
  return locks
}

test('options that cannot be right are refused, with a code', async (t) => {
  const connectionString = await sharedServer()
  for (const options of [
    { schema: '' },
    { schema: 'a b' },
    { schema: 'x'.repeat(64) },
    { schema: 'a$$b' },
    { schema: 'pg_locks' },
    { maxSessions: 0 },
    { maxSessions: Number.NaN },
    { heartbeat: 1 },
    { heartbeat: Number.NaN },
    { pooler: 'transaction' },
    { connectionString: 'postgres://user:secret@[bad/x' },
    { connectionString: 'host=localhost password=secret' },
    { connectionString: 'localhost:5432/x' },
    { sslnegotiation: 'direct' },
  ]) {
    const error = t.throws(
      () => new PostgresLocks(/** @type {any} */ ({ connectionString, ...options })),
      { code: 'ERR_INVALID_ARG_VALUE' },
      JSON.stringify(options),
    )
    t.notRegex(error?.message ?? '', /secret/)
  }
  for (const options of [
    { schema: 7 },
    { maxSessions: '2' },
    { heartbeat: '2000' },
    { label: null },
    { connectionString: 5 },
    { pg: {} },
    { pg: 'pg' },
    { pg: pg.Pool },
  ]) {
    t.throws(
      () => new PostgresLocks(/** @type {any} */ ({ connectionString, ...options })),
      { code: 'ERR_INVALID_ARG_TYPE' },
      JSON.stringify(options),
    )
  }
})

test('a client of `pg` that is not written in JavaScript is refused', async (t) => {
  const native = { Client: class {} }
  t.throws(() => new PostgresLocks({ connectionString: 'postgres://x', pg: native }), {
    code: 'ERR_LOCK_UNSUPPORTED',
    message: /pg-native/,
  })
})

test('options for queries of the program do not reach those of the locks', async (t) => {
  const url = await sharedServer()
  const name = randomUUID()
  const guard = await (await openLocks(t)).open(name).acquireWrite()
  const waits = []
  for (const options of [
    { connectionString: url, binary: true, query_timeout: 100 },
    { connectionString: `${url}?query_timeout=100` },
  ]) {
    const locks = await openLocks(t, options)
    const lock = locks.open(name)
    waits.push(lock.acquireWrite())
    t.is((await lock.inspect()).name, name)
  }
  const client = new pg.Client({ connectionString: url })
  cleanUp(t, 'processes', () => client.end())
  await client.connect()
  const waiting = async () =>
    (
      await client.query(
        'select backend from rwlock.holders where name = $1 and not granted order by since',
        [name],
      )
    ).rows.map(({ backend }) => backend)
  const [before, start] = [await settled(waiting), performance.now()]
  t.is(before.length, 2)
  // Longer than their query_timeout: the same sessions wait, in their order.
  while (performance.now() - start < 300) t.deepEqual(await waiting(), before)
  await guard.release()
  for (const wait of waits) await (await wait).release()
})

/** What `read` gives when it gives two of them. @param {() => Promise<unknown[]>} read */
async function settled(read) {
  for (;;) {
    const found = await read()
    if (found.length === 2) return found
  }
}

test('names are checked', async (t) => {
  const locks = await openLocks(t)
  for (const name of ['', 'a\0b', '\ud800', 'x'.repeat(1025), 'é'.repeat(513)]) {
    t.throws(() => locks.open(name), { code: 'ERR_INVALID_ARG_VALUE' })
    await t.throwsAsync(locks.remove(name), { code: 'ERR_INVALID_ARG_VALUE' })
  }
  t.throws(() => locks.open(/** @type {any} */ (7)), { code: 'ERR_INVALID_ARG_TYPE' })
  for (const name of [`${randomUUID()}'"\\\n%$1 🔒`, `${randomUUID()}${'x'.repeat(988)}`]) {
    t.is((await locks.open(name).write(({ token }) => token)) > 0n, true)
    t.true((await locks.list()).some((lock) => lock.name === name))
    t.true(await locks.remove(name))
  }
})

test('any label can be shown, shortened to what is kept of it', async (t) => {
  const [locks, others] = [await openLocks(t), await openLocks(t)]
  const name = randomUUID()
  const [lock, other] = [locks.open(name), others.open(name)]
  for (const [label, shown] of [
    ['a\0b', 'ab'],
    ['\ud800x', '\ufffdx'],
    ['two\nlines', 'two\nlines'],
    [`"quoted" 'label' \\ \x01`, `"quoted" 'label' \\ \x01`],
    ['é'.repeat(40), 'é'.repeat(24)],
    ['x'.repeat(100_000), 'x'.repeat(48)],
  ]) {
    for (const method of /** @type {const} */ (['acquireRead', 'acquireUpgradable', 'acquireWrite'])) {
      const guard = await lock[method]({ label, timeout: 10_000 })
      const waits = other.acquireWrite({ label })
      const [mine, theirs] = [await lock.inspect(), await other.inspect()]
      t.is(mine.holders[0].label, shown)
      if (method === 'acquireWrite') t.is(theirs.holders[0].label, shown)
      t.is(theirs.waiters[0].label, shown)
      t.true((await others.list()).some((each) => each.name === name))
      await guard.release()
      await (await waits).release()
    }
  }
})

test('a database that cannot store a name or a label says so', async (t) => {
  const url = new URL(await sharedServer())
  const client = new pg.Client({ connectionString: url.href })
  await client.connect()
  const database = `latin_${randomUUID().slice(0, 8)}`
  cleanUp(t, 'files', async () => {
    await client.query(`drop database if exists ${database} with (force)`)
    await client.end()
  })
  await client.query(
    `create database ${database} encoding 'LATIN1' lc_collate 'C' lc_ctype 'C' template template0`,
  )
  url.pathname = database
  const locks = await openLocks(t, { connectionString: url.href })
  const refused = { code: 'ERR_LOCK_ACCESS', message: /encoding UTF8/ }
  await t.throwsAsync(locks.open('\u{1f512}').acquireRead(), refused)
  await t.throwsAsync(locks.open('x').acquireWrite({ label: '\u{1f512}' }), refused)
  const guard = await locks.open('\xe9').acquireWrite({ label: '\xe8' })
  t.is((await locks.open('\xe9').inspect()).holders[0].label, '\xe8')
  await guard.release()
  await t.throwsAsync(openAndRead(t, url.href), refused)
})

/** @param {import('ava').ExecutionContext<any>} t @param {string} connectionString */
async function openAndRead(t, connectionString) {
  const locks = new PostgresLocks({ connectionString, label: '\u{1f512}' })
  cleanUp(t, 'locks', () => locks.close())
  await locks.open('x').read(() => {})
}
