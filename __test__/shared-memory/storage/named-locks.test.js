// Named locks: their names, and their files in shared memory. Most tests run in a sandbox with a
// private /dev/shm, which is inspected and damaged from outside.
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { RWLock } from 'process-rwlock'
import {
  openLock,
  sandbox,
  sandboxTest,
  tempDir,
  test,
  uniqueName,
  usersTest,
  waitFor,
} from '../../helpers/index.js'
import { MAX_CAPACITY } from '../../helpers/limits.js'
import { endOf, refused } from '../../helpers/refused.js'
import { AT, BYTES, noise, poke, u32, u64 } from './layout.js'

const NOBODY = 65534
const NAME = 'a lock'

// ---- names

test('a name may have any characters, and up to 255 bytes of UTF-8', async (t) => {
  // Names that no other test uses.
  const own = uniqueName(t)
  const names = [
    '../x',
    '/etc/passwd',
    'a/b',
    '..',
    ' ',
    '\n',
    '%s%n',
    'token-floor',
    'con',
    '名前',
    '🔒',
  ].map((name) => name + own)
  names.push(`naïve ${own}`.normalize('NFC'), `naïve ${own}`.normalize('NFD'))
  for (const filler of ['a', 'é', '界', '🔒']) {
    names.push(own + filler.repeat((255 - own.length) / Buffer.byteLength(filler)))
  }
  t.is(Buffer.byteLength(names.at(-4) ?? ''), 255)
  for (const name of names) {
    const lock = openLock(t, name)
    t.deepEqual(lock.toJSON(), { name })
    // If two of these were one lock, the second would not get it.
    t.truthy(lock.tryWrite(), name)
  }
  const listed = RWLock.list().map((seen) => seen.name)
  t.deepEqual(
    names.filter((name) => !listed.includes(name)),
    [],
  )
})

test('an invalid name gives ERR_INVALID_ARG_VALUE or ERR_INVALID_ARG_TYPE', async (t) => {
  await refused(t, () => new RWLock(''), 'ERR_INVALID_ARG_VALUE', 'empty')
  await refused(t, () => new RWLock('a\0b'), 'ERR_INVALID_ARG_VALUE', 'NUL')
  await refused(t, () => new RWLock('a'.repeat(256)), 'ERR_INVALID_ARG_VALUE', '255', '256')
  await refused(t, () => new RWLock('界'.repeat(86)), 'ERR_INVALID_ARG_VALUE', '255', '258')
  await refused(t, () => new RWLock({ name: '' }), 'ERR_INVALID_ARG_VALUE', 'empty')
  await refused(t, () => new RWLock('\ud800'), 'ERR_INVALID_ARG_VALUE', 'Unicode')
  await refused(t, () => new RWLock({ path: '' }), 'ERR_INVALID_ARG_VALUE', 'empty')
  await refused(t, () => new RWLock({ path: 'a\0b' }), 'ERR_INVALID_ARG_VALUE', 'NUL')
  // @ts-expect-error not a name
  await refused(t, () => new RWLock(7), 'ERR_INVALID_ARG_TYPE', 'name')
  // @ts-expect-error not a name
  await refused(t, () => new RWLock({ name: 7 }), 'ERR_INVALID_ARG_TYPE', 'name')
  await refused(t, () => RWLock.remove(''), 'ERR_INVALID_ARG_VALUE', 'empty')
})

sandboxTest('names with any characters create files with safe names in two places only', async (t) => {
  const box = await sandbox(t)
  const dir = tempDir(t)
  const child = await box.spawnChild({ cwd: dir })
  for (const name of ['../x', '/etc/passwd', 'a/b', '..', 'token-floor', '🔒', 'a'.repeat(255)]) {
    await child.ask('open', { ref: name })
  }
  for (const file of box.leftOvers())
    t.regex(file, /^process-rwlock-\d+(-[0-9a-f]{16}|\/[0-9a-f]{32}(\/record)?)$/)
  t.is(box.records().length, 7)
  t.is(box.segments().length, 7)
  for (let lock = 0; lock < 7; lock++) await child.ask('close', { lock })
  t.deepEqual(box.leftOvers(), [])
})

// ---- creation and removal

sandboxTest('the last close removes the shared memory and the record', async (t) => {
  const box = await sandbox(t)
  const [a, b] = await Promise.all([box.spawnChild(), box.spawnChild()])
  await a.ask('open', { ref: NAME })
  await b.ask('open', { ref: NAME })
  t.is(box.segments().length, 1)
  t.is(statSync(box.segments()[0]).size, BYTES)
  await a.ask('close')
  t.is(box.segments().length, 1)
  await b.ask('close')
  t.deepEqual(box.leftOvers(), [])
})

sandboxTest('a process that ends without closing leaves nothing', async (t) => {
  const box = await sandbox(t)
  for (const end of ['finish', 'exit', 'throw']) {
    const child = await box.spawnChild()
    await child.ask('open', { ref: NAME })
    child.tell(end)
    await child.exited
    await swept(t, box)
  }
})

sandboxTest('the lock does not depend on the environment', async (t) => {
  const box = await sandbox(t)
  const env = Object.fromEntries(
    ['TMPDIR', 'TMP', 'TEMP', 'HOME', 'XDG_RUNTIME_DIR', 'XDG_CACHE_HOME', 'USER', 'LOGNAME'].map((key) => [
      key,
      '/nowhere',
    ]),
  )
  const [a, b] = await Promise.all([box.spawnChild(), box.spawnChild({ env, cwd: '/' })])
  await a.ask('hold', { ref: NAME, mode: 'write' })
  await b.ask('open', { ref: NAME })
  t.is(await b.ask('tryRead'), null)
})

usersTest('a name is a different lock for each user', async (t) => {
  const box = await sandbox(t)
  const [a, b] = await Promise.all([box.spawnChild(), box.spawnChild({ user: NOBODY })])
  await a.ask('hold', { ref: NAME, mode: 'write' })
  await b.ask('open', { ref: NAME })
  t.truthy(await b.ask('tryWrite'))
  t.deepEqual(
    (await b.ask('list')).map(({ holders }) => holders.map(({ pid }) => pid)),
    [[b.pid]],
  )
  for (const file of [box.directory(NOBODY), ...box.records(NOBODY), ...box.segments()]) {
    t.is(statSync(file).mode & 0o077, 0, file)
  }
})

// ---- damaged and incomplete locks

/** The files that a killed process leaves of an open lock. */
async function leftBehind(box, options = undefined) {
  const child = await box.spawnChild()
  await child.ask('open', { ref: NAME, options })
  await child.kill()
  return { record: box.records()[0], segment: box.segments()[0] }
}

/** The lock works between processes, and is removed after them. */
async function worksAnew(t, box, what, expected = []) {
  const [a, b] = await Promise.all([box.spawnChild(), box.spawnChild()])
  await a.ask('open', { ref: NAME })
  await b.ask('open', { ref: NAME })
  t.like(await a.ask('tryWrite'), { mode: 'write', ownerDied: null }, what)
  t.is(await b.ask('tryRead'), null, what)
  await a.ask('release')
  t.truthy(await b.ask('tryWrite'), what)
  await b.ask('close')
  await a.ask('close')
  t.deepEqual(box.leftOvers(), expected, what)
}

/** A record in the format of the library. */
const recordOf = (id, name = NAME) => `process-rwlock 1\n${id}\n${name}`

sandboxTest('after a reboot the lock is created again, whatever the reboot left', async (t) => {
  const box = await sandbox(t)
  for (const [what, gone] of /** @type {const} */ ([
    ['the record exists, the memory does not', ['segment']],
    ['neither exists', ['record', 'segment']],
    ['both exist', []],
  ])) {
    const files = await leftBehind(box)
    for (const which of gone) rmSync(files[which])
    await worksAnew(t, box, what)
  }
})

sandboxTest('shared memory without a record blocks no process', async (t) => {
  const box = await sandbox(t)
  const { record, segment } = await leftBehind(box)
  rmSync(record)
  await worksAnew(t, box, 'the record is gone', [segment.slice(box.shm.length + 1)])
})

const SEGMENT_DAMAGES = {
  empty: (path) => truncateSync(path, 0),
  'cut to a few bytes': (path) => truncateSync(path, 5),
  'cut to its header': (path) => truncateSync(path, 1024),
  'cut in half': (path) => truncateSync(path, BYTES / 2),
  'longer than it was': (path) => truncateSync(path, 2 * BYTES),
  zeroed: (path) => writeFileSync(path, Buffer.alloc(BYTES)),
  random: (path) => writeFileSync(path, noise(BYTES)),
  foreign: (path) => writeFileSync(path, 'To be, or not to be\n'.repeat(BYTES / 16)),
  incomplete: (path) => poke(path, AT.magic, u64(0n)),
  'of an old layout': (path) => poke(path, AT.layoutVersion, u32(0)),
  'of a layout with another hash': (path) => poke(path, AT.layoutHash, u64(7n)),
  'for zero attachments': (path) => poke(path, AT.capacity, u32(0)),
  'for too many attachments': (path) => poke(path, AT.capacity, u32(0xffff_ffff)),
}

sandboxTest('an unused lock is created again if its memory is damaged or has an old layout', async (t) => {
  const box = await sandbox(t)
  const creator = await box.spawnChild()
  const user = await box.spawnChild()
  for (const [what, damage] of Object.entries(SEGMENT_DAMAGES)) {
    // Left without cleanup, as by a killed process.
    const { segment } = await leftOver(box, creator)
    damage(segment)
    const lock = await user.ask('open', { ref: NAME })
    t.truthy(await user.ask('tryWrite', { lock }), what)
    t.is(box.records().length, 1, what)
    t.is(box.segments().length, 1, what)
    t.is(statSync(box.segments()[0]).size, BYTES, what)
    await user.ask('close', { lock })
    t.deepEqual(box.leftOvers(), [], what)
  }
})

sandboxTest('remove() removes a damaged lock that is not in use', async (t) => {
  const box = await sandbox(t)
  const [creator, user] = await Promise.all([box.spawnChild(), box.spawnChild()])
  for (const [what, damage] of Object.entries(SEGMENT_DAMAGES)) {
    const { segment } = await leftOver(box, creator)
    damage(segment)
    await user.ask('remove', { ref: NAME })
    t.deepEqual(box.leftOvers(), [], what)
    t.false(await user.ask('remove', { ref: NAME }), what)
  }
})

/** Creates a lock in the state that a killed process leaves, without starting a process. */
async function leftOver(box, creator) {
  const lock = await creator.ask('open', { ref: NAME })
  const [record, segment] = [box.records()[0], box.segments()[0]]
  const [recordBytes, segmentBytes] = [readFileSync(record), readFileSync(segment)]
  await creator.ask('close', { lock })
  mkdirSync(dirname(record), { mode: 0o700 })
  writeFileSync(record, recordBytes, { mode: 0o600 })
  writeFileSync(segment, segmentBytes, { mode: 0o600 })
  return { record, segment }
}

sandboxTest('an unused lock is created again if its record is damaged', async (t) => {
  const box = await sandbox(t)
  const creator = await box.spawnChild()
  const user = await box.spawnChild()
  const precious = join(box.shm, 'precious')
  for (const [what, content] of Object.entries({
    empty: '',
    'cut off': (record) => record.subarray(0, 20),
    zeroed: (record) => Buffer.alloc(record.length),
    random: noise(100),
    'large and random': noise(100_000),
    foreign: '#!/bin/sh\nexit 0\n',
    'of an old version': (record) => String(record).replace('process-rwlock 1', 'process-rwlock 0'),
    'naming nothing': recordOf(''),
    'naming a file elsewhere': recordOf('../../../tmp/x'),
    'naming a file of another kind': recordOf('precious'),
    'naming memory of another user': recordOf('process-rwlock-4711-0123456789abcdef'),
  })) {
    writeFileSync(precious, 'precious')
    const { record, segment } = await leftOver(box, creator)
    rmSync(segment)
    writeFileSync(record, typeof content === 'function' ? content(readFileSync(record)) : content)
    const lock = await user.ask('open', { ref: NAME })
    t.truthy(await user.ask('tryWrite', { lock }), what)
    t.is(box.records().length, 1, what)
    t.is(box.segments().length, 1, what)
    await user.ask('close', { lock })
    t.deepEqual(box.leftOvers(), ['precious'], what)
    t.is(readFileSync(precious, 'utf8'), 'precious', what)
  }
})

sandboxTest('a record that names the memory of another lock does not damage that lock', async (t) => {
  const box = await sandbox(t)
  const [user, owner, third] = await Promise.all([box.spawnChild(), box.spawnChild(), box.spawnChild()])
  const { record, segment } = await leftOver(box, user)
  rmSync(segment)
  await owner.ask('hold', { ref: 'other', mode: 'write' })
  const [other] = box.records().filter((path) => path !== record)
  const folder = dirname(record)
  const id = readFileSync(other, 'utf8').split('\n')[1]

  for (const [what, content] of Object.entries({
    'under its own name': recordOf(id),
    'under the name of that lock': recordOf(id, 'other'),
  })) {
    mkdirSync(folder, { recursive: true })
    writeFileSync(record, content)
    const lock = await user.ask('open', { ref: NAME })
    t.truthy(await user.ask('tryWrite', { lock }), `${what}: they are two locks`)
    t.true(existsSync(box.segments().find((path) => path.endsWith(id)) ?? ''), `${what}: its memory is there`)
    await user.ask('close', { lock })
    t.true(existsSync(box.segments().find((path) => path.endsWith(id)) ?? ''), `${what}: and stays there`)
    const other = await third.ask('open', { ref: 'other' })
    t.is(await third.ask('tryRead', { lock: other }), null, `${what}: it is still held`)
    await third.ask('close', { lock: other })
  }
})

sandboxTest('memory that is damaged while in use is refused to newcomers, and not changed', async (t) => {
  const box = await sandbox(t)
  const [user, newcomer] = await Promise.all([box.spawnChild(), box.spawnChild()])
  for (const [what, damage] of Object.entries(SEGMENT_DAMAGES)) {
    // Users of truncated memory can only get a signal.
    const cut = /empty|cut/.test(what)
    const lock = await user.ask('open', { ref: NAME })
    const [segment] = box.segments()
    const good = readFileSync(segment)
    damage(segment)
    const before = readFileSync(segment)
    await refused(
      t,
      () => newcomer.ask('open', { ref: NAME }),
      what.includes('layout') ? 'ERR_LOCK_INCOMPATIBLE' : 'ERR_LOCK_CORRUPT',
      NAME,
      what.includes('layout') ? 'version' : /close|stop|remove/,
    )
    t.deepEqual(readFileSync(segment), before, what)
    if (!cut) {
      for (const op of ['tryRead', 'tryWrite', 'inspect']) {
        t.true(['done', 'ERR_LOCK_CORRUPT'].includes(await endOf(user.ask(op, { lock }))), what)
      }
    }
    // Repaired, it would continue; without repair the last close removes it.
    if (cut) writeFileSync(segment, good)
    await user.ask('close', { lock })
    const anew = await newcomer.ask('open', { ref: NAME })
    t.truthy(await newcomer.ask('tryWrite', { lock: anew }), what)
    await newcomer.ask('close', { lock: anew })
    t.deepEqual(box.leftOvers(), [], what)
  }
})

sandboxTest(
  'a record that is damaged while in use is refused to newcomers, and the users continue',
  async (t) => {
    const box = await sandbox(t)
    const [user, other, newcomer] = await Promise.all([box.spawnChild(), box.spawnChild(), box.spawnChild()])
    for (const [what, content] of Object.entries({
      zeroed: Buffer.alloc(60),
      random: noise(60),
      empty: '',
      foreign: 'To be, or not to be\n',
      'naming memory that is gone': recordOf(
        `process-rwlock-${process.geteuid?.() === 0 ? 0 : process.geteuid?.()}-0123456789abcdef`,
      ),
    })) {
      const locks = [await user.ask('open', { ref: NAME }), await other.ask('open', { ref: NAME })]
      const [record] = box.records()
      writeFileSync(record, content)
      await refused(t, () => newcomer.ask('open', { ref: NAME }), 'ERR_LOCK_CORRUPT')
      const { guard } = await user.ask('tryWrite', { lock: locks[0] })
      t.is(await other.ask('tryWrite', { lock: locks[1] }), null, what)
      await user.ask('release', { guard })
      t.truthy(await other.ask('tryWrite', { lock: locks[1] }), what)
      await user.ask('close', { lock: locks[0] })
      await other.ask('close', { lock: locks[1] })
      const anew = await newcomer.ask('open', { ref: NAME })
      t.truthy(await newcomer.ask('tryWrite', { lock: anew }), what)
      await newcomer.ask('close', { lock: anew })
      t.deepEqual(box.leftOvers(), [], what)
    }
  },
)

// ---- the private directory

sandboxTest('the directory of the locks is created with mode 700, with any umask', async (t) => {
  const box = await sandbox(t)
  for (const mask of [0o000, 0o022, 0o077]) {
    const child = await box.spawnChild()
    await child.ask('umask', { mask })
    await child.ask('open', { ref: NAME })
    const { mode, uid } = lstatSync(box.directory())
    t.is(mode & 0o7777, 0o700)
    t.is(uid, Number(process.geteuid?.()))
    await child.ask('close')
    rmSync(box.directory(), { recursive: true })
  }
})

sandboxTest(
  'a directory with permissions for other users is refused, and the error says what to do',
  async (t) => {
    const box = await sandbox(t)
    const child = await box.spawnChild()
    const dir = box.directory()
    for (const mode of [0o777, 0o755, 0o770, 0o701, 0o704, 0o1777]) {
      mkdirSync(dir)
      chmodSync(dir, mode)
      await refused(
        t,
        () => child.ask('open', { ref: NAME }),
        'ERR_LOCK_ACCESS',
        seenInside(box, dir),
        /mode/,
        '700',
      )
      t.deepEqual(box.leftOvers(), [])
      rmSync(dir, { recursive: true })
    }
    await worksAnew(t, box, 'once it is gone')
  },
)

/** The path of a file of the sandbox's /dev/shm inside the sandbox. */
const seenInside = (box, path) => path.replace(box.shm, '/dev/shm')

sandboxTest(
  'anything but a directory is refused and not followed, and the error says what to do',
  async (t) => {
    const box = await sandbox(t)
    const child = await box.spawnChild()
    const elsewhere = tempDir(t)
    const dir = box.directory()
    for (const [what, put] of Object.entries({
      'a file': () => writeFileSync(dir, 'precious'),
      'a symbolic link to a directory': () => symlinkSync(elsewhere, dir),
      'a symbolic link to nowhere': () => symlinkSync('/nowhere', dir),
      'a pipe': () => box.run('mkfifo', seenInside(box, dir)),
    })) {
      put()
      const before = lstatSync(dir).mode
      await refused(
        t,
        () => child.ask('open', { ref: NAME }),
        'ERR_LOCK_ACCESS',
        seenInside(box, dir),
        /not a directory/,
        /remove/,
      )
      t.is(lstatSync(dir).mode, before, what)
      for (const what of ['list', 'prune']) {
        await refused(t, () => child.ask(what), 'ERR_LOCK_ACCESS', seenInside(box, dir), /not a directory/)
      }
      rmSync(dir)
    }
    t.deepEqual(box.run('ls', elsewhere), '')
    await worksAnew(t, box, 'once it is gone')
  },
)

usersTest('a directory of another user is refused, and the error says what to do', async (t) => {
  const box = await sandbox(t)
  const nobody = await box.spawnChild({ user: NOBODY })
  const dir = box.directory(NOBODY)
  const STRANGER = 4711
  for (const [what, put] of Object.entries({
    'a directory': () => mkdirSync(dir, { mode: 0o700 }),
    'a directory for all users': () => {
      mkdirSync(dir)
      chmodSync(dir, 0o777)
    },
    'a file': () => writeFileSync(dir, ''),
    'a symbolic link': () => symlinkSync('/tmp', dir),
  })) {
    put()
    box.run('chown', '-h', `${STRANGER}:${STRANGER}`, seenInside(box, dir))
    const error = await refused(
      t,
      () => nobody.ask('open', { ref: NAME }),
      'ERR_LOCK_ACCESS',
      seenInside(box, dir),
      /remove/,
    )
    if (what.includes('directory')) t.true(error?.message.includes(String(STRANGER)), error?.message)
    await refused(t, () => nobody.ask('list'), 'ERR_LOCK_ACCESS', seenInside(box, dir))
    t.deepEqual(box.files(), [dir.slice(box.shm.length + 1)], what)
    rmSync(dir, { recursive: true })
  }
  t.is(await nobody.ask('open', { ref: NAME }), 0)
})

usersTest('root does not trust its directory if another user created it', async (t) => {
  const box = await sandbox(t)
  const child = await box.spawnChild()
  mkdirSync(box.directory(), { mode: 0o700 })
  chownSync(box.directory(), NOBODY, NOBODY)
  await refused(t, () => child.ask('open', { ref: NAME }), 'ERR_LOCK_ACCESS', String(NOBODY))
})

sandboxTest('a /dev/shm without write permission gives ERR_LOCK_ACCESS', async (t) => {
  const box = await sandbox(t)
  const child = await box.spawnChild()
  box.run('mount', '-o', 'remount,bind,ro', '/dev/shm')
  await refused(t, () => child.ask('open', { ref: NAME }), 'ERR_LOCK_ACCESS', '/dev/shm', /read-only/i)
  t.deepEqual(await child.ask('list'), [])
  t.is(await child.ask('remove', { ref: NAME }), false)
  box.run('mount', '-o', 'remount,bind,rw', '/dev/shm')
  t.is(await child.ask('open', { ref: NAME }), 0)
})

// ---- a full /dev/shm

sandboxTest(
  'a full /dev/shm gives ERR_LOCK_ACCESS and leaves nothing, and the lock works when there is room again',
  async (t) => {
    const box = await sandbox(t, { shm: 'size=80k' })
    const [first, second] = await Promise.all([box.spawnChild(), box.spawnChild()])
    await first.ask('hold', { ref: 'first', mode: 'write' })
    const before = box.files()
    for (const options of [undefined, { capacity: MAX_CAPACITY }]) {
      await refused(
        t,
        () => second.ask('open', { ref: NAME, options }),
        'ERR_LOCK_ACCESS',
        NAME,
        /no space left/i,
      )
      t.deepEqual(box.files(), before)
    }
    // A small lock still fits, and works.
    const small = await second.ask('open', { ref: 'small', options: { capacity: 2 } })
    t.truthy(await second.ask('tryWrite', { lock: small }))
    await second.ask('close', { lock: small })

    // The existing lock has all its pages, however full /dev/shm gets.
    box.run('sh', '-c', 'cat /dev/zero 2>/dev/null > /dev/shm/filler || true')
    await refused(t, () => second.ask('open', { ref: NAME }), 'ERR_LOCK_ACCESS', NAME, /no space left/i)
    const same = await second.ask('open', { ref: 'first' })
    const waits = second.ask('acquireWrite', { lock: same })
    await first.ask('release')
    t.is((await waits).mode, 'write')
    await second.ask('close', { lock: same })
    await first.ask('close')
    t.deepEqual(box.leftOvers(), ['filler'])

    rmSync(join(box.shm, 'filler'))
    await worksAnew(t, box, 'once there is room')
  },
)

sandboxTest(
  'a /dev/shm without room for one more file gives ERR_LOCK_ACCESS and leaves nothing',
  async (t) => {
    const box = await sandbox(t, { shm: 'size=1m,nr_inodes=3' })
    const child = await box.spawnChild()
    await refused(t, () => child.ask('open', { ref: NAME }), 'ERR_LOCK_ACCESS', NAME, /no space left/i)
    t.deepEqual(box.leftOvers(), [])
  },
)

// ---- leftovers of killed processes

sandboxTest('a later process removes the leftovers of killed processes', async (t) => {
  const box = await sandbox(t)
  const [one, two] = await Promise.all([box.spawnChild(), box.spawnChild()])
  await one.ask('open', { ref: 'idle' })
  await one.ask('hold', { ref: 'reading', mode: 'read' })
  await one.ask('hold', { ref: 'upgradable', mode: 'upgradable' })
  for (const [ref, mode] of [
    ['waiting', 'upgradable'],
    ['draining', 'read'],
  ]) {
    await two.ask('hold', { ref, mode })
    await one.ask('open', { ref })
    one.tell('acquireWrite')
    await waitFor(async () => (await two.ask('inspect')).waiters.length === 1)
  }
  await Promise.all([one.kill(), two.kill()])
  t.is(box.records().length, 5)
  await swept(t, box)
})

/**
 * Later processes remove all leftovers. The cleanup of each lasts only a few milliseconds, in which
 * it may get no processor time.
 */
async function swept(t, box) {
  await waitFor(async () => {
    await comesAndGoes(box)
    return box.leftOvers().length === 0
  })
  t.deepEqual(box.leftOvers(), [])
}

/** A later process opens and closes another lock. */
async function comesAndGoes(box) {
  const later = await box.spawnChild()
  await later.ask('open', { ref: 'another lock' })
  await later.ask('close')
  await later.kill()
}

sandboxTest('the cleanup keeps locks in use, and an unreported death of a writer', async (t) => {
  const box = await sandbox(t)
  const [dead, live] = await Promise.all([box.spawnChild(), box.spawnChild()])
  await dead.ask('hold', { ref: 'written', mode: 'write' })
  await dead.ask('hold', { ref: 'shared', mode: 'read' })
  await live.ask('open', { ref: 'shared' })
  const holding = await live.ask('hold', { ref: 'held', mode: 'write' })
  await dead.kill()
  await comesAndGoes(box)
  const later = await box.spawnChild()
  const seen = await later.ask('list')
  t.deepEqual(seen.map(({ name }) => name).toSorted(), ['held', 'shared', 'written'])
  t.is(seen.find(({ name }) => name === 'held').token, holding.token)
  const { ownerDied } = await later.ask('hold', { ref: 'written', mode: 'write' })
  t.is(ownerDied.pid, dead.pid)
  // It was reported, and a write hold ended normally: now nothing is left of it.
  await later.ask('release')
  await later.ask('close')
  t.is(box.records().length, 2)
})

sandboxTest(
  'the cleanup removes an anonymous lock whose writer died, because no process can open it',
  async (t) => {
    const box = await sandbox(t)
    const dead = await box.spawnChild()
    const lock = await dead.ask('open', {})
    const { name } = await dead.ask('toJSON', { lock })
    await dead.ask('acquireWrite', { lock })
    // While it is open anywhere it stays, with its ownerDied.
    const live = await box.spawnChild()
    await live.ask('open', { ref: name })
    await dead.kill()
    await comesAndGoes(box)
    t.is((await live.ask('tryRead'))?.ownerDied.pid, dead.pid)
    await live.kill()
    await swept(t, box)
  },
)

sandboxTest('with durable: false, the last close removes a lock even if its writer died', async (t) => {
  const box = await sandbox(t)
  const [creator, dead, later] = await Promise.all([box.spawnChild(), box.spawnChild(), box.spawnChild()])
  await creator.ask('open', { ref: NAME, options: { durable: false } })
  await dead.ask('open', { ref: NAME, options: { durable: true } })
  await dead.ask('acquireWrite')
  await dead.kill()
  t.is((await creator.ask('tryRead'))?.ownerDied.pid, dead.pid, 'it is reported while the lock is open')
  await creator.ask('close')
  t.deepEqual(box.leftOvers(), [])
  await later.ask('open', { ref: NAME, options: { durable: false } })
  t.is((await later.ask('acquireWrite')).ownerDied, null)
  // The cleanup does the same after a process that closed nothing.
  await later.kill()
  await swept(t, box)
})

sandboxTest("the creator's durable is used, whatever a later process asks for", async (t) => {
  const box = await sandbox(t)
  for (const durable of [true, undefined]) {
    const [dead, other] = await Promise.all([box.spawnChild(), box.spawnChild()])
    await dead.ask('open', { ref: NAME, options: durable === undefined ? {} : { durable } })
    const { token } = await dead.ask('acquireWrite')
    await other.ask('open', { ref: NAME, options: { durable: false } })
    await dead.kill()
    await other.ask('close')
    t.is(box.records().length, 1, 'the last close keeps the report')
    const later = await box.spawnChild()
    const { ownerDied } = await later.ask('hold', { ref: NAME, mode: 'write' })
    t.like(ownerDied, { pid: dead.pid, token })
    await later.ask('release')
    await later.ask('close')
    t.deepEqual(box.leftOvers(), [])
  }
})

sandboxTest('prune() removes unused locks, and those whose writer died only on demand', async (t) => {
  const box = await sandbox(t)
  const [dead, live, later] = await Promise.all([box.spawnChild(), box.spawnChild(), box.spawnChild()])
  t.is(await live.ask('prune'), 0)
  for (const mode of ['read', 'write']) await dead.ask('hold', { ref: mode, mode })
  await dead.ask('hold', { ref: 'in use', mode: 'write' })
  await live.ask('open', { ref: 'in use' })
  await later.ask('open', { ref: 'its first, which sweeps' })
  await dead.kill()
  const names = async () => (await live.ask('list')).map(({ name }) => name).toSorted()
  t.deepEqual(await names(), ['in use', 'its first, which sweeps', 'read', 'write'])
  t.is(await live.ask('prune'), 1)
  t.deepEqual(await names(), ['in use', 'its first, which sweeps', 'write'])
  t.is(await live.ask('prune', { options: { ownerDied: false } }), 0)
  t.is(await live.ask('prune', { options: { ownerDied: true } }), 1)
  t.deepEqual(await names(), ['in use', 'its first, which sweeps'])
  t.is((await live.ask('tryWrite'))?.ownerDied.pid, dead.pid, 'what is open keeps its report')
  await refused(
    t,
    () => live.ask('prune', { options: { ownerDied: 1 } }),
    'ERR_INVALID_ARG_TYPE',
    'ownerDied',
  )
  await refused(t, () => live.ask('prune', { options: 7 }), 'ERR_INVALID_ARG_TYPE', 'options')
})

sandboxTest('a lock that cannot be removed keeps its record and memory until it can', async (t) => {
  const box = await sandbox(t)
  const child = await box.spawnChild()
  const lock = await child.ask('open', { ref: NAME })
  // A mount point is busy: it cannot be unlinked.
  const memory = seenInside(box, box.segments()[0])
  box.run('mount', '--bind', memory, memory)
  await child.ask('close', { lock })
  t.is(box.records().length, 1)
  t.is(box.segments().length, 1, 'its memory is there as long as its record')
  t.deepEqual(await child.ask('list'), [], 'and it is no lock any more')
  await refused(t, () => child.ask('open', { ref: NAME }), 'ERR_LOCK_ACCESS', /delete/)
  box.run('umount', memory)
  t.truthy(await child.ask('hold', { ref: NAME, mode: 'write' }))
  t.is(box.segments().length, 1)
  await child.ask('release')
  await child.ask('close')
  t.deepEqual(box.leftOvers(), [])
})

sandboxTest('the cleanup keeps the locks of another version of the package', async (t) => {
  const box = await sandbox(t)
  const dead = await box.spawnChild()
  await dead.ask('hold', { ref: 'of another version', mode: 'write' })
  const [segment] = box.segments()
  await dead.kill()
  const version = readFileSync(segment).readUInt32LE(AT.layoutVersion)
  poke(segment, AT.layoutVersion, u32(version + 1))
  await comesAndGoes(box)
  t.deepEqual(box.segments(), [segment])
  poke(segment, AT.layoutVersion, u32(version))
  const later = await box.spawnChild()
  const { ownerDied } = await later.ask('hold', { ref: 'of another version', mode: 'write' })
  t.is(ownerDied.pid, dead.pid)
})

/**
 * Each process cleans up for some milliseconds at most. Runs some of them, until only the records
 * in use are left.
 */
async function sweptBySome(box, inUse) {
  for (let process = 0; process < 20 && box.records().length > inUse; process++) await comesAndGoes(box)
}

sandboxTest('the next few processes remove many leftovers', async (t) => {
  const box = await sandbox(t)
  const dead = await box.spawnChild()
  await Promise.all(Array.from({ length: 150 }, (_, n) => dead.ask('open', { ref: `left ${n}` })))
  await dead.kill()
  t.is(box.records().length, 150)
  await sweptBySome(box, 0)
  t.deepEqual(box.leftOvers(), [])
})

sandboxTest('leftovers are removed with any number of locks in use', async (t) => {
  const box = await sandbox(t)
  const [dead, live] = await Promise.all([box.spawnChild(), box.spawnChild()])
  await dead.ask('open', { ref: 'before them' })
  await Promise.all(Array.from({ length: 150 }, (_, n) => live.ask('open', { ref: `in use ${n}` })))
  await dead.ask('open', { ref: 'after them' })
  await dead.kill()
  await sweptBySome(box, 150)
  t.is(box.records().length, 150)
  t.is(box.segments().length, 150)
})

// ---- fencing tokens

sandboxTest('tokens grow when a lock is created again immediately after its removal', async (t) => {
  const box = await sandbox(t)
  const child = await box.spawnChild()
  let last = 0n
  for (let life = 0; life < 300; life++) {
    const lock = await child.ask('open', { ref: NAME })
    const { token } = await child.ask('tryWrite', { lock })
    t.true(token > last)
    last = token
    await child.ask('close', { lock })
  }
  t.deepEqual(box.leftOvers(), [])
})

/** ns ahead of the clock, as if the clock had been set back since. */
const AN_HOUR = 3600n * 10n ** 9n
const ahead = () => BigInt(Date.now()) * 10n ** 6n + AN_HOUR

sandboxTest(
  'tokens grow when a lock is created again, even if the clock was set back meanwhile',
  async (t) => {
    const box = await sandbox(t)
    const child = await box.spawnChild()
    const open = async (options) => {
      const lock = await child.ask('open', { ref: NAME, options })
      const { token, guard } = await child.ask('tryWrite', { lock })
      await child.ask('release', { guard })
      return { lock, token }
    }
    const ends = {
      'by closing': ({ lock }) => child.ask('close', { lock }),
      'by remove()': async ({ lock }) => {
        const files = [box.records()[0], box.segments()[0]].map(
          (path) => /** @type {const} */ ([path, readFileSync(path)]),
        )
        await child.ask('close', { lock })
        mkdirSync(dirname(files[0][0]), { mode: 0o700 })
        for (const [path, bytes] of files) writeFileSync(path, bytes, { mode: 0o600 })
        t.true(await child.ask('remove', { ref: NAME }))
      },
      'by a sweep after SIGKILL': async ({ lock }) => {
        const dead = await box.spawnChild()
        await dead.ask('open', { ref: NAME })
        await child.ask('close', { lock })
        await dead.kill()
        await swept(t, box)
      },
      'by another capacity after SIGKILL': async ({ lock }) => {
        const dead = await box.spawnChild()
        await dead.ask('open', { ref: NAME })
        await child.ask('close', { lock })
        await dead.kill()
        await child.ask('close', { lock: await child.ask('open', { ref: NAME, options: { capacity: 3 } }) })
      },
    }
    for (const [what, end] of Object.entries(ends)) {
      const life = await open()
      // It was created and written when the clock was ahead of now.
      const then = ahead()
      poke(box.segments()[0], AT.lastToken, u64(then))
      await end(life)
      const next = await open()
      t.true(next.token > then, `${what}: ${next.token} after ${then}`)
      await child.ask('close', { lock: next.lock })
      rmSync(box.directory(), { recursive: true })
    }
  },
)

sandboxTest(
  'tokens of a path grow when it is removed and created again, even if the clock was set back',
  async (t) => {
    const box = await sandbox(t)
    const path = join(tempDir(t), 'lock')
    const child = await box.spawnChild()
    const first = await child.ask('open', { ref: { path } })
    await child.ask('close', { lock: first })
    const then = ahead()
    poke(path, AT.lastToken, u64(then))
    t.true(await child.ask('remove', { ref: { path } }))
    const lock = await child.ask('open', { ref: { path } })
    const { token } = await child.ask('tryWrite', { lock })
    t.true(token > then, `${token} after ${then}`)
  },
)

sandboxTest('tokens are above the token floor in its file, even if that is ahead of the clock', async (t) => {
  const box = await sandbox(t)
  const child = await box.spawnChild()
  await child.ask('open', { ref: NAME })
  await child.ask('close')
  let last = ahead()
  writeFileSync(join(box.directory(), 'token-floor'), u64(last))
  for (let life = 0; life < 5; life++) {
    await child.ask('open', { ref: life % 2 ? NAME : 'another lock' })
    const { token } = await child.ask('tryWrite')
    t.true(token > last)
    t.true(token < last + AN_HOUR)
    last = token
    await child.ask('close')
  }
})

sandboxTest('a damaged token-floor file stops neither locks nor their tokens from growing', async (t) => {
  const box = await sandbox(t)
  const child = await box.spawnChild()
  await child.ask('open', { ref: NAME })
  await child.ask('close')
  const floor = join(box.directory(), 'token-floor')
  for (const [what, put] of Object.entries({
    'it is gone': () => rmSync(floor),
    'it is empty': () => writeFileSync(floor, ''),
    'it is cut off': () => writeFileSync(floor, 'abc'),
    'it is zeroed': () => writeFileSync(floor, Buffer.alloc(8)),
    'it is a text': () => writeFileSync(floor, 'To be, or not to be\n'),
    'it is as great as can be': () => writeFileSync(floor, u64(2n ** 64n - 1n)),
    'it is a directory': () => {
      rmSync(floor, { force: true })
      mkdirSync(floor)
    },
  })) {
    put()
    let last = 0n
    for (let life = 0; life < 3; life++) {
      const lock = await child.ask('open', { ref: NAME })
      for (let hold = 0; hold < 3; hold++) {
        const { token, guard } = await child.ask('tryWrite', { lock })
        t.true(token > last, `${what}: ${token} after ${last}`)
        t.true(token < 2n ** 64n, what)
        t.is((await child.ask('inspect', { lock })).token, token, what)
        last = token
        await child.ask('release', { guard })
      }
      await child.ask('close', { lock })
    }
    rmSync(floor, { recursive: true, force: true })
  }
})
