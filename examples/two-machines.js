// A key-value server on two machines that share nothing but a PostgreSQL. Here they are two processes; one of them is
// killed in the middle of a write, and the other one repairs the key.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import http from 'node:http'
import { text } from 'node:stream/consumers'
import pg from 'pg'
import { PostgresLocks } from 'process-rwlock/postgres'

const connectionString = process.env.DATABASE_URL

async function serve() {
  const locks = new PostgresLocks({ connectionString, label: 'key-value server' })
  const database = new pg.Pool({ connectionString })
  const open = new Map()
  const lockOf = (key) => {
    if (!open.has(key)) open.set(key, locks.open(key))
    return open.get(key)
  }

  /** Puts the backup back if a writer was killed. */
  const repair = async (guard, key) => {
    if (guard.ownerDied) await database.query('update store set value = backup where key = $1', [key])
  }

  /** Writes in two steps, as it would to a file or a service. */
  const put = (key, value) =>
    lockOf(key).write(
      async (guard) => {
        await repair(guard, key)
        await database.query("update store set backup = value, value = 'torn' where key = $1", [key])
        if (value === 'crash') process.send?.('is writing')
        if (value === 'crash') await new Promise(() => {})
        await database.query('update store set value = $2 where key = $1', [key, value])
      },
      { timeout: 5000 },
    )

  const get = async (key) => {
    const value = await lockOf(key).read(
      async (guard) => {
        if (guard.ownerDied) return null
        return (await database.query('select value from store where key = $1', [key])).rows[0].value
      },
      { timeout: 5000 },
    )
    if (value !== null) return value
    await lockOf(key).write((guard) => repair(guard, key), { timeout: 5000 })
    return get(key)
  }

  const server = http.createServer(async (request, response) => {
    try {
      const key = request.url ?? ''
      if (request.method === 'PUT') {
        await put(key, await text(request)) // the body is read before the lock is taken
        response.writeHead(204).end()
      } else response.end(await get(key))
    } catch (error) {
      response.writeHead(error.code === 'ERR_LOCK_TIMEOUT' ? 503 : 500).end(error.message)
    }
  })
  server.listen(0, '127.0.0.1', () => process.send?.(server.address()))
  process.once('disconnect', () => process.exit())
}

async function startMachine() {
  const child = fork(import.meta.filename, ['serve'])
  const [{ port }] = await once(child, 'message')
  const request = async (method, body) =>
    (await fetch(`http://127.0.0.1:${port}/page`, { method, body })).text()
  return { child, get: () => request('GET'), put: (value) => request('PUT', value) }
}

async function main() {
  const locks = new PostgresLocks({ connectionString })
  await locks.migrate()
  const database = new pg.Client({ connectionString })
  await database.connect()
  await database.query('drop table if exists store')
  await database.query('create table store (key text primary key, value text, backup text)')
  await database.query("insert into store values ('/page', 'first', '')")

  const [one, two] = await Promise.all([startMachine(), startMachine()])
  console.log(await one.get(), await two.get()) // first first
  await one.put('second')
  console.log(await two.get()) // second

  one.put('crash').catch(() => {}) // the answer never comes
  await once(one.child, 'message')
  console.log((await database.query('select value from store')).rows[0].value) // torn
  one.child.kill('SIGKILL')
  console.log(await two.get()) // second
  await two.put('third')
  console.log(await two.get()) // third

  two.child.disconnect()
  await Promise.all([locks.close(), database.end()])
}

if (process.argv[2] === 'serve') serve()
else main()
