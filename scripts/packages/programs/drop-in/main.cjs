// Uses njodb, a database of JSON objects, in several processes at once. njodb depends on proper-lockfile.
const assert = require('node:assert/strict')
const { fork } = require('node:child_process')
const { once } = require('node:events')
const { mkdtempSync, readdirSync, readFileSync } = require('node:fs')
const { join } = require('node:path')
const { setTimeout: sleep } = require('node:timers/promises')
const { Database } = require('njodb')
const { forFile } = require('process-rwlock/file')

const PROCESSES = 4
const RECORDS = 25
const BOUND = 20_000 // ms for each wait

/** @param {string} folder */
const open = (folder) => new Database(folder, { datastores: 1 })

/** @param {{ process: number }} record */
const isOwn = (record) => record.process === 0

async function main() {
  const folder = mkdtempSync(join(__dirname, 'database-'))
  const database = open(folder)
  await database.insert([{ process: 0 }])
  const store = join(folder, 'data/data.0.json')
  const lock = forFile(store)

  // Its calls wait for this library's lock, or fail with the code that it compares.
  const guard = await lock.acquireWrite()
  assert.throws(() => database.insertSync([{ process: 0 }]), { code: 'ELOCKED' })
  const inserted = database.insert([{ process: 0 }])
  for (const end = Date.now() + BOUND; lock.inspect().waiters.length === 0; await sleep(5)) {
    assert.ok(Date.now() < end, 'njodb does not wait for the lock')
  }
  assert.equal(records(store), 1)
  guard.release()
  await inserted
  assert.equal(records(store), 2)

  // One after the other, because njodb writes its settings without a lock when it opens a database.
  const children = []
  for (let number = 1; number <= PROCESSES; number++) {
    const child = fork(__filename, [folder, `${number}`])
    const ended = once(child, 'exit')
    const [message] = await Promise.race([once(child, 'message'), ended])
    assert.equal(message, 'open')
    children.push({ child, ended })
  }
  for (const { child } of children) child.send('insert')
  for (const { ended } of children) assert.deepEqual(await ended, [0, null])
  const { data } = await database.select(() => true)
  assert.equal(data.length, 2 + PROCESSES * RECORDS)
  const { updated } = await database.update(isOwn, (record) => record)
  assert.equal(updated, 2)
  await written(store, 2 + PROCESSES * RECORDS)
  const { deleted } = await database.delete((record) => !isOwn(record))
  assert.equal(deleted, PROCESSES * RECORDS)
  await written(store, 2)
  assert.deepEqual(readdirSync(join(folder, 'data')), ['data.0.json'])
  lock.close()
  console.log('granted')
}

/**
 * njodb returns from a change before its stream has written the new file.
 *
 * @param {string} store
 * @param {number} count of records
 */
async function written(store, count) {
  for (const end = Date.now() + BOUND; records(store) !== count; await sleep(5)) {
    assert.ok(Date.now() < end, `njodb has written ${records(store)} records, not ${count}`)
  }
}

/** @param {string} store */
function records(store) {
  return readFileSync(store, 'utf8').trim().split('\n').length
}

/** @param {string} folder @param {number} number of this process */
async function insertRecords(folder, number) {
  const database = open(folder)
  const told = once(process, 'message')
  process.send?.('open')
  await told
  for (let i = 0; i < RECORDS; i++) await database.insert([{ process: number, i }])
  process.disconnect()
}

const [folder, number] = process.argv.slice(2)
if (folder === undefined) main()
else insertRecords(folder, Number(number))
