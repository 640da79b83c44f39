// Servers that take a connection and then say nothing, and what close() does meanwhile.
import { createServer } from 'node:net'
import pg from 'pg'
import { PostgresLocks } from 'process-rwlock/postgres'
import { cleanUp } from '../helpers/cleanup.js'
import { testUnless, waitFor } from '../helpers/index.js'
import { noPostgres } from '../helpers/postgres/programs.js'
import { sharedServer } from '../helpers/postgres/shared.js'

const test = testUnless(noPostgres)

/** That the role is let in, a process id, and that the server is ready. */
const GREETING = Buffer.from([
  ...[0x52, 0, 0, 0, 8, 0, 0, 0, 0],
  ...[0x4b, 0, 0, 0, 12, 0, 0, 0, 7, 0, 0, 0, 7],
  ...[0x5a, 0, 0, 0, 5, 0x49],
])

/** A server that is silent after its greeting. @param {import('ava').ExecutionContext<any>} t @param {Buffer} [greeting] */
async function silentServer(t, greeting) {
  const found = { port: 0, connections: 0, open: new Set() }
  const server = createServer((socket) => {
    found.connections++
    found.open.add(socket)
    socket.on('close', () => found.open.delete(socket))
    socket.on('error', () => {})
    socket.once('data', () => greeting && socket.write(greeting))
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(undefined)))
  found.port = /** @type {import('node:net').AddressInfo} */ (server.address()).port
  cleanUp(t, 'processes', () => {
    for (const socket of found.open) socket.destroy()
    server.close()
  })
  return found
}

for (const [title, greeting] of /** @type {const} */ ([
  ['before it lets the client in', undefined],
  ['after it has let the client in', GREETING],
])) {
  test(`a server that falls silent ${title} is tried again, and does not delay a timeout or a close`, async (t) => {
    const server = await silentServer(t, greeting)
    const locks = new PostgresLocks({ host: '127.0.0.1', port: server.port, user: 'x', heartbeat: 100 })
    cleanUp(t, 'locks', () => locks.close())
    const lock = locks.open('x')
    const waits = lock.acquireRead().catch((error) => error.code)
    await waitFor(() => server.connections > 1, { what: 'it connects again' })
    const slow = new PostgresLocks({ host: '127.0.0.1', port: server.port, user: 'x', heartbeat: 60_000 })
    cleanUp(t, 'locks', () => slow.close())
    await t.throwsAsync(slow.open('x').acquireRead({ timeout: 50 }), {
      code: 'ERR_LOCK_UNAVAILABLE',
      message: /50 ms/,
    })
    const others = [
      async () => slow.open('x').tryRead(),
      async () => slow.open('x').inspect(),
      async () => slow.list(),
      async () => slow.remove('none'),
    ].map((call) => call().catch((error) => error.code))
    // Much less than the time for a connection.
    await Promise.all([locks.close(), slow.close()])
    t.is(await waits, 'ERR_LOCK_CLOSED')
    t.deepEqual(
      await Promise.all(others),
      others.map(() => 'ERR_LOCK_CLOSED'),
    )
    await waitFor(() => server.open.size === 0, { what: 'no connection is left' })
  })
}

test('functions of others that a role would find first are not called', async (t) => {
  const url = new URL(await sharedServer())
  const admin = new pg.Client({ connectionString: url.href })
  await admin.connect()
  const role = `lured_${process.pid}`
  cleanUp(t, 'files', async () => {
    await admin.query(`drop schema ${role} cascade; drop owned by ${role}; drop role ${role}`)
    await admin.end()
  })
  await admin.query(`create role ${role} login superuser`)
  await admin.query(`create schema ${role}`)
  for (const [name, type] of [
    ['pg_backend_pid()', 'integer'],
    ['pg_is_in_recovery()', 'boolean'],
    ['current_setting(text)', 'text'],
    ['pg_current_wal_lsn()', 'pg_lsn'],
    ['pg_has_role(name, text)', 'boolean'],
    ['pg_advisory_unlock_all()', 'void'],
    ['lured(text, text)', 'boolean'],
  ]) {
    await admin.query(
      `create function ${role}.${name} returns ${type} language plpgsql as $$ begin raise 'called'; end $$`,
    )
  }
  await admin.query(`create operator ${role}.= (leftarg = text, rightarg = text, function = ${role}.lured)`)
  await admin.query(`alter role ${role} set search_path = ${role}, pg_catalog`)
  url.username = role
  const locks = new PostgresLocks({ connectionString: url.href })
  cleanUp(t, 'locks', () => locks.close())
  await locks.migrate()
  t.is(await locks.open(role).write((guard) => guard.mode), 'write')
  await locks.remove(role)
})
