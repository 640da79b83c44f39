// With { bridge: true }, process-rwlock/proper-lockfile and proper-lockfile exclude each other.
import fs, {
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
import theirs from 'proper-lockfile'
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
  const aged = timeOf(file)
  const release = await granted
  t.true(timeOf(file) > aged, 'it is another directory')
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

for (const [name, lockfile] of Object.entries({ theirs, ours })) {
  test(`${name}: a lock whose directory another process has taken is not held any more`, async (t) => {
    const file = newFile(t)
    /** @type {Error[]} */
    const errors = []
    const options = { ...BRIDGE, ...SHORT, onCompromised: (error) => errors.push(error) }
    const release = await lockfile.lock(file, options)
    rmdirSync(`${file}.lock`)
    mkdirSync(`${file}.lock`)
    // Before the call: proper-lockfile may have set the time of its own directory up to a second ahead.
    age(`${file}.lock`, 1000)
    await waitFor(() => errors.length > 0)
    t.is(/** @type {any} */ (errors[0]).code, 'ECOMPROMISED')
    await t.throwsAsync(release(), { code: 'ERELEASED' })
    await t.throwsAsync(lockfile.unlock(file), { code: 'ENOTACQUIRED' })
    t.true(existsSync(`${file}.lock`), 'it is theirs')
    await t.throwsAsync(lockfile.lock(file, BRIDGE), { code: 'ELOCKED' })
    rmdirSync(`${file}.lock`)
    await (await lockfile.lock(file, BRIDGE))()
    t.is(errors.length, 1)
  })
}

const timeOf = (file) => statSync(`${file}.lock`).mtimeMs

/** The module `fs` with other synchronous functions. */
const fsWith = (functions) => ({ ...fs, ...functions })

const ioError = () => Object.assign(new Error('EIO: i/o error'), { code: 'EIO' })

test('an update that fails is repeated', async (t) => {
  const file = newFile(t)
  let failures = 0
  const failing = fsWith({
    statSync(path) {
      if (failures-- > 0) throw ioError()
      return statSync(path)
    },
  })
  const release = await ours.lock(file, { ...BRIDGE, update: 1000, fs: failing })
  failures = 2
  const first = timeOf(file)
  t.true(await waitFor(() => timeOf(file) > first))
  t.true(failures <= 0)
  await release()
})

test('updates that fail for longer than `stale` lose the lock', async (t) => {
  const file = newFile(t)
  /** @type {any[]} */
  const errors = []
  const utimesSync = () => {
    throw ioError()
  }
  const onCompromised = (error) => errors.push(error)
  const release = await ours.lock(file, { ...BRIDGE, ...SHORT, fs: fsWith({ utimesSync }), onCompromised })
  await waitFor(() => errors.length > 0)
  t.is(errors[0].code, 'ECOMPROMISED')
  t.is(errors[0].cause.code, 'EIO')
  await t.throwsAsync(release(), { code: 'ERELEASED' })
  rmdirSync(`${file}.lock`)
})

test('a directory that was made again is not removed as a stale one', async (t) => {
  const file = newFile(t)
  mkdirSync(`${file}.lock`)
  // It is removed before this look, and made again after it.
  const statSync = () => {
    throw Object.assign(new Error('ENOENT: no such file or directory'), { code: 'ENOENT' })
  }
  const locking = ours.lock(file, { ...BRIDGE, fs: fsWith({ statSync }) })
  await t.throwsAsync(locking, { code: 'ELOCKED' })
  t.true(existsSync(`${file}.lock`))
  rmdirSync(`${file}.lock`)
})

test('a directory whose time cannot be read is removed again', async (t) => {
  const file = newFile(t)
  const statSync = () => {
    throw ioError()
  }
  await t.throwsAsync(ours.lock(file, { ...BRIDGE, fs: fsWith({ statSync }) }), { code: 'EIO' })
  t.false(existsSync(`${file}.lock`))
  await (await ours.lock(file, BRIDGE))()
})
