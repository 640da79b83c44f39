// The locks over a server, each as its users would guard a function with it. The path of a driver
// is the name of its lock; the servers are in the environment.
import { load, versions } from '../peers/index.js'

/** @typedef {import('../drivers/locks.js').Lock} Lock */

/** The environment variables with the URLs of the servers. */
export const POSTGRES = 'PROCESS_RWLOCK_BENCH_POSTGRES'
export const REDIS = 'PROCESS_RWLOCK_BENCH_REDIS'

/** After how long without a refresh Redis frees a lock, in ms: the default of redis-semaphore. */
const LEASE = 10_000

/** One for all locks of a process. */
const postgresLocks = once(async () => {
  const { PostgresLocks } = await import('process-rwlock/postgres')
  return new PostgresLocks({ connectionString: process.env[POSTGRES] })
})

const ioredisClient = once(async () => {
  const Redis = await load('ioredis')
  return new Redis(process.env[REDIS])
})

const redisClient = once(async () => {
  const { createClient } = await load('redis')
  return createClient({ url: process.env[REDIS] }).connect()
})

/** @template T @param {() => Promise<T>} make @returns {() => Promise<T>} */
function once(make) {
  /** @type {Promise<T> | undefined} */
  let made
  return () => (made ??= make())
}

async function pgClient() {
  const { Client } = await load('pg')
  const client = new Client({ connectionString: process.env[POSTGRES] })
  await client.connect()
  return client
}

/** @type {Record<string, (name: string) => Promise<Lock>>} */
export const remote = {
  async 'process-rwlock/postgres'(name) {
    const lock = (await postgresLocks()).open(name)
    return { version: '', read: (fn) => lock.read(fn), write: (fn) => lock.write(fn) }
  },

  /** No lock: what one round trip costs, and a transaction that changes a row. */
  async 'select 1, update'(name) {
    const client = await pgClient()
    await client.query('create table if not exists bench_row (name text primary key, n int)')
    await client.query('insert into bench_row values ($1, 0) on conflict do nothing', [name])
    const statement = {
      name: 'update',
      text: 'update bench_row set n = n + 1 where name = $1',
      values: [name],
    }
    return {
      version: versions.pg,
      async read(fn) {
        await client.query({ name: 'select', text: 'select 1' })
        return fn()
      },
      async write(fn) {
        await client.query(statement)
        return fn()
      },
    }
  },

  /** The lock of PostgreSQL itself: a session that blocks, and no token. */
  async pg_advisory_lock(name) {
    const client = await pgClient()
    const call = (what) =>
      client.query({ name: what, text: `select ${what}(hashtextextended($1, 0))`, values: [name] })
    const guarded = (suffix) => async (fn) => {
      await call(`pg_advisory_lock${suffix}`)
      try {
        return await fn()
      } finally {
        await call(`pg_advisory_unlock${suffix}`)
      }
    }
    return { version: versions.pg, read: guarded('_shared'), write: guarded('') }
  },

  async 'advisory-lock'(name) {
    const advisoryLock = await load('advisory-lock')
    const { withLock } = (advisoryLock.default ?? advisoryLock)(process.env[POSTGRES])(name)
    return { version: versions['advisory-lock'], read: withLock, write: withLock }
  },

  async 'redis-semaphore'(name) {
    const { Mutex } = await load('redis-semaphore')
    const client = await ioredisClient()
    const guarded = async (fn) => {
      const mutex = new Mutex(client, name, { lockTimeout: LEASE, acquireTimeout: Infinity })
      await mutex.acquire()
      try {
        return await fn()
      } finally {
        await mutex.release()
      }
    }
    return { version: versions['redis-semaphore'], read: guarded, write: guarded }
  },

  /** It tries again every 200 to 300 ms, its default, and does not prolong its lease. */
  async redlock(name) {
    const Redlock = await load('redlock')
    const redlock = new Redlock([await ioredisClient()], { retryCount: -1 })
    const guarded = async (fn) => {
      const lock = await redlock.lock(name, LEASE)
      try {
        return await fn()
      } finally {
        await lock.unlock()
      }
    }
    return { version: versions.redlock, read: guarded, write: guarded }
  },

  /** Its lease is 30 s, its default. */
  async 'simple-redis-mutex'(name) {
    const { lock } = await load('simple-redis-mutex')
    const client = await redisClient()
    const guarded = async (fn) => {
      const release = await lock(client, name)
      try {
        return await fn()
      } finally {
        await release()
      }
    }
    return { version: versions['simple-redis-mutex'], read: guarded, write: guarded }
  },
}
