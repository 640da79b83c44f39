// process-rwlock/proper-lockfile does what proper-lockfile does: each test runs on both.
import { mkdirSync, readdirSync, readFileSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, relative } from 'node:path'
import { forFile } from 'process-rwlock/file'
import ours, * as names from 'process-rwlock/proper-lockfile'
import original from 'proper-lockfile'
import { linuxTest, spawnNode, tempDir, test, waitFor } from '../helpers/index.js'

const MODULES = { 'proper-lockfile': original, 'process-rwlock/proper-lockfile': ours }

/** @param {import('ava').ExecutionContext<any>} t */
function newFile(t, name = 'file') {
  const file = join(realpathSync(tempDir(t)), name)
  writeFileSync(file, '0')
  return file
}

/** Runs the function and expects an error with the code. */
async function fails(t, code, fn) {
  const error = await t.throwsAsync(async () => fn(), { code }, code)
  return /** @type {any} */ (error)
}

for (const [name, lockfile] of Object.entries(MODULES)) {
  const spawn = async (t) => {
    const child = spawnNode(t, new URL('./programs/child.js', import.meta.url), [name])
    await child.next('ready')
    return child
  }
  const both = (title, run) => {
    test(`${name}: ${title}`, (t) =>
      run(t, { lock: lockfile.lock, unlock: lockfile.unlock, check: lockfile.check }))
    test(`${name}: ${title} (sync)`, (t) =>
      run(t, {
        lock: (file, options) => lockfile.lockSync(file, options),
        unlock: (file, options) => lockfile.unlockSync(file, options),
        check: (file, options) => lockfile.checkSync(file, options),
      }))
  }

  both('a locked file is locked until its release', async (t, { lock, check }) => {
    const file = newFile(t)
    t.false(await check(file))
    const release = await lock(file)
    t.true(await check(file))
    const error = await fails(t, 'ELOCKED', () => lock(file))
    t.regex(error.message, /^Lock file is already being held/)
    t.is(error.file, file)
    t.is(await release(), undefined)
    t.false(await check(file))
    await (await lock(file))()
  })

  both('a release of a released lock is ERELEASED', async (t, { lock, unlock }) => {
    const file = newFile(t)
    const release = await lock(file)
    await release()
    t.is((await fails(t, 'ERELEASED', release)).message, 'Lock is already released')
    const second = await lock(file)
    await fails(t, 'ERELEASED', release)
    await unlock(file)
    await fails(t, 'ERELEASED', second)
  })

  both('unlock() releases the lock of this process alone', async (t, { lock, unlock, check }) => {
    const file = newFile(t)
    const child = await spawn(t)
    const { message } = await fails(t, 'ENOTACQUIRED', () => unlock(file))
    t.is(message, 'Lock is not acquired/owned by you')
    await child.ask('lock', { file })
    await fails(t, 'ENOTACQUIRED', () => unlock(file))
    await child.ask('release')
    await lock(file)
    t.is(await unlock(file), undefined)
    t.false(await check(file))
    await fails(t, 'ENOTACQUIRED', () => unlock(file))
  })

  both('a missing file is ENOENT, unless realpath is false', async (t, { lock, unlock, check }) => {
    const file = join(realpathSync(tempDir(t)), 'missing')
    for (const call of [lock, unlock, check]) await fails(t, 'ENOENT', () => call(file))
    const options = { realpath: false }
    t.false(await check(file, options))
    const release = await lock(file, options)
    t.true(await check(file, options))
    await fails(t, 'ELOCKED', () => lock(file, options))
    await release()
    await lock(file, options)
    await unlock(file, options)
    await fails(t, 'ENOENT', () => lock(join(file, 'missing'), options))
  })

  both('links and relative paths lead to one lock', async (t, { lock, unlock, check }) => {
    const file = newFile(t)
    const link = `${file}-link`
    symlinkSync(file, link)
    const other = relative(process.cwd(), link)
    await lock(link)
    for (const path of [file, link, other]) {
      t.true(await check(path))
      t.is((await fails(t, 'ELOCKED', () => lock(path))).file, file)
    }
    await unlock(other)
    t.false(await check(link))
  })

  both('a folder can be locked', async (t, { lock, check }) => {
    const folder = join(tempDir(t), 'folder')
    mkdirSync(folder)
    const release = await lock(folder)
    t.true(await check(folder))
    await fails(t, 'ELOCKED', () => lock(folder))
    await release()
  })

  both('calls with the same lockfilePath exclude each other', async (t, { lock, unlock, check }) => {
    const [one, two] = [newFile(t), newFile(t)]
    const lockfilePath = join(tempDir(t), 'dir.lock')
    const options = { lockfilePath }
    const release = await lock(one, options)
    t.true(await check(two, options))
    await fails(t, 'ELOCKED', () => lock(two, options))
    t.false(await check(one))
    await (await lock(two))()
    await unlock(one, options)
    await fails(t, 'ERELEASED', release)
    // The one that is the default.
    for (const lockfilePath of [`${one}.lock`, '', undefined]) {
      await lock(one, { lockfilePath })
      await fails(t, 'ELOCKED', () => lock(one))
      await unlock(one)
    }
  })

  both('a directory that is named .lock is not the lock of its folder', async (t, { lock, check }) => {
    const file = newFile(t)
    const folder = dirname(file)
    const release = await lock(folder)
    const inner = await lock(file, { lockfilePath: join(folder, '.lock') })
    await inner()
    t.true(await check(folder))
    await release()
  })

  both('nothing is locked whose folder does not exist', async (t, { lock, unlock, check }) => {
    const file = newFile(t)
    const missing = join(tempDir(t), 'missing', 'file')
    for (const [path, options] of /** @type {const} */ ([
      [file, { lockfilePath: `${missing}.lock` }],
      [missing, { realpath: false }],
    ])) {
      t.false(await check(path, options))
      await fails(t, 'ENOENT', () => lock(path, options))
      await fails(t, 'ENOTACQUIRED', () => unlock(path, options))
    }
  })

  both('an option that is undefined replaces its default', async (t, { lock, unlock, check }) => {
    const file = join(realpathSync(tempDir(t)), 'missing')
    const options = { realpath: undefined, stale: undefined, update: undefined, retries: undefined }
    await lock(file, options)
    t.true(await check(file, options))
    await unlock(file, options)
  })

  test(`${name}: retries wait until the lock is released`, async (t) => {
    const file = newFile(t)
    const child = await spawn(t)
    for (const retries of [
      20,
      { retries: 20, minTimeout: 10 },
      { forever: true, minTimeout: 10, maxTimeout: 50 },
    ]) {
      const release = await lockfile.lock(file)
      const granted = child.ask('lock', {
        file,
        options: { retries: retries === 20 ? { retries, minTimeout: 20 } : retries },
      })
      t.is(await Promise.race([granted, new Promise((resolve) => setTimeout(resolve, 50, 'waits'))]), 'waits')
      await release()
      await granted
      t.true(await lockfile.check(file))
      await child.ask('release')
    }
  })

  test(`${name}: after the last retry, the call rejects with ELOCKED`, async (t) => {
    const file = newFile(t)
    const release = await lockfile.lock(file)
    const start = performance.now()
    await fails(t, 'ELOCKED', () =>
      lockfile.lock(file, { retries: { retries: 2, minTimeout: 60, factor: 1 } }),
    )
    t.true(performance.now() - start >= 119)
    await release()
  })

  test(`${name}: a delay between retries is at least 1 ms`, async (t) => {
    const file = newFile(t)
    const release = await lockfile.lock(file)
    for (const retries of [
      { retries: 200, minTimeout: 10, factor: 0.1 },
      { retries: 200, minTimeout: 0 },
      { retries: 200, maxTimeout: undefined },
      { retries: 200, minTimeout: NaN, maxRetryTime: 0 },
      Array(200).fill(0),
    ]) {
      const start = performance.now()
      await fails(t, 'ELOCKED', () => lockfile.lock(file, { retries }))
      t.true(performance.now() - start >= 199, JSON.stringify(retries).slice(0, 50))
    }
    await fails(t, 'ELOCKED', () => lockfile.lock(file, { retries: { retries: undefined } }))
    await release()
  })

  test(`${name}: retries are refused in the synchronous form`, async (t) => {
    const file = newFile(t)
    for (const retries of [1, { retries: 3 }]) {
      await fails(t, 'ESYNC', () => lockfile.lockSync(file, { retries }))
    }
    // Only the number counts: what has none works while the lock is free.
    for (const retries of [0, null, [10], { minTimeout: 10 }, { forever: true, retries: 0 }]) {
      lockfile.lockSync(file, { retries: /** @type {any} */ (retries) })()
    }
  })

  test(`${name}: processes that add to a number lose nothing`, async (t) => {
    const file = newFile(t)
    const children = await Promise.all([1, 2, 3, 4].map(() => spawn(t)))
    const options = { retries: { forever: true, minTimeout: 1, maxTimeout: 20 } }
    await Promise.all(children.map((child) => child.ask('add', { file, times: 25, options })))
    t.is(readFileSync(file, 'utf8'), '100')
  })

  test(`${name}: a process that exits leaves nothing locked`, async (t) => {
    const file = newFile(t)
    const child = await spawn(t)
    await child.ask('lock', { file })
    child.tell('exit')
    await child.exited
    t.false(await lockfile.check(file))
  })

  test(`${name}: the module is a function with the others as its members`, (t) => {
    const required = createRequire(import.meta.url)(name)
    t.is(required, lockfile)
    t.is(required, required.lock)
    for (const member of ['lock', 'lockSync', 'unlock', 'unlockSync', 'check', 'checkSync']) {
      t.is(typeof required[member], 'function')
    }
  })
}

test('locks of one file with several lockfilePaths are released each for itself', async (t) => {
  const file = newFile(t)
  const options = ['a', 'b', 'c'].map((name) => ({ lockfilePath: join(tempDir(t), name) }))
  const states = () => options.map((it) => ours.checkSync(file, it))
  const releases = await Promise.all(options.map((it) => ours.lock(file, it)))
  await releases[0]?.()
  t.deepEqual(states(), [false, true, true])
  await fails(t, 'ERELEASED', () => releases[0]?.())
  await ours.unlock(file, options[1])
  t.deepEqual(states(), [false, false, true])
  await ours.unlock(file)
  t.deepEqual(states(), [false, false, false])
  await fails(t, 'ENOTACQUIRED', () => ours.unlock(file))
  for (const release of releases) await fails(t, 'ERELEASED', release)
})

test('a synchronous call with delays of retries does not wait', async (t) => {
  const file = newFile(t)
  const release = ours.lockSync(file)
  await fails(t, 'ELOCKED', () => ours.lockSync(file, { retries: { forever: true } }))
  release()
})

test('import and require() give the same functions', (t) => {
  for (const [name, value] of Object.entries(ours)) t.is(names[name], value)
})

test('a killed process has nothing locked, and a wait ends at once', async (t) => {
  const file = newFile(t)
  const child = spawnNode(t, new URL('./programs/child.js', import.meta.url), [
    'process-rwlock/proper-lockfile',
  ])
  await child.next('ready')
  await child.ask('lock', { file })
  const error = await fails(t, 'ELOCKED', () => ours.lock(file))
  t.regex(
    error.message,
    new RegExp(`^Lock file is already being held by pid ${child.pid} \\('.*'\\) for \\d+ ms$`),
  )
  t.like(error.holders, [{ pid: child.pid, mode: 'write' }])
  const granted = ours.lock(file, { retries: { forever: true } })
  await child.kill()
  // The original waits for 10 s.
  await (await granted)()
  t.false(await ours.check(file))
})

test('the lock of a file is that of forFile()', async (t) => {
  const file = newFile(t)
  await forFile(file).write(async () => {
    t.true(ours.checkSync(file))
    await fails(t, 'ELOCKED', () => ours.lock(file))
  })
  const release = ours.lockSync(file)
  const lock = forFile(file)
  t.is(lock.tryRead(), null)
  release()
  await lock.read(() => t.pass())
  lock.close()
})

linuxTest('a lock closes when it is not used any more', async (t) => {
  const file = newFile(t)
  const before = readdirSync('/proc/self/fd').length
  for (let round = 0; round < 3; round++) await (await ours.lock(file))()
  t.true(await waitFor(() => readdirSync('/proc/self/fd').length <= before))
})
