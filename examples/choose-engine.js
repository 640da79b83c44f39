// One program for one machine and for several: the configuration says where its locks are.
import { RWLock } from 'process-rwlock'

/** @param {string | undefined} url of a PostgreSQL that all machines reach; without it, this machine's memory */
async function connect(url) {
  if (url === undefined) return { open: (name) => new RWLock(name), close: async () => {} }
  const { PostgresLocks } = await import('process-rwlock/postgres')
  const locks = new PostgresLocks({ connectionString: url })
  await locks.migrate()
  return locks
}

/** @param {import('process-rwlock').AsyncRWLock} lock of either kind */
async function work(lock) {
  const token = await lock.write(async (guard) => guard.token, { timeout: 5000 })
  const [one, other] = await Promise.all([lock.read(() => 'reads'), lock.read(() => 'reads')])
  return `${typeof token} ${one} ${other}`
}

// A program has one of them: process.env.LOCKS_URL, for example.
for (const url of [undefined, process.env.DATABASE_URL]) {
  const locks = await connect(url)
  const lock = locks.open('my-app/report')
  console.log(await work(lock)) // bigint reads reads
  await lock.close()
  await locks.close()
}
