// Four processes change one stock. Each function takes the lock itself, also when another one calls it.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { RWLock } from 'process-rwlock'

const lock = new RWLock('my-app/stock', { reentrant: true })

/** How many there are of an item. */
function count(folder, item) {
  return lock.read(async () => Number(await readFile(join(folder, item), 'utf8')))
}

/** Adds to an item, or takes from it. */
function add(folder, item, amount) {
  return lock.write(async () => {
    const number = await count(folder, item) // a read inside this write: it begins at once
    await writeFile(join(folder, item), String(number + amount))
  })
}

/** Moves an amount from one item to another, unless there is too little. */
function move(folder, from, to, amount) {
  return lock.write(async () => {
    if ((await count(folder, from)) < amount) return false
    await add(folder, from, -amount) // a write inside this write, and a read inside that one
    await add(folder, to, amount)
    return true
  })
}

/** Everything at one moment. The reads share one hold, so a waiting writer does not stop them half-way. */
function total(folder, items) {
  return lock.read(async () => {
    const numbers = await Promise.all(items.map((item) => count(folder, item)))
    return numbers.reduce((sum, number) => sum + number)
  })
}

if (process.send) {
  const [folder = '', from = '', to = ''] = process.argv.slice(2)
  for (let i = 0; i < 20; i++) await move(folder, from, to, 1)
  process.disconnect()
} else {
  const items = ['apples', 'pears']
  const folder = await mkdtemp(join(tmpdir(), 'reentrant-'))
  for (const item of items) await writeFile(join(folder, item), '100')

  const directions = [items, items.toReversed(), items, items.toReversed()]
  const children = directions.map((direction) => fork(import.meta.filename, [folder, ...direction]))
  const exits = Promise.all(children.map((child) => once(child, 'exit')))
  console.log(await total(folder, items)) // 200
  await exits
  console.log(await total(folder, items)) // 200

  // A write inside a read would wait for its own read hold, so it is an error at once. The read goes on.
  const code = await lock.read(() => add(folder, 'apples', 1).catch((error) => error.code))
  console.log(code) // ERR_LOCK_DEADLOCK

  // To read first and write only if necessary, begin with an upgradable hold.
  await lock.upgradable(async () => {
    if ((await count(folder, 'apples')) < 1000) await add(folder, 'apples', 1)
  })
  console.log(await total(folder, items)) // 201
  await rm(folder, { recursive: true })
}
