// Connections that are gone although nobody has closed them, through a proxy that loses all data.
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { setImmediate } from 'node:timers/promises'
import { PostgresLocks } from 'process-rwlock/postgres'
import { cleanUp } from '../helpers/cleanup.js'
import { testUnless, waitFor } from '../helpers/index.js'
import { noPostgres } from '../helpers/postgres/programs.js'
import { startProxy } from '../helpers/postgres/proxy.js'
import { sharedServer } from '../helpers/postgres/shared.js'

const test = testUnless(noPostgres)

/** Locks that connect through a proxy, and locks that do not. @param {import('ava').ExecutionContext<any>} t */
async function setUp(t) {
  const url = new URL(await sharedServer())
  const proxy = await startProxy(t, Number(url.port))
  const direct = new PostgresLocks({ connectionString: url.href })
  await direct.migrate()
  url.port = String(proxy.port)
  const through = new PostgresLocks({ connectionString: url.href, heartbeat: 100 })
  cleanUp(t, 'locks', () => direct.close())
  cleanUp(t, 'locks', () => through.close())
  const name = randomUUID()
  return { proxy, through: through.open(name), direct: direct.open(name) }
}

test('a holder whose network is cut is told, and the next one gets the lock', async (t) => {
  const { proxy, through, direct } = await setUp(t)
  const guard = await through.acquireWrite()
  const next = direct.acquireWrite()
  const lost = once(guard.signal, 'abort')
  proxy.stall()
  await lost
  t.is(guard.signal.reason.code, 'ERR_LOCK_LOST')
  t.regex(guard.signal.reason.message, /has not answered for \d+ ms/)
  t.true(guard.released)
  // A proxy answers the server in the place of the client, so the client ends that session when it can.
  proxy.resume()
  const { ownerDied } = await next
  t.is(ownerDied?.pid, process.pid)
})

test('an event loop that was blocked loses no hold', async (t) => {
  const { through } = await setUp(t)
  const guard = await through.acquireWrite()
  for (let round = 0; round < 6; round++) {
    const end = performance.now() + 300
    while (performance.now() < end);
    await setImmediate() // long enough to ask, and too short for the answer
  }
  t.is((await through.inspect()).holders.length, 1)
  t.false(guard.signal.aborted)
  await guard.release()
})

test('a request whose connection alone is cut asks again, and is granted', async (t) => {
  const { proxy, through, direct } = await setUp(t)
  const holder = await direct.acquireWrite()
  await (await through.tryRead())?.release() // connects
  const before = new Set(proxy.links)
  const wait = through.acquireWrite()
  await waitFor(async () => (await direct.inspect()).waiters.length === 1)
  const [link] = [...proxy.links].filter((link) => !before.has(link))
  link.stall()
  await holder.release()
  t.is((await wait).mode, 'write')
})

test('a timeout after an outage that has ended is about the holder', async (t) => {
  const { proxy, through, direct } = await setUp(t)
  const holder = await direct.acquireWrite()
  proxy.refuses = true
  const wait = through.acquireWrite({ timeout: 4000 })
  await t.throwsAsync(through.acquireRead({ timeout: 100 }), { code: 'ERR_LOCK_UNAVAILABLE' })
  proxy.refuses = false
  const error = await t.throwsAsync(wait, { code: 'ERR_LOCK_TIMEOUT' })
  t.like(error, { holders: [{ mode: 'write' }] })
  await holder.release()
})
