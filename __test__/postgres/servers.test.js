// The servers of the tests themselves: they start, survive what the tests do to them, and leave
// nothing.
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { spawnNode, testUnless, waitFor } from '../helpers/index.js'
import { startBouncer } from '../helpers/postgres/bouncer.js'
import { fileServer } from '../helpers/postgres/file-server.js'
import { installedPostgres, noPostgres, pgbouncer } from '../helpers/postgres/programs.js'
import { startProxy } from '../helpers/postgres/proxy.js'
import { startServer } from '../helpers/postgres/server.js'

const postgresTest = testUnless(noPostgres)
const bouncerTest = testUnless(noPostgres || (!pgbouncer && 'no pgbouncer'))

const server = fileServer()

/** The ID of the System V segment of a server. @param {{ folder: string }} server */
const segmentOf = ({ folder }) =>
  readFileSync(join(folder, 'data/postmaster.pid'), 'utf8').split('\n')[6].trim().split(/\s+/)[1]

/** @param {string} id */
const segmentExists = (id) =>
  spawnSync('ipcs', ['-m'], { encoding: 'utf8' })
    .stdout.split('\n')
    .some((line) => line.split(/\s+/)[1] === id)

/** @param {{ query: (sql: string) => Promise<{ rows: any[] }> }} it */
const versionOf = async (it) =>
  Math.floor((await it.query('show server_version_num')).rows[0].server_version_num / 10_000)

postgresTest('the server is PostgreSQL 18', async (t) => {
  t.is(await versionOf(await server()), 18)
})

postgresTest('the installed versions start, too', async (t) => {
  for (const programs of installedPostgres()) {
    t.is(await versionOf(await startServer(t, { programs })), programs.version)
  }
  t.pass()
})

postgresTest('a server that is killed, stopped or crashed starts again with its data', async (t) => {
  const it = await server()
  await it.query('create table sheet (n int)')
  for (const end of [() => it.kill(), () => it.stop('fast'), () => it.stop('immediate')]) {
    await it.query('insert into sheet values (1)')
    await end()
    await it.start()
  }
  t.is((await it.query('select from sheet')).rowCount, 3)
})

postgresTest('a killed server leaves no shared memory', async (t) => {
  const it = await server()
  const segment = segmentOf(it)
  t.true(segmentExists(segment))
  await it.kill()
  t.false(segmentExists(segment))
})

postgresTest('a test process that is killed leaves no server, no folder and no shared memory', async (t) => {
  const child = spawnNode(t, '../postgres/programs/starts-a-server.js')
  const it = await child.next('started', { bound: 25_000 })
  const segment = segmentOf(it)
  await child.kill()
  await waitFor(() => !existsSync(it.folder), { what: 'the folder of the server is removed' })
  t.throws(() => process.kill(it.pid, 0), { code: 'ESRCH' })
  t.false(segmentExists(segment))
})

postgresTest('a synchronous standby has what was committed, and can be promoted', async (t) => {
  const primary = await startServer(t)
  const standby = await primary.startStandby(t, { synchronous: true })
  await primary.query('create table sheet (n int)')
  await primary.query('insert into sheet values (1)')
  t.true((await standby.query('select pg_is_in_recovery() as it')).rows[0].it)
  await primary.kill()
  await standby.promote()
  await standby.query('insert into sheet values (2)')
  t.is((await standby.query('select from sheet')).rowCount, 2)
})

postgresTest('the proxy delays, stalls, resumes and cuts', async (t) => {
  const it = await server()
  const proxy = await startProxy(t, it.port)
  const through = { connectionString: it.url({ port: proxy.port }) }
  const client = await it.connect(t, through)
  const other = await it.connect(t, through)
  const { rows } = await client.query('select client_port from pg_stat_activity where pid = pg_backend_pid()')
  const link = proxy.linkOf(rows[0].client_port)

  proxy.delay = 50
  const start = performance.now()
  await client.query('select 1')
  t.true(performance.now() - start >= 95)
  proxy.delay = 0

  link?.stall()
  let answered = false
  const answer = client.query('select 1').then(() => {
    answered = true
  })
  await other.query('select pg_sleep(0.1)')
  t.false(answered)
  link?.resume()
  await answer

  link?.cutAfter(20)
  await t.throwsAsync(client.query("select repeat('x', 1000)"))
  await other.query('select 1')
  proxy.refuses = true
  await t.throwsAsync(it.connect(t, through))
})

for (const mode of /** @type {const} */ (['session', 'transaction', 'statement'])) {
  bouncerTest(`pgbouncer hides the session of the server: ${mode}`, async (t) => {
    const it = await server()
    const bouncer = await startBouncer(t, it, mode)
    const client = await it.connect(t, { connectionString: bouncer.url })
    const { rows } = await client.query('select pg_backend_pid() as pid')
    t.not(rows[0].pid, /** @type {any} */ (client).processID)
  })
}
