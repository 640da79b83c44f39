// The location of a `{ path }` lock, and the permissions to open it.

import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  existsSync,
  lchownSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { basename, dirname, join, relative } from 'node:path'
import { pathToFileURL } from 'node:url'
import ava from 'ava'
import { RWLock } from 'process-rwlock'
import {
  linuxTest,
  openLock,
  sandbox,
  sandboxTest,
  spawnChild,
  tempDir,
  test,
  usersTest,
} from '../../helpers/index.js'
import { MAX_CAPACITY } from '../../helpers/limits.js'
import { refused } from '../../helpers/refused.js'
import { BYTES } from './layout.js'

const NOBODY = 65534

/** A process of another user, whose directory of locks is in a sandbox. */
const spawnNobody = async (t) => (await sandbox(t)).spawnChild({ user: NOBODY })

/** Whether two references, in two processes, open the same lock. */
async function areOneLock(t, here, there) {
  const lock = openLock(t, here)
  const other = await spawnChild(t)
  await other.ask('open', { ref: there })
  const guard = lock.tryWrite()
  t.truthy(guard)
  const excluded = (await other.ask('tryRead')) === null
  guard?.release()
  t.truthy(await other.ask('tryRead'))
  await other.ask('close')
  lock.close()
  return excluded
}

// ---- names of files

test('a path may have any characters, and may be given as a file: URL', async (t) => {
  const dir = tempDir(t)
  const names = ['with space', 'naïve', '名前', '🔒', "quote'd", 'per%cent', 'a#b', '-dash', 'x'.repeat(255)]
  if (process.platform !== 'win32') names.push('who?', 'new\nline', 'back\\slash', 'tab\tstar*', '..hidden..')
  for (const name of names) {
    const path = join(dir, name)
    const lock = openLock(t, { path: pathToFileURL(path) })
    t.deepEqual(lock.toJSON(), { path }, name)
    t.deepEqual(openLock(t, { path }).toJSON(), { path }, name)
    t.true(existsSync(path), name)
    t.truthy(lock.tryWrite(), name)
    t.is(openLock(t, { path }).tryWrite(), null, name)
  }
  t.deepEqual(readdirSync(dir).toSorted(), names.toSorted())
})

test('two processes share a lock at a path with any characters', async (t) => {
  const path = join(tempDir(t), 'naïve 名前 🔒%20')
  t.true(await areOneLock(t, { path: pathToFileURL(path) }, { path }))
})

linuxTest('a path may be as long as the system allows; a longer path gives ERR_LOCK_ACCESS', async (t) => {
  const root = tempDir(t)
  const folder = 'd'.repeat(250)
  let dir = root
  while (Buffer.byteLength(dir) + 2 * (folder.length + 1) < 4095) dir = join(dir, folder)
  mkdirSync(dir, { recursive: true })
  const longest = join(dir, 'f'.repeat(4095 - Buffer.byteLength(dir) - 1).slice(0, 255))
  openLock(t, { path: longest }).close()
  t.is(statSync(longest).size, BYTES)

  await refused(t, () => new RWLock({ path: join(root, 'x'.repeat(256)) }), 'ERR_LOCK_ACCESS', /too long/i)
  await refused(t, () => new RWLock({ path: join(root, 'x/'.repeat(2100)) }), 'ERR_LOCK_ACCESS', /too long/i)
})

test('a relative path is resolved against the working directory at the time of opening', async (t) => {
  const [first, second] = [tempDir(t), tempDir(t)]
  const child = await spawnChild(t, { cwd: first })
  const inFirst = await child.ask('open', { ref: { path: 'a.lock' } })
  t.truthy(await child.ask('tryWrite', { lock: inFirst }))
  t.is(openLock(t, { path: join(first, 'a.lock') }).tryWrite(), null)

  await child.ask('chdir', { to: second })
  const inSecond = await child.ask('open', { ref: { path: './a.lock' } })
  t.truthy(await child.ask('tryWrite', { lock: inSecond }))
  t.is(openLock(t, { path: join(second, 'a.lock') }).tryWrite(), null)
  t.deepEqual(await child.ask('toJSON', { lock: inFirst }), { path: join(first, 'a.lock') })

  const back = await child.ask('open', { ref: { path: relative(second, join(first, 'a.lock')) } })
  t.is(await child.ask('tryRead', { lock: back }), null)
})

// ---- one file, several paths

linuxTest('a symbolic link gives the lock at its target, even before the target exists', async (t) => {
  const dir = tempDir(t)
  const [path, link, chain] = [join(dir, 'real'), join(dir, 'link'), join(dir, 'chain')]
  symlinkSync('real', link)
  symlinkSync(link, chain)
  t.true(await areOneLock(t, { path: chain }, { path }))
  t.true(statSync(path).isFile())
  t.true(await areOneLock(t, { path: link }, { path: chain }))
})

linuxTest('a symbolic link to itself gives ERR_LOCK_ACCESS', async (t) => {
  const path = join(tempDir(t), 'loop')
  symlinkSync('loop', path)
  await refused(t, () => new RWLock({ path }), 'ERR_LOCK_ACCESS', path, /symbolic link/i)
})

test('all hard links of a file are one lock', async (t) => {
  const dir = tempDir(t)
  const [path, other] = [join(dir, 'a'), join(dir, 'b')]
  openLock(t, { path }).close()
  linkSync(path, other)
  t.true(await areOneLock(t, { path }, { path: other }))
})

linuxTest('two paths to one file in one thread are two handles of one attachment', (t) => {
  const dir = tempDir(t)
  const [path, link] = [join(dir, 'a'), join(dir, 'b')]
  const lock = openLock(t, { path }, { capacity: 1 })
  symlinkSync(path, link)
  const other = openLock(t, { path: link })
  t.truthy(lock.tryWrite())
  t.is(other.tryRead(), null)
})

test('a renamed lock file is the same lock under its new name', async (t) => {
  const dir = tempDir(t)
  const [path, moved] = [join(dir, 'a'), join(dir, 'b')]
  const lock = openLock(t, { path })
  const guard = lock.tryWrite()
  renameSync(path, moved)
  const other = await spawnChild(t)
  await other.ask('open', { ref: { path: moved } })
  t.is(await other.ask('tryWrite'), null)
  guard?.release()
  t.truthy(await other.ask('tryWrite'))
})

linuxTest('a file removed and created again while it is open elsewhere is a different lock', async (t) => {
  const path = join(tempDir(t), 'lock')
  const old = await spawnChild(t)
  const before = await old.ask('open', { ref: { path } })
  const hold = await old.ask('acquireWrite', { lock: before })
  rmSync(path)

  const lock = openLock(t, { path })
  const guard = await lock.acquireWrite({ timeout: 5000 })
  t.true(guard.token > hold.token)
  // Opening the path now gives the new file, even in a process that still has the old file open.
  const after = await old.ask('open', { ref: { path } })
  t.is(await old.ask('tryRead', { lock: after }), null)
  await old.ask('release', { guard: hold.guard })
  t.truthy(await old.ask('tryWrite', { lock: before }))
  t.is(await old.ask('tryRead', { lock: after }), null)
  guard.release()
  t.truthy(await old.ask('tryRead', { lock: after }))
})

sandboxTest('a bind mount gives the same lock without a shared /dev/shm', async (t) => {
  const [dir, elsewhere] = [tempDir(t), tempDir(t)]
  const path = join(dir, 'lock')
  const lock = openLock(t, { path })
  const box = await sandbox(t)
  box.run('mount', '--bind', dir, elsewhere)
  const child = await box.spawnChild()
  await child.ask('open', { ref: { path: join(elsewhere, 'lock') } })
  const guard = lock.tryWrite()
  t.is(await child.ask('tryWrite'), null)
  const waits = child.ask('acquireWrite')
  guard?.release()
  t.is((await waits).mode, 'write')
  await child.kill()
  const { ownerDied } = await lock.acquireWrite({ timeout: 10_000 })
  t.is(ownerDied?.pid, child.pid)
})

// ---- invalid locations

linuxTest('anything but a regular file is refused immediately', async (t) => {
  const dir = tempDir(t)
  const [pipe, socket] = [join(dir, 'pipe'), join(dir, 'socket')]
  spawnSync('mkfifo', [pipe])
  const server = createServer()
  t.teardown(() => {
    server.close()
  })
  await new Promise((resolve) => server.listen(socket, () => resolve(undefined)))
  for (const path of [dir, pipe, socket, '/dev/null', '/dev/zero']) {
    const began = performance.now()
    await refused(t, () => new RWLock({ path }), 'ERR_LOCK_CORRUPT', path, 'not a regular file')
    await refused(t, () => RWLock.remove({ path }), 'ERR_LOCK_CORRUPT', path)
    t.true(performance.now() - began < 5000)
    t.true(existsSync(path))
  }
})

linuxTest('a folder that does not exist, or is a file, gives ERR_LOCK_ACCESS', async (t) => {
  const dir = tempDir(t)
  const missing = join(dir, 'missing', 'lock')
  await refused(t, () => new RWLock({ path: missing }), 'ERR_LOCK_ACCESS', missing, /folder does not exist/)
  t.is(RWLock.remove({ path: missing }), false)
  writeFileSync(join(dir, 'file'), '')
  const within = join(dir, 'file', 'lock')
  await refused(t, () => new RWLock({ path: within }), 'ERR_LOCK_ACCESS', within, /not a directory/i)
  t.deepEqual(readdirSync(dir), ['file'])
})

// ---- permissions

/** A folder that all users may search. */
function sharedDir(t, mode = 0o755) {
  const dir = tempDir(t)
  chmodSync(dir, mode)
  return dir
}

usersTest('a file without read and write permission gives ERR_LOCK_ACCESS and is not changed', async (t) => {
  const path = join(sharedDir(t), 'lock')
  openLock(t, { path }).close()
  const before = readFileSync(path)
  const nobody = await spawnNobody(t)
  for (const mode of [0o000, 0o600, 0o644, 0o604, 0o602]) {
    chmodSync(path, mode)
    await refused(
      t,
      () => nobody.ask('open', { ref: { path } }),
      'ERR_LOCK_ACCESS',
      path,
      /permission denied/i,
    )
  }
  chownSync(path, NOBODY, NOBODY)
  for (const mode of [0o000, 0o400, 0o200]) {
    chmodSync(path, mode)
    await refused(
      t,
      () => nobody.ask('open', { ref: { path } }),
      'ERR_LOCK_ACCESS',
      path,
      /permission denied/i,
    )
  }
  t.deepEqual(readFileSync(path), before)
  t.is(statSync(path).mode & 0o777, 0o200)
})

usersTest('a folder without write or search permission gives ERR_LOCK_ACCESS', async (t) => {
  const dir = sharedDir(t)
  const nobody = await spawnNobody(t)
  const path = join(dir, 'new.lock')
  const open = () => nobody.ask('open', { ref: { path } })
  await refused(t, open, 'ERR_LOCK_ACCESS', path, /permission denied/i)
  t.deepEqual(readdirSync(dir), [])
  chmodSync(dir, 0o700)
  await refused(t, open, 'ERR_LOCK_ACCESS', path, /permission denied/i)
  // In a folder without write permission an existing file can be opened.
  chmodSync(dir, 0o755)
  writeFileSync(path, '')
  chmodSync(path, 0o666)
  await t.notThrowsAsync(open)
})

usersTest('users share a lock if the mode of its file allows it', async (t) => {
  const path = join(sharedDir(t), 'lock')
  const lock = openLock(t, { path })
  chmodSync(path, 0o666)
  const nobody = await spawnNobody(t)
  await nobody.ask('open', { ref: { path } })
  const guard = lock.tryWrite()
  t.is(await nobody.ask('tryRead'), null)
  const waits = nobody.ask('acquireWrite')
  guard?.release()
  t.is((await waits).mode, 'write')
  t.is(lock.tryRead(), null)
  t.is(lock.inspect().holders[0].pid, nobody.pid)
  await nobody.kill()
  t.is((await lock.acquireWrite({ timeout: 10_000 })).ownerDied?.pid, nobody.pid)
})

const stickyIsProtected =
  existsSync('/proc/sys/fs/protected_regular') &&
  readFileSync('/proc/sys/fs/protected_regular', 'latin1').trim() !== '0'
const stickyTest = stickyIsProtected ? usersTest : (title, body) => ava.skip(title, body)

stickyTest('users share a lock in a folder like /tmp, where the kernel protects their files', async (t) => {
  const path = join(sharedDir(t, 0o1777), 'lock')
  const nobody = await spawnNobody(t)
  await nobody.ask('open', { ref: { path } })
  chmodSync(path, 0o666)
  await nobody.ask('tryWrite')
  t.is(openLock(t, { path }).tryWrite(), null)
})

usersTest(
  'a lock file is created with the mode that the umask leaves, without read permission for users that may not write',
  async (t) => {
    const dir = tempDir(t)
    const child = await spawnChild(t)
    for (const [mask, mode] of [
      [0o000, 0o666],
      [0o002, 0o660],
      [0o020, 0o606],
      [0o022, 0o600],
      [0o077, 0o600],
    ]) {
      const path = join(dir, mask.toString(8))
      await child.ask('umask', { mask })
      await child.ask('open', { ref: { path } })
      t.is(statSync(path).mode & 0o777, mode)
    }
  },
)

// Otherwise they could block the others with shared byte locks, and ring their doorbells.
test('a file that some users may only read gives ERR_LOCK_ACCESS with the chmod command to repair it', async (t) => {
  const path = join(tempDir(t), 'it is mine')
  openLock(t, { path }).close()
  for (const [mode, mending] of /** @type {const} */ ([
    [0o644, 'go-r'],
    [0o640, 'g-r'],
    [0o664, 'o-r'],
  ])) {
    chmodSync(path, mode)
    const command = `chmod ${mending} '${path}'`
    await refused(t, () => new RWLock({ path }), 'ERR_LOCK_ACCESS', path, command)
    t.is(spawnSync('sh', ['-c', command]).status, 0)
    t.notThrows(() => openLock(t, { path }).close())
  }
  chmodSync(path, 0o644)
  t.true(RWLock.remove({ path }))
})

usersTest('no lock is created at the target of a symbolic link of another user', async (t) => {
  const dir = tempDir(t)
  const [path, link] = [join(dir, 'file'), join(dir, 'link')]
  symlinkSync('file', link)
  lchownSync(link, NOBODY, NOBODY)
  const open = () => new RWLock({ path: link })
  await refused(t, open, 'ERR_LOCK_ACCESS', link, /symbolic link of user 65534/, /path of the file itself/)
  t.false(existsSync(path))
  writeFileSync(path, '')
  await refused(t, open, 'ERR_LOCK_ACCESS', link, /symbolic link of user 65534/)
  t.is(statSync(path).size, 0)
  // An existing lock may be reached by any link.
  openLock(t, { path }).close()
  t.notThrows(() => openLock(t, { path: link }))
})

linuxTest('remove() through a symbolic link removes the lock and keeps the link', (t) => {
  const dir = tempDir(t)
  const link = join(dir, 'link')
  symlinkSync('real', link)
  openLock(t, { path: link }).close()
  t.true(RWLock.remove({ path: link }))
  t.deepEqual(readdirSync(dir), ['link'])
  t.false(RWLock.remove({ path: link }))
})

// ---- disks

sandboxTest(
  'a full disk gives ERR_LOCK_ACCESS with the reason, and the lock works when there is room again',
  async (t) => {
    const box = await sandbox(t)
    const dir = tempDir(t)
    box.run('mount', '-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', dir)
    const child = await box.spawnChild()
    const path = join(dir, 'lock')
    const seen = () => box.run('ls', '-s', '-1', dir)
    box.run('dd', 'if=/dev/zero', `of=${join(dir, 'filler')}`, 'bs=4k', 'count=14', 'status=none')
    const open = () => child.ask('open', { ref: { path } })
    await refused(t, open, 'ERR_LOCK_ACCESS', path, /no space left/i, String(BYTES))
    await refused(t, open, 'ERR_LOCK_ACCESS', path, /no space left/i)
    t.notRegex(seen(), /[1-9]\d* lock/, 'it keeps no space that it cannot use')
    box.run('rm', join(dir, 'filler'))
    const lock = await open()
    t.truthy(await child.ask('tryWrite', { lock }))

    await refused(
      t,
      () => child.ask('open', { ref: { path: join(dir, 'big') }, options: { capacity: MAX_CAPACITY } }),
      'ERR_LOCK_ACCESS',
      /no space left/i,
    )
    // An existing lock has all its pages: it works on a full disk.
    box.run('sh', '-c', `cat /dev/zero > ${join(dir, 'filler')} || true`)
    await child.ask('release')
    const other = await box.spawnChild()
    await other.ask('open', { ref: { path } })
    t.truthy(await other.ask('tryWrite'))
  },
)

/** For tests that need a separate disk with that file system. */
const diskTest = (kind) =>
  spawnSync(`mkfs.${kind}`, ['-V']).status === 0 || spawnSync(`mkfs.${kind}`, ['--version']).status === 0
    ? usersTest
    : (title) => ava.skip(`${title} (no mkfs.${kind})`, () => {})

/** Mounts a file as a disk. Returns the reason if that is not possible. */
function mounted(t, box, image, name) {
  const mount = join(dirname(image), name)
  mkdirSync(mount)
  try {
    box.run('mount', '-o', 'loop', image, mount)
    return mount
  } catch (error) {
    t.log(`skipped: ${error}`)
    t.pass()
    return null
  }
}

// The disk is copied in its present state, without what was not written back.
diskTest('ext4')('a lock outlives a loss of power, and gives no token twice', async (t) => {
  const box = await sandbox(t)
  const image = join(tempDir(t), 'image')
  box.run('truncate', '-s', '16M', image)
  box.run('mkfs.ext4', '-q', image)
  const disk = mounted(t, box, image, 'disk')
  if (disk === null) return
  let copies = 0
  /**
   * The state at the next start. Another file was synced before, and with it the journal entries of
   * the lock file.
   */
  const losePower = () => {
    box.run('touch', join(disk, 'other'))
    box.run('sync', join(disk, 'other'))
    const copy = `${image}${++copies}`
    box.run('cp', image, copy)
    return mounted(t, box, copy, `disk${copies}`)
  }
  const child = await box.spawnChild()
  const lock = await child.ask('open', { ref: { path: join(disk, 'lock') } })
  let last = 0n
  const write = async () => {
    const { guard, token } = await child.ask('tryWrite', { lock })
    await child.ask('release', { guard })
    last = token
  }
  const worksAfter = async (found) => {
    t.truthy(found)
    const ref = { path: join(String(found), 'lock') }
    const later = await box.spawnChild()
    const opened = await later.ask('open', { ref })
    const { token } = await later.ask('tryWrite', { lock: opened })
    t.true(token > last, `${token} after ${last}`)
    await later.kill()
    t.true(await child.ask('remove', { ref }))
  }
  await write()
  await worksAfter(losePower()) // just after its creation
  box.run('sync', '-f', disk)
  for (let count = 0; count < 200; count++) await write()
  await worksAfter(losePower())
  await child.kill()
})

diskTest('btrfs')('a lock on btrfs outlives a full disk', async (t) => {
  const box = await sandbox(t)
  const image = join(tempDir(t), 'image')
  box.run('truncate', '-s', '120M', image)
  box.run('mkfs.btrfs', '-q', image)
  const mount = mounted(t, box, image, 'disk')
  if (mount === null) return
  const child = await box.spawnChild()
  const paths = Array.from({ length: 10 }, (_, number) => join(mount, `lock${number}`))
  const locks = []
  for (const path of paths) locks.push(await child.ask('open', { ref: { path } }))
  t.regex(box.run('lsattr', paths[0]), /^\S*C/)
  box.run('sh', '-c', `cat /dev/zero > ${join(mount, 'filler')} || true; sync -f ${mount}`)
  // For each write its page has been written back, and needs new space.
  for (let round = 0; round < 5; round++) {
    for (const lock of locks) {
      const { guard } = await child.ask('tryWrite', { lock })
      await child.ask('release', { guard })
    }
    box.run('sync', '-f', mount)
  }
  await child.kill()
  box.run('umount', mount)
})

sandboxTest('a lock by path works without /dev/shm', async (t) => {
  const box = await sandbox(t)
  const [a, b] = await Promise.all([box.spawnChild(), box.spawnChild()])
  box.run('mount', '-o', 'remount,bind,ro', '/dev/shm')
  const ref = { path: join(tempDir(t), 'lock') }
  const { token } = await a.ask('hold', { ref, mode: 'write' })
  await b.ask('open', { ref })
  const waits = b.ask('acquireWrite')
  await a.ask('release')
  t.true((await waits).token > token)
  await a.ask('close')
  await b.ask('close')
  t.true(await a.ask('remove', { ref }))
  t.deepEqual(box.files(), [])
})

usersTest('a lock file on an overlay, such as the root of a container, is one lock', async (t) => {
  const box = await sandbox(t)
  const dir = tempDir(t)
  box.run('mount', '-t', 'tmpfs', 'tmpfs', dir)
  box.run('mkdir', ...['lower', 'upper', 'work', 'merged'].map((name) => join(dir, name)))
  box.run('touch', join(dir, 'lower', 'old'))
  const layers = ['lower', 'upper', 'work'].map((name) => `${name}dir=${join(dir, name)}`).join(',')
  box.run('mount', '-t', 'overlay', '-o', layers, 'overlay', join(dir, 'merged'))
  const [a, b] = await Promise.all([box.spawnChild(), box.spawnChild()])
  for (const name of ['old', 'new']) {
    const ref = { path: join(dir, 'merged', name) }
    await a.ask('hold', { ref, mode: 'write' })
    await b.ask('open', { ref })
    t.is(await b.ask('tryRead'), null, name)
    const waits = b.ask('acquireWrite')
    await a.ask('release')
    t.is((await waits).mode, 'write', name)
  }
})

sandboxTest(
  'a read-only file system gives ERR_LOCK_ACCESS, for an existing and for a new lock',
  async (t) => {
    const box = await sandbox(t)
    const dir = tempDir(t)
    const path = join(dir, 'lock')
    openLock(t, { path }).close()
    box.run('mount', '--bind', '-o', 'ro', dir, dir)
    const child = await box.spawnChild()
    for (const place of [path, join(dir, 'new')]) {
      await refused(
        t,
        () => child.ask('open', { ref: { path: place } }),
        'ERR_LOCK_ACCESS',
        place,
        /read-only/i,
      )
    }
    t.deepEqual(readdirSync(dirname(path)), [basename(path)])
  },
)
