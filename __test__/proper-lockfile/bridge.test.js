// With { bridge: true }, process-rwlock/proper-lockfile and proper-lockfile exclude each other.
import {
  existsSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  rmdirSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import ours from 'process-rwlock/proper-lockfile'
import { spawnNode, tempDir, test, waitFor } from '../helpers/index.js'

const BRIDGE = { bridge: true }
/** The shortest that proper-lockfile has, and its updates. */
const SHORT = { stale: 2000, update: 1000 }

function newFile(t) {
  const file = join(realpathSync(tempDir(t)), 'file')
  writeFileSync(file, '0')
  return file
}

async function spawn(t, name = 'proper-lockfile') {
  const child = spawnNode(t, new URL('./programs/child.js', import.meta.url), [name])
  await child.next('ready')
  return child
}

const spawnOurs = (t) => spawn(t, 'process-rwlock/proper-lockfile')

/** What keeps the directory of a dead process fresh, and what makes it stale. */
const age = (directory, ms) => {
  const then = new Date(Date.now() - ms)
  utimesSync(directory, then, then)
}

test('a lock of ours is one of theirs, until its release', async (t) => {
  const file = newFile(t)
  const other = await spawn(t)
  for (const lock of [ours.lock, async (file, options) => ours.lockSync(file, options)]) {
    const release = await lock(file, BRIDGE)
    t.true(await other.ask('check', { file }))
    await t.throwsAsync(other.ask('lock', { file }), { code: 'ELOCKED' })
    await release()
    t.false(existsSync(`${file}.lock`))
    await other.ask('lock', { file })
    await other.ask('release')
  }
})

test('a lock of theirs is one of ours, until its release', async (t) => {
  const file = newFile(t)
  const other = await spawn(t)
  await other.ask('lock', { file })
  t.true(await ours.check(file, BRIDGE))
  t.true(ours.checkSync(file, BRIDGE))
  t.false(await ours.check(file))
  const error = await t.throwsAsync(ours.lock(file, BRIDGE), { code: 'ELOCKED' })
  t.is(error.message, 'Lock file is already being held')
  t.throws(() => ours.lockSync(file, BRIDGE), { code: 'ELOCKED' })
  // The refused call holds nothing.
  await (await ours.lock(file))()
  const granted = ours.lock(file, { ...BRIDGE, retries: { forever: true } })
  await other.ask('release')
  await (await granted)()
  t.false(existsSync(`${file}.lock`))
})

test('processes of both kinds that add to a number lose nothing', async (t) => {
  const file = newFile(t)
  const options = { retries: { forever: true, minTimeout: 1, maxTimeout: 10 }, ...BRIDGE }
  const children = await Promise.all([spawn(t), spawn(t), spawnOurs(t), spawnOurs(t)])
  await Promise.all(children.map((child) => child.ask('add', { file, times: 20, options })))
  t.is(readFileSync(file, 'utf8'), '80')
})

test('the lock of a process of theirs that was killed is taken when it is stale', async (t) => {
  const file = newFile(t)
  const other = await spawn(t)
  await other.ask('lock', { file })
  await other.kill()
  t.true(existsSync(`${file}.lock`))
  await t.throwsAsync(ours.lock(file, BRIDGE), { code: 'ELOCKED' })
  const granted = ours.lock(file, { ...BRIDGE, ...SHORT, retries: { forever: true } })
  age(`${file}.lock`, 3000)
  const release = await granted
  t.true(Date.now() - statSync(`${file}.lock`).mtimeMs < 2000)
  await release()
})

test('the lock of a process of ours that was killed is taken by theirs when it is stale', async (t) => {
  const file = newFile(t)
  const [mine, other] = [await spawnOurs(t), await spawn(t)]
  await mine.ask('lock', { file, options: BRIDGE })
  await mine.kill()
  // The lock of this library is free at once, the directory is not.
  t.false(await ours.check(file))
  await t.throwsAsync(other.ask('lock', { file }), { code: 'ELOCKED' })
  age(`${file}.lock`, 11_000)
  await other.ask('lock', { file })
  await t.throwsAsync(ours.lock(file, BRIDGE), { code: 'ELOCKED' })
  await other.ask('release')
})

test('a process that exits removes its directory', async (t) => {
  const file = newFile(t)
  const mine = await spawnOurs(t)
  await mine.ask('lock', { file, options: BRIDGE })
  t.true(existsSync(`${file}.lock`))
  mine.tell('exit')
  await mine.exited
  t.false(existsSync(`${file}.lock`))
})

test('the directory is updated while the lock is held', async (t) => {
  const file = newFile(t)
  const release = await ours.lock(file, { ...BRIDGE, ...SHORT })
  const first = statSync(`${file}.lock`).mtimeMs
  t.true(await waitFor(() => statSync(`${file}.lock`).mtimeMs > first))
  await release()
})

test('onCompromised is called when another process has taken the directory', async (t) => {
  const file = newFile(t)
  /** @type {Error[]} */
  const errors = []
  const release = await ours.lock(file, { ...BRIDGE, ...SHORT, onCompromised: (error) => errors.push(error) })
  rmdirSync(`${file}.lock`)
  mkdirSync(`${file}.lock`)
  await waitFor(() => errors.length > 0)
  t.like(errors, [{ code: 'ECOMPROMISED', file }])
  // It is theirs.
  await release()
  t.true(existsSync(`${file}.lock`))
  rmdirSync(`${file}.lock`)
})
