// Locks of several users of the machine.
import { spawnSync } from 'node:child_process'
import { chmodSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import ava from 'ava'
import { cleanUp } from '../helpers/cleanup.js'
import { afterDeath, openLock, test as run, spawnChild, tempDir, uniqueName } from '../helpers/index.js'
import { queued } from '../helpers/observe.js'

// User ids that are probably not in use.
const [ALICE, BOB] = [61_217, 61_218]

const why = whyNot()
/** @type {typeof run} */
const test = why === null ? run : (title) => ava.skip(`${title} (${why})`, () => {})

for (const [what, mode] of /** @type {Array<[string, number]>} */ ([
  ['a folder of its own', 0o755],
  ['a folder that all users share, like /tmp', 0o1777],
])) {
  test(`users share a lock by a file that both may write, in ${what}`, async (t) => {
    const path = join(openDir(t, mode), 'lock')
    writeFileSync(path, '')
    chmodSync(path, 0o666)
    const [alice, bob] = [await spawnAs(t, ALICE), await spawnAs(t, BOB)]
    for (const child of [alice, bob]) await child.ask('open', { ref: { path } })
    const lock = openLock(t, { path })
    for (const [first, second] of [
      [alice, bob],
      [bob, alice],
    ]) {
      await first.ask('acquireWrite')
      t.is(await second.ask('tryRead'), null)
      t.is(lock.tryWrite(), null)
      const answer = second.ask('acquireWrite')
      await queued(lock, second)
      await first.ask('release')
      t.is((await answer).ownerDied, null)
      await second.ask('release')
    }
    await alice.ask('acquireRead')
    await bob.ask('acquireRead')
    t.deepEqual(
      lock
        .inspect()
        .holders.map(({ pid }) => pid)
        .sort(),
      [alice.pid, bob.pid].sort(),
    )
  })
}

test('a waiter of one user is granted, with ownerDied, when the holder of another user is killed', async (t) => {
  const path = join(openDir(t, 0o755), 'lock')
  writeFileSync(path, '')
  chmodSync(path, 0o666)
  const [alice, bob] = [await spawnAs(t, ALICE), await spawnAs(t, BOB)]
  const lock = openLock(t, { path })
  await bob.ask('open', { ref: { path } })
  const { token } = await alice.ask('hold', { ref: { path }, mode: 'write', options: { label: 'rebuild' } })
  const answer = bob.ask('acquireWrite')
  await queued(lock, bob)
  const start = performance.now()
  const end = alice.kill().then(() => performance.now() - start)
  const { ownerDied } = await answer
  const time = performance.now() - start
  t.true(time < afterDeath(100, [await end]), `${time} ms`)
  t.deepEqual(ownerDied, { pid: alice.pid, threadId: 0, label: 'rebuild', token })
})

test('a lock that one user created in a shared folder with permissions for all is open to all', async (t) => {
  const path = join(openDir(t, 0o1777), 'lock')
  const [alice, bob] = [await spawnAs(t, ALICE), await spawnAs(t, BOB)]
  await alice.ask('hold', { ref: { path }, mode: 'write' })
  chmodSync(path, 0o666)
  await bob.ask('open', { ref: { path } })
  t.is(await bob.ask('tryWrite'), null)
  await alice.ask('release')
  t.is((await bob.ask('tryWrite')).mode, 'write')
})

test('a user cannot open a lock file without write permission', async (t) => {
  const path = join(openDir(t, 0o755), 'lock')
  const lock = openLock(t, { path })
  const bob = await spawnAs(t, BOB)
  for (const mode of [0o600, 0o644]) {
    chmodSync(path, mode)
    await t.throwsAsync(bob.ask('open', { ref: { path } }), { code: 'ERR_LOCK_ACCESS' })
  }
  t.truthy(lock.tryWrite())
})

test('the same name is a different lock for each user', async (t) => {
  const name = uniqueName(t)
  const lock = openLock(t, name)
  const children = [await spawnAs(t, ALICE), await spawnAs(t, BOB)]
  const guard = await lock.acquireWrite()
  for (const child of children) {
    t.is((await child.ask('hold', { ref: name, mode: 'write' })).mode, 'write')
    const [snapshot] = await child.ask('list')
    t.like(snapshot, { name, holders: [{ pid: child.pid, mode: 'write' }] })
  }
  t.is(lock.inspect().holders.length, 1)
  guard.release()
  // A user cannot remove the lock of another.
  const late = await spawnAs(t, BOB)
  await children[1].ask('close')
  t.false(await late.ask('remove', { ref: name }))
  await t.throwsAsync(children[0].ask('remove', { ref: name }), { code: 'ERR_LOCK_BUSY' })
})

/** A process of another user, which leaves no files of that user. */
async function spawnAs(t, uid) {
  cleanUp(t, 'files', () => {
    for (const file of filesOf(uid)) rmSync(file, { recursive: true, force: true })
  })
  return spawnChild(t, { uid, gid: uid, cwd: '/' })
}

/** The files of the named locks of a user. */
function filesOf(uid) {
  const start = `process-rwlock-${uid}`
  return readdirSync('/dev/shm')
    .filter((file) => file === start || file.startsWith(`${start}-`))
    .map((file) => join('/dev/shm', file))
}

function openDir(t, mode) {
  const dir = tempDir(t)
  chmodSync(dir, mode)
  return dir
}

/** The reason why this test cannot use other users; `null` if it can. */
function whyNot() {
  if (process.platform !== 'linux') return 'it reads /dev/shm'
  if (process.getuid?.() !== 0) return 'only root can run processes as other users'
  if ([ALICE, BOB].some((uid) => filesOf(uid).length > 0)) return 'their locks are in use'
  const script = fileURLToPath(new URL('../helpers/child.js', import.meta.url))
  const { status, stderr } = spawnSync(process.execPath, [script], {
    uid: BOB,
    gid: BOB,
    cwd: '/',
    encoding: 'utf8',
  })
  return status === 0 ? null : `other users cannot run this checkout: ${stderr.trim().split('\n').at(-1)}`
}
