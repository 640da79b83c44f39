// Sessions over TLS, and servers whose TLS is not as the client wants it.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { spawnNode, tempDir, testUnless, waitFor } from '../helpers/index.js'
import { queued } from '../helpers/observe.js'
import { fileServer } from '../helpers/postgres/file-server.js'
import { noPostgres } from '../helpers/postgres/programs.js'
import { startProxy } from '../helpers/postgres/proxy.js'
import { startServer } from '../helpers/postgres/server.js'
import { childAt, locksAt, lossOf, newName } from './setup.js'

const test = testUnless(noPostgres)
const server = fileServer()
/** Of the server of this file, once it has TLS. @type {string | undefined} */
let certificate

/** The server, its certificate, and a URL by which nothing but that is accepted. @param {import('ava').ExecutionContext<any>} t */
async function tlsServer(t) {
  const it = await server()
  await locksAt(t, it)
  certificate ??= await it.enableTls()
  const ca = certificate
  const file = join(tempDir(t), 'ca.crt')
  writeFileSync(file, ca)
  const url = (port = it.port) =>
    `postgres://postgres@localhost:${port}/postgres?sslmode=verify-full&sslrootcert=${file}`
  return { it, ca, url }
}

test('over TLS, processes exclude each other, give up, and learn of a death', async (t) => {
  const { it, url } = await tlsServer(t)
  const lock = (await locksAt(t, it, { connectionString: url() })).open(newName())
  const child = await childAt(t, { url })
  await child.ask('open', { ref: lock.name })
  await child.ask('inspect') // connects
  await lock.write(async () => {
    await t.throwsAsync(child.ask('acquireRead', { options: { timeout: 50 } }), {
      code: 'ERR_LOCK_TIMEOUT',
    })
  })
  await child.ask('hold', { ref: lock.name, mode: 'write' })
  const waits = lock.acquireWrite()
  const { rows } = await it.query(
    `select ssl from pg_stat_ssl join pg_stat_activity using (pid) where application_name like 'process-rwlock %'`,
  )
  t.true(rows.length >= 2)
  t.deepEqual(
    rows.filter(({ ssl }) => !ssl),
    [],
  )
  await child.kill()
  const guard = await waits
  t.is(guard.ownerDied?.pid, child.pid)
  await guard.release()
})

test('over TLS, a hold keeps no process alive, and a wait does', async (t) => {
  const { it, url } = await tlsServer(t)
  const name = newName()
  const lock = (await locksAt(t, it, { connectionString: url() })).open(name)
  const guard = await lock.acquireWrite()
  const program = spawnNode(t, new URL('./programs/ends-by-itself.js', import.meta.url), [url(), name])
  await queued(lock, program)
  await guard.release()
  t.deepEqual(await program.exited, { code: 0, signal: null })
  await lock.write(({ ownerDied }) => t.is(ownerDied?.pid, program.pid))
})

test('over TLS, a connection that is cut or silent loses its holds, and the next one works', async (t) => {
  const { it, url } = await tlsServer(t)
  const proxy = await startProxy(t, it.port)
  const lock = (await locksAt(t, it, { connectionString: url(proxy.port) })).open(newName())
  for (const end of [() => proxy.cut(), () => proxy.stall()]) {
    const guard = await lock.acquireWrite()
    const lost = lossOf(guard)
    end()
    t.is(await lost, 'ERR_LOCK_LOST')
    proxy.resume()
    await lock.write((next) => t.true(next.token > guard.token))
  }
})

test('a certificate that is not trusted is refused at once, with the remedy', async (t) => {
  const { it, ca, url } = await tlsServer(t)
  const other = await startServer(t)
  const untrusted = await other.enableTls()
  for (const [options, message] of /** @type {[import('./setup.js').Options, RegExp][]} */ ([
    // Nobody has signed it but itself. Node.js 26 adds a hint in the parentheses.
    [{ ssl: true }, /ssl: \{ ca \}.*\(self-signed certificate/],
    [{ ssl: { ca: untrusted } }, /certificate.*ssl: \{ ca \}/],
    // It is for another name.
    [{ ssl: { ca } }, /for another name.*127\.0\.0\.1/],
    [{ connectionString: url().replace('localhost', '127.0.0.1') }, /for another name.*127\.0\.0\.1/],
  ])) {
    const locks = await locksAt(t, it, { connectionString: it.url(), ...options })
    const error = await t.throwsAsync(locks.open(newName()).acquireWrite(), {
      code: 'ERR_LOCK_ACCESS',
      message,
    })
    t.truthy(error?.cause)
    await t.throwsAsync(locks.migrate(), { code: 'ERR_LOCK_ACCESS', message })
  }
})

test('TLS where the server or the client has none is refused at once', async (t) => {
  const plain = await startServer(t)
  const wants = await locksAt(t, plain, { connectionString: `${plain.url()}?sslmode=verify-full` })
  await t.throwsAsync(wants.open('x').acquireWrite(), {
    code: 'ERR_LOCK_ACCESS',
    message: /ssl = on.*does not support SSL/,
  })
  const { it } = await tlsServer(t)
  await it.query('create role secured login')
  it.write('pg_hba.conf', 'hostssl all secured all trust\nhost all postgres all trust\n')
  await it.query('select pg_reload_conf()')
  const locks = await locksAt(t, it, { connectionString: it.url({ user: 'secured' }) })
  await waitFor(
    async () => {
      const error = await locks
        .open('x')
        .acquireWrite()
        .catch((why) => why)
      return error.code === 'ERR_LOCK_ACCESS' && error.message.includes('no encryption')
    },
    { what: 'the server wants TLS' },
  )
  t.pass()
})
