// process-rwlock/file: which files are one file, and what an update keeps of a file besides its
// content.
import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  renameSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { join, relative } from 'node:path'
import { pathToFileURL } from 'node:url'
import { RWLock } from 'process-rwlock'
import { forFile, readJSON, updateJSON, updateJSONSync } from 'process-rwlock/file'
import {
  linuxTest,
  openLock,
  sandbox,
  sandboxTest,
  spawnNode,
  tempDir,
  test,
  testUnless,
  usersTest,
  waitFor,
} from '../helpers/index.js'

const posixTest = testUnless(process.platform === 'win32' && 'not on Windows')
const CHILD = new URL('./programs/child.js', import.meta.url)

async function ready(child) {
  await child.next('ready')
  return child
}

/** The real path of a directory of the test's own. */
const newDir = (t) => realpathSync(tempDir(t))
const text = (file) => readFileSync(file, 'utf8')
/** The lock of a file, by name. */
function nameOf(file) {
  const lock = forFile(file)
  lock.close()
  return /** @type {{ name: string }} */ (lock.toJSON()).name
}

test('every path of a file gives the same lock, whether the file exists or not', (t) => {
  const dir = newDir(t)
  mkdirSync(join(dir, 'folder'))
  const file = join(dir, 'ä 文件.json')
  const paths = [
    file,
    `${dir}/folder/../ä 文件.json`,
    `${dir}/.//ä 文件.json`,
    relative(process.cwd(), file),
    pathToFileURL(file),
    pathToFileURL(file).href && new URL(pathToFileURL(file).href),
  ]
  if (process.platform !== 'win32') {
    symlinkSync('ä 文件.json', join(dir, 'link'))
    symlinkSync('link', join(dir, 'link to link'))
    symlinkSync(dir, join(dir, 'folder/absolute'))
    symlinkSync('..', join(dir, 'folder/up'))
    paths.push(join(dir, 'link'), join(dir, 'link to link'), join(dir, 'folder/absolute/ä 文件.json'))
    paths.push(`${dir}/folder/up/link`)
  }
  for (const exists of [false, true]) {
    if (exists) writeFileSync(file, '1')
    t.is(nameOf(file), `file:${file}`, 'which tools that list locks show')
    for (const path of paths) t.is(nameOf(path), nameOf(file), `${path}`)
  }
  t.not(nameOf(join(dir, 'other.json')), nameOf(file))
  t.deepEqual(readdirSync(join(dir, 'folder')).length, process.platform === 'win32' ? 0 : 2)
})

posixTest('`..` after a link is the parent of the folder that the link leads to', (t) => {
  const dir = newDir(t)
  mkdirSync(join(dir, 'a/b'), { recursive: true })
  symlinkSync('a/b', join(dir, 'link'))
  symlinkSync('link/../missing.json', join(dir, 'dangling'))
  t.is(nameOf(`${dir}/link/../x.json`), nameOf(join(dir, 'a/x.json')))
  t.is(nameOf(`${dir}/dangling`), nameOf(join(dir, 'a/missing.json')))
})

test('a path that cannot be a name of a lock has a lock all the same', (t) => {
  const dir = newDir(t)
  const long = (last) => join(dir, `${'x'.repeat(240)}${last}.json`)
  const [name, other] = [nameOf(long('1')), nameOf(long('2'))]
  t.true(Buffer.byteLength(name) <= 255)
  t.not(name, other)
  t.is(name, nameOf(long('1')))
  t.true(name.endsWith('x1.json'))
})

test('the folder must exist', (t) => {
  const dir = newDir(t)
  for (const file of [join(dir, 'missing/a.json'), join(dir, 'missing/')]) {
    t.throws(() => forFile(file), { code: 'ENOENT' })
  }
  if (process.platform === 'win32') return
  writeFileSync(join(dir, 'a.json'), '1')
  t.throws(() => forFile(join(dir, 'a.json/b')), { code: 'ENOTDIR' })
  symlinkSync('loop', join(dir, 'loop'))
  t.throws(() => forFile(join(dir, 'loop')), { code: 'ELOOP' })
  t.throws(() => forFile(join(dir, 'x'), /** @type {any} */ (5)), { code: 'ERR_INVALID_ARG_TYPE' })
  t.throws(() => forFile(join(dir, 'x'), /** @type {any} */ ({ beside: 5 })), {
    code: 'ERR_INVALID_ARG_TYPE',
  })
})

test('the options of a lock are those of forFile()', (t) => {
  const lock = forFile(join(newDir(t), 'a.json'), { capacity: 7 })
  t.is(lock.inspect().capacity, 7)
  lock.close()
})

test('`beside` makes a lock file beside the real file, which stays', async (t) => {
  const dir = newDir(t)
  const file = join(dir, 'a.json')
  await updateJSON(file, () => 1, { default: 0, beside: true })
  t.deepEqual(readdirSync(dir), ['a.json', 'a.json.lock'])
  const lock = openLock(t, { path: `${file}.lock` })
  const guard = await lock.acquireWrite()
  await t.throwsAsync(
    updateJSON(file, () => 2, { beside: true, timeout: 0 }),
    { code: 'ERR_LOCK_TIMEOUT' },
  )
  t.is(await updateJSON(file, () => 2), 2, 'the lock in shared memory is another one')
  guard.release()
  const again = forFile(file, { beside: true })
  t.deepEqual(again.toJSON(), { path: `${file}.lock` })
  again.close()
})

posixTest('an update follows links, and keeps them', async (t) => {
  const dir = newDir(t)
  mkdirSync(join(dir, 'real'))
  symlinkSync('real/a.json', join(dir, 'link'))
  await updateJSON(join(dir, 'link'), () => 1, { default: 0 }) // the target is missing
  await updateJSON(join(dir, 'link'), () => 2)
  updateJSONSync(join(dir, 'link'), () => 3, { backup: true })
  t.is(readlinkSync(join(dir, 'link')), 'real/a.json')
  t.false(lstatSync(join(dir, 'real/a.json')).isSymbolicLink())
  t.is(text(join(dir, 'real/a.json')), '3\n')
  t.deepEqual(readdirSync(dir), ['link', 'real'])
  t.deepEqual(readdirSync(join(dir, 'real')), ['a.json', 'a.json.bak'])
})

posixTest(
  'a link that is changed while an update waits leads it to the new file, under its lock',
  async (t) => {
    const dir = newDir(t)
    const [a, b, link] = ['a.json', 'b.json', 'link'].map((name) => join(dir, name))
    writeFileSync(a, '"a"')
    writeFileSync(b, '"b"')
    symlinkSync('a.json', link)
    const [lockA, lockB] = [openLock(t, nameOf(a)), openLock(t, nameOf(b))]
    const [holdA, holdB] = await Promise.all([lockA.acquireWrite(), lockB.acquireWrite()])
    const updated = updateJSON(link, (value) => `${value} updated`)
    await waitFor(() => lockA.inspect().waiters.length === 1)
    symlinkSync('b.json', `${link}2`)
    renameSync(`${link}2`, link)
    holdA.release()
    await waitFor(() => lockB.inspect().waiters.length === 1)
    holdB.release()
    t.is(await updated, 'b updated')
    t.is(text(a), '"a"')
  },
)

posixTest('a timeout covers the locks of the old and of the new file together', async (t) => {
  const dir = newDir(t)
  const [a, b, link] = ['a.json', 'b.json', 'link'].map((name) => join(dir, name))
  symlinkSync('a.json', link)
  const [lockA, lockB] = [openLock(t, nameOf(a)), openLock(t, nameOf(b))]
  const [holdA] = await Promise.all([lockA.acquireWrite(), lockB.acquireWrite()])
  const updated = updateJSON(link, () => t.fail(), { default: 0, timeout: 2500 })
  // If the wait for the second lock had a timeout of its own, it would end after 3,700 ms.
  let isLate = false
  const late = setTimeout(() => {
    // What was due earlier comes first, also after a pause of this process.
    setImmediate(() => {
      isLate = true
    })
  }, 3600)
  await new Promise((resolve) => setTimeout(resolve, 1200))
  unlinkSync(link)
  symlinkSync('b.json', link)
  holdA.release()
  await t.throwsAsync(updated, { code: 'ERR_LOCK_TIMEOUT', message: /b\.json/ })
  t.false(isLate)
  clearTimeout(late)
})

test('a relative path is that of the working directory at the call', async (t) => {
  const [dir, elsewhere] = [newDir(t), newDir(t)]
  const before = process.cwd()
  const lock = openLock(t, nameOf(join(dir, 'a.json')))
  const guard = await lock.acquireWrite()
  try {
    process.chdir(dir)
    const updated = updateJSON('a.json', () => 1, { default: 0 })
    await waitFor(() => lock.inspect().waiters.length === 1)
    process.chdir(elsewhere)
    guard.release()
    await updated
  } finally {
    process.chdir(before)
  }
  t.deepEqual([readdirSync(dir), readdirSync(elsewhere)], [['a.json'], []])
})

posixTest('a hard link keeps the old content', async (t) => {
  const dir = newDir(t)
  writeFileSync(join(dir, 'a.json'), '1')
  linkSync(join(dir, 'a.json'), join(dir, 'b.json'))
  await updateJSON(join(dir, 'a.json'), () => 2)
  t.is(text(join(dir, 'b.json')), '1')
  t.not(nameOf(join(dir, 'b.json')), nameOf(join(dir, 'a.json')))
})

posixTest('the mode is kept; that of a new file is given, less the umask', async (t) => {
  const dir = newDir(t)
  const file = join(dir, 'a.json')
  const mode = (path = file) => statSync(path).mode & 0o7777
  for (const kept of [0o600, 0o666, 0o640, 0o4755]) {
    writeFileSync(file, '1')
    chmodSync(file, kept)
    await updateJSON(file, (n) => n + 1, { mode: 0o777, backup: true })
    t.deepEqual([mode(), mode(`${file}.bak`)], [kept, kept])
  }
  const child = await ready(spawnNode(t, CHILD))
  await child.ask('umask', { mask: 0o027 })
  for (const [given, wanted] of [
    [undefined, 0o640],
    [0o600, 0o600],
    [0o777, 0o750],
  ]) {
    for (const op of ['set', 'setSync']) {
      unlinkSync(file)
      await child.ask(op, { file, value: 1, options: given === undefined ? {} : { mode: given } })
      t.is(mode(), /** @type {number} */ (wanted))
    }
  }
})

test('the longest name of a file', async (t) => {
  const dir = newDir(t)
  const name = 'ä'.repeat(127)
  await updateJSON(join(dir, name), () => 1, { default: 0 })
  t.is(await updateJSON(join(dir, name), () => 2), 2)
  t.deepEqual(readdirSync(dir), [name])
})

test('no lock stays behind: after an update, after the end of a process, after a kill', async (t) => {
  const dir = newDir(t)
  const file = join(dir, 'a.json')
  const lockName = nameOf(file)
  const isOpen = () => RWLock.list().some(({ name }) => name === lockName)
  await updateJSON(file, () => 1, { default: 0 })
  await waitFor(() => !isOpen(), { what: 'the lock is closed soon after the update' })

  const ended = await ready(spawnNode(t, CHILD))
  await ended.ask('set', { file, value: 2 })
  await ended.ask('finish')
  t.deepEqual(await ended.exited, { code: 0, signal: null })
  t.false(isOpen())

  const child = await ready(spawnNode(t, CHILD))
  await child.ask('hold', { file })
  await child.kill()
  updateJSONSync(file, () => 3)
  await waitFor(() => !isOpen())
  t.deepEqual(readdirSync(dir), ['a.json'])
})

test('updates of many files keep few locks open', async (t) => {
  const dir = newDir(t)
  const files = Array.from({ length: 50 }, (_, i) => join(dir, `${i}.json`))
  for (const file of files) updateJSONSync(file, () => 1, { default: 0 })
  await Promise.all(files.map((file) => updateJSON(file, () => 2)))
  const open = () => RWLock.list().filter(({ name }) => name?.startsWith(`file:${dir}`)).length
  t.true(open() <= 16)
  await waitFor(() => open() === 0)
  for (const file of files) t.is(await readJSON(file), 2)
})

for (const form of ['async', 'sync']) {
  linuxTest(`a rename that Windows refuses for a moment is repeated (${form})`, async (t) => {
    const file = join(newDir(t), 'a.json')
    for (const code of ['EPERM', 'EBUSY', 'EACCES']) {
      writeFileSync(file, '1')
      const child = spawnNode(t, new URL('./programs/windows.js', import.meta.url), [file, form, code, '4'])
      const { attempts, code: failed } = await child.next('ended')
      t.deepEqual([attempts, failed, text(file)], [5, undefined, '2'])
    }
    writeFileSync(file, '1')
    const child = spawnNode(t, new URL('./programs/windows.js', import.meta.url), [file, form, 'ENOSPC', '4'])
    const { attempts, code } = await child.next('ended')
    t.deepEqual([attempts, code, text(file)], [1, 'ENOSPC', '1'])
    t.deepEqual(readdirSync(join(file, '..')), ['a.json'])
  })
}

linuxTest('on a volume that ignores case, every spelling gives the same lock', async (t) => {
  const volume = newDir(t)
  mkdirSync(join(volume, 'Folder'))
  const child = await ready(spawnNode(t, new URL('./programs/ignores-case.js', import.meta.url), [volume]))
  const files = ['Folder/Ä.json', 'Folder/ä.JSON', 'FOLDER/a\u0308.json'].map((name) => join(volume, name))
  for (const exists of [false, true]) {
    if (exists) writeFileSync(/** @type {string} */ (files[0]), '1')
    const names = await child.ask('names', { files })
    t.is(new Set(names).size, 1, `${names}`)
  }
  // The test itself sees a volume that respects case.
  t.is(new Set(files.map((file) => file.replace('FOLDER', 'Folder')).map(nameOf)).size, 3)
})

sandboxTest('a full disk leaves the old content, and names the file', async (t) => {
  const box = await sandbox(t)
  const dir = newDir(t)
  box.run('mount', '-t', 'tmpfs', '-o', 'size=256k', 'none', dir)
  const child = await ready(box.spawnNode(CHILD))
  const file = join(dir, 'a.json')
  await child.ask('set', { file, value: 'old' })
  await child.ask('fill', { file: join(dir, 'filler'), bytes: 200_000 })
  for (const op of ['set', 'setSync']) {
    const error = await t.throwsAsync(child.ask(op, { file, value: 'x'.repeat(100_000) }), { code: 'ENOSPC' })
    t.regex(error.message, /no space left on device, write '.*a\.json'/)
    t.is(/** @type {any} */ (error).path, file)
  }
  t.deepEqual(await child.ask('read', { file }), { a: 'old' })
  t.deepEqual(await child.ask('list', { dir }), ['a.json', 'filler'])
  await child.ask('set', { file, value: 'new' })
  t.deepEqual(await child.ask('read', { file }), { a: 'new' })
})

sandboxTest('a file that is a mount point is an error, because it cannot be replaced', async (t) => {
  const box = await sandbox(t)
  const dir = newDir(t)
  const file = join(dir, 'a.json')
  writeFileSync(file, '{"a":"old"}')
  box.run('mount', '--bind', file, file)
  const child = await ready(box.spawnNode(CHILD))
  for (const op of ['set', 'setSync']) {
    await t.throwsAsync(child.ask(op, { file, value: 'new' }), { code: 'EBUSY' })
  }
  t.deepEqual(readdirSync(dir), ['a.json'])
  t.is(text(file), '{"a":"old"}')
})

usersTest('a file or folder that is read-only is an error before the function runs', async (t) => {
  const box = await sandbox(t)
  const dir = newDir(t)
  chmodSync(dir, 0o777)
  const child = await ready(box.spawnNode(CHILD, [], { user: 1000 }))
  const file = join(dir, 'a.json')
  await child.ask('set', { file, value: 'old' })
  chmodSync(file, 0o444)
  for (const op of ['set', 'setSync']) {
    await t.throwsAsync(child.ask(op, { file, value: 'new' }), { code: 'EACCES', message: /a\.json/ })
  }
  chmodSync(file, 0o644)
  chmodSync(dir, 0o755)
  for (const op of ['set', 'setSync']) {
    for (const name of ['a.json', 'b.json']) {
      await t.throwsAsync(child.ask(op, { file: join(dir, name), value: 'new' }), {
        code: 'EACCES',
        message: /access/,
      })
    }
  }
  t.is(text(file), '{\n  "a": "old"\n}\n')
  t.deepEqual(readdirSync(dir), ['a.json'])
})

sandboxTest('a read-only file system is an error, and can be read', async (t) => {
  const box = await sandbox(t)
  const dir = newDir(t)
  box.run('mount', '-t', 'tmpfs', 'none', dir)
  const child = await ready(box.spawnNode(CHILD))
  const file = join(dir, 'a.json')
  await child.ask('set', { file, value: 'old' })
  box.run('mount', '-o', 'remount,ro', dir)
  await t.throwsAsync(child.ask('set', { file, value: 'new' }), { code: 'EROFS' })
  t.deepEqual(await child.ask('read', { file }), { a: 'old' })
})

usersTest('the owner is kept where that is permitted', async (t) => {
  const box = await sandbox(t)
  const dir = newDir(t)
  chmodSync(dir, 0o777)
  const [root, owner, other] = await Promise.all(
    [0, 1000, 1001].map(async (user) => ready(box.spawnNode(CHILD, [], user === 0 ? {} : { user }))),
  )
  const file = join(dir, 'a.json')
  await owner.ask('set', { file, value: 1 })
  chmodSync(file, 0o4666)
  await root.ask('set', { file, value: 2, options: { backup: true } })
  for (const path of [file, `${file}.bak`]) {
    t.deepEqual(await root.ask('stat', { file: path }), { mode: 0o4666, uid: 1000, gid: 1000 })
  }
  // The new file belongs to another group, which must get no more than all have, and to another
  // user.
  chmodSync(file, 0o4676)
  await other.ask('setSync', { file, value: 3 })
  t.deepEqual(await root.ask('stat', { file }), { mode: 0o666, uid: 1001, gid: 1001 })
})

test('a reader neither waits for a writer nor sees a lock', async (t) => {
  const file = join(newDir(t), 'a.json')
  writeFileSync(file, '1')
  const child = await ready(spawnNode(t, CHILD))
  await child.ask('hold', { file })
  t.is(await readJSON(file), 1)
  await child.kill()
  t.is(await readJSON(file), 1)
  t.true(existsSync(file))
})
