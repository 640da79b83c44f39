// node smoke.js [NODE FOLDER], in a folder that contains the package: a quick test with two
// processes, before the suite. The other process uses the same Node.js; or NODE with the package in
// FOLDER, to show that builds for two targets share locks.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { setImmediate, setTimeout } from 'node:timers/promises'
import { fileURLToPath, pathToFileURL } from 'node:url'

const { RWLock } = await import(pathToFileURL(`${process.cwd()}/dist/index.js`).href)
const TIME_LIMIT = 60_000 // ms, for each wait
const COUNTS = 100 // of each process, for each lock

const isChild = process.argv[2] === 'child'
const [own, peer] = isChild ? ['c', 'm'] : ['m', 'c']
const folder = isChild ? process.argv[3] : mkdtempSync(join(tmpdir(), 'process-rwlock-smoke-'))
const file = (name) => join(folder, name)
const name = basename(folder)
const locks = [new RWLock(name), new RWLock({ path: file('lock') })]

if (isChild) await child()
else await main(...process.argv.slice(2))

async function main(program = process.execPath, cwd = process.cwd()) {
  const args = [fileURLToPath(import.meta.url), 'child', folder]
  const other = spawn(program, args, { cwd, stdio: ['ignore', 2, 2] })
  const ended = once(other, 'exit')
  try {
    await Promise.race([parent(), ended.then(() => assert.fail('the other process ended too early'))])
    await ended
    for (const lock of locks) {
      const { ownerDied } = await lock.acquireRead({ timeout: TIME_LIMIT })
      assert.equal(ownerDied?.pid, other.pid)
    }
  } finally {
    other.kill('SIGKILL')
    await ended
    for (const lock of locks) lock.close()
    RWLock.remove(name)
    rmSync(folder, { recursive: true, force: true })
  }
  console.log(
    `${process.platform} ${process.arch}, Node.js ${process.versions.node}, and ${program}: they exclude each other, and one detected the exit of the other`,
  )
}

async function parent() {
  const reads = locks.map((lock) => lock.tryRead())
  say('read')
  await heard('no write beside a read')
  for (const read of reads) read.release()
  await countAll()
  const lastReads = await Promise.all(locks.map((lock) => lock.acquireRead({ timeout: TIME_LIMIT })))
  say('wait and die')
  await until(() => locks.every((lock) => lock.inspect().waiters.length === 1))
  for (const read of lastReads) read.release()
}

async function child() {
  await heard('read')
  for (const lock of locks) {
    const read = lock.tryRead()
    assert.ok(read)
    assert.equal(lock.tryWrite(), null)
    read.release()
  }
  say('no write beside a read')
  await countAll()
  await heard('wait and die')
  await Promise.all(locks.map((lock) => lock.acquireWrite({ timeout: TIME_LIMIT })))
  process.kill(process.pid, 'SIGKILL')
}

async function countAll() {
  for (const [index, lock] of locks.entries()) {
    assert.equal(await lostCounts(lock, `count ${index}`), 0)
  }
  // Shows that the check can fail: with separate locks, increments are lost.
  const apart = new RWLock({ path: file(`lock of ${own}`) })
  assert.notEqual(await lostCounts(apart, 'count apart'), 0)
  apart.close()
}

/**
 * Both processes append to one file until each has done so often enough. Returns how many appends
 * are missing in the end.
 */
async function lostCounts(lock, title) {
  const text = () => (existsSync(file(title)) ? readFileSync(file(title), 'latin1') : '')
  let mine = 0
  while (mine < COUNTS || !existsSync(file(`${title}, enough for ${peer}`))) {
    const guard = await lock.acquireWrite({ timeout: TIME_LIMIT })
    const before = text()
    await setImmediate() // lets the other process come in between, if it can
    writeFileSync(file(title), before + own)
    guard.release()
    if (++mine === COUNTS) say(`${title}, enough for ${own}`)
  }
  say(`${title}, by ${own}`, String(mine))
  return mine + Number(await heard(`${title}, by ${peer}`)) - text().length
}

/** Publishes a message atomically; the other process may read it later. */
function say(what, more = '') {
  writeFileSync(file(`${what}~${own}`), more)
  renameSync(file(`${what}~${own}`), file(what))
}

async function heard(what) {
  await until(() => existsSync(file(what)))
  return readFileSync(file(what), 'latin1')
}

async function until(condition) {
  for (const end = performance.now() + TIME_LIMIT; !condition(); await setTimeout(5)) {
    assert.ok(performance.now() < end, `not fulfilled in time: ${condition}`)
  }
}
