// A table that refuses a late writer: its connection was lost, so another one has the lock, but it still runs.
import { once } from 'node:events'
import pg from 'pg'
import { PostgresLocks } from 'process-rwlock/postgres'

const connectionString = process.env.DATABASE_URL
const locks = new PostgresLocks({ connectionString })
const elsewhere = new PostgresLocks({ connectionString }) // of another machine
await locks.migrate()

const database = new pg.Client({ connectionString })
await database.connect()
await database.query('create temporary table orders (id int primary key, state text, token bigint)')
await database.query("insert into orders values (42, 'new', 0)")

async function setState(id, state, token) {
  const { rowCount } = await database.query(
    'update orders set state = $2, token = $3 where id = $1 and token <= $3',
    [id, state, token],
  )
  return rowCount === 1
}

async function slowWriter(guard) {
  // What a network does that fails at the wrong moment.
  await database.query("select pg_terminate_backend(backend) from rwlock.holders where name = 'orders/42'")
  if (!guard.signal.aborted) await once(guard.signal, 'abort')
  await elsewhere.open('orders/42').write(async ({ token }) => {
    console.log('the next writer:', await setState(42, 'shipped', token)) // the next writer: true
  })
  console.log('the late one:', await setState(42, 'cancelled', guard.token)) // the late one: false
}

await locks
  .open('orders/42')
  .write(slowWriter)
  .catch((error) => {
    console.log(error.code) // ERR_LOCK_LOST
  })
console.log((await database.query('select state from orders')).rows[0].state) // shipped

await Promise.all([locks.close(), elsewhere.close(), database.end()])
