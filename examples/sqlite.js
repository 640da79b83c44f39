// Four processes write to one SQLite database. They take turns in a fair queue, so none of them sees SQLITE_BUSY.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
// @ts-expect-error: needs Node.js 22.13 or newer, but the installed types are those of Node.js 20
import { DatabaseSync } from 'node:sqlite'
import { RWLock } from 'process-rwlock'

const lock = new RWLock('my-app/database')

/** A transaction that reads and then writes, in turn with those of the other processes. */
function transaction(database, fn) {
  return lock.write(() => {
    database.exec('BEGIN IMMEDIATE')
    try {
      const result = fn(database)
      database.exec('COMMIT')
      return result
    } catch (error) {
      database.exec('ROLLBACK')
      throw error
    }
  })
}

const [given] = process.argv.slice(2)
if (given === undefined) {
  const directory = await mkdtemp(join(tmpdir(), 'sqlite-'))
  const file = join(directory, 'app.db')
  const database = new DatabaseSync(file)
  database.exec('PRAGMA journal_mode = WAL; CREATE TABLE counter (n); INSERT INTO counter VALUES (0)')

  const children = Array.from({ length: 4 }, () => fork(import.meta.filename, [file]))
  await Promise.all(children.map((child) => once(child, 'exit')))
  console.log(database.prepare('SELECT n FROM counter').get()?.n) // 100
  database.close()
  await rm(directory, { recursive: true })
} else {
  const database = new DatabaseSync(given)
  for (let i = 0; i < 25; i++) {
    await transaction(database, (db) => {
      const n = Number(db.prepare('SELECT n FROM counter').get()?.n)
      db.prepare('UPDATE counter SET n = ?').run(n + 1)
    })
  }
  database.close()
  process.disconnect()
}
