// inspect(), RWLock.list() and RWLock.remove().
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { RWLock } from 'process-rwlock'
import { childPool } from '../helpers/child-pool.js'
import { openLock, spawnThread, tempDir, test, uniqueName, waitFor } from '../helpers/index.js'
import { DEFAULT_CAPACITY } from '../helpers/limits.js'
import { acquire, MODES, ops } from '../helpers/modes.js'

const pooledChild = childPool()

// ---- inspect

test('inspect() of a free lock shows no holders and no waiters', (t) => {
  const name = uniqueName(t)
  const { token, ...seen } = openLock(t, name).inspect()
  t.deepEqual(seen, {
    name,
    holders: [],
    waiters: [],
    contended: false,
    ownerDied: null,
    capacity: DEFAULT_CAPACITY,
    maxReaders: null,
    value: null,
    valueToken: null,
  })
  t.is(typeof token, 'bigint')
})

test('inspect() of a lock by path shows the path instead of the name', (t) => {
  const path = join(tempDir(t), 'x.lock')
  const { token, ...seen } = openLock(t, { path }, { capacity: 9 }).inspect()
  t.deepEqual(seen, {
    path,
    holders: [],
    waiters: [],
    contended: false,
    ownerDied: null,
    capacity: 9,
    maxReaders: null,
    value: null,
    valueToken: null,
  })
  t.is(typeof token, 'bigint')
})

test('the death of a writer is reported even if no other process had the lock open', async (t) => {
  const name = uniqueName(t)
  const child = await pooledChild(t)
  const { token } = await child.ask('hold', { ref: name, mode: 'write', options: { label: 'rebuild' } })
  await child.kill()
  const ownerDied = { pid: child.pid, threadId: 0, label: 'rebuild', token }
  const listed = () => RWLock.list().find((seen) => seen.name === name)
  await waitFor(() => listed()?.ownerDied)
  t.like(listed(), { name, holders: [], waiters: [], contended: false, ownerDied })
  const lock = openLock(t, name)
  await lock.write((guard) => t.deepEqual(guard.ownerDied, ownerDied))
  lock.close()
  t.is(listed(), undefined)
})

test('a function that throws leaves ownerDied as it was when the function began', async (t) => {
  const name = uniqueName(t)
  const lock = openLock(t, name)
  const thrown = () => {
    throw new Error('thrown')
  }
  await t.throwsAsync(lock.write(thrown), { message: 'thrown' })
  t.is(lock.inspect().ownerDied, null)
  t.throws(() => lock.writeSync(thrown), { message: 'thrown' })
  t.is(lock.inspect().ownerDied, null)

  const child = await pooledChild(t)
  await child.ask('hold', { ref: name, mode: 'write' })
  await child.kill()
  await waitFor(() => lock.inspect().ownerDied !== null)
  await t.throwsAsync(lock.write(thrown), { message: 'thrown' })
  t.is(lock.inspect().ownerDied?.pid, child.pid)
  t.throws(() => lock.writeSync(thrown), { message: 'thrown' })
  t.is(lock.inspect().ownerDied?.pid, child.pid)
  await t.throwsAsync(
    lock.upgradable(async (guard) => {
      await guard.upgrade()
      t.is(guard.ownerDied?.pid, child.pid)
      thrown()
    }),
    { message: 'thrown' },
  )
  t.is(lock.inspect().ownerDied?.pid, child.pid)
  // A downgrade also ends a write hold normally.
  const guard = await lock.acquireWrite()
  guard.downgrade()
  t.is(lock.inspect().ownerDied, null)
  guard.release()
})

// ---- RWLock.list

test('RWLock.list() gives the inspect() result of every named lock, and of no lock by path', async (t) => {
  const [a, b] = [uniqueName(t), uniqueName(t)]
  const path = join(tempDir(t), 'x.lock')
  const lock = openLock(t, a, { capacity: 3 })
  openLock(t, { path })
  const child = await pooledChild(t)
  await child.ask('hold', { ref: b, mode: 'write', options: { label: 'rebuild' } })
  await lock.acquireRead()

  const list = RWLock.list()
  t.false(list.some((seen) => seen.path !== undefined || seen.name === path))
  const strip = ({ holders, ...rest }) => ({ ...rest, holders: holders.map(({ ms, ...party }) => party) })
  const ofA = list.filter(({ name }) => name === a)
  t.is(ofA.length, 1)
  t.deepEqual(strip(ofA[0]), strip(lock.inspect()))
  t.like(
    list.filter(({ name }) => name === b),
    [
      {
        capacity: DEFAULT_CAPACITY,
        ownerDied: null,
        holders: [{ pid: child.pid, mode: 'write', count: 1, label: 'rebuild' }],
      },
    ],
  )
})

test('RWLock.list() neither opens a lock nor keeps one in existence', async (t) => {
  const name = uniqueName(t)
  const lock = openLock(t, name, { capacity: 1 })
  RWLock.list()
  const child = await pooledChild(t)
  await child.ask('list')
  lock.close()
  t.false(RWLock.list().some((seen) => seen.name === name))
})

// ---- RWLock.remove

test('RWLock.remove() of a lock that does not exist is false', (t) => {
  t.false(RWLock.remove(uniqueName(t)))
  t.false(RWLock.remove({ name: uniqueName(t) }))
  t.false(RWLock.remove({ path: join(tempDir(t), 'nothing.lock') }))
  t.false(RWLock.remove({ path: join(tempDir(t), 'no', 'such', 'folder', 'x.lock') }))
})

test('RWLock.remove() does not create a lock', (t) => {
  const name = uniqueName(t)
  const path = join(tempDir(t), 'nothing.lock')
  RWLock.remove(name)
  RWLock.remove({ path })
  t.false(RWLock.list().some((seen) => seen.name === name))
  t.false(existsSync(path))
})

for (const where of ['named', 'path']) {
  test(`RWLock.remove() of a ${where} lock that is open anywhere gives ERR_LOCK_BUSY and names the process`, async (t) => {
    const ref = where === 'named' ? uniqueName(t) : { path: join(tempDir(t), 'x.lock') }
    const lock = openLock(t, ref)
    const busy = (pid) => {
      const error = t.throws(() => RWLock.remove(ref), { code: 'ERR_LOCK_BUSY', name: 'LockError' })
      t.true(error?.message.includes(`${pid}`), error?.message)
    }
    busy(process.pid)
    const child = await pooledChild(t)
    await child.ask('open', { ref })
    const thread = await spawnThread(t)
    await thread.ask('open', { ref })
    await t.throwsAsync(child.ask('remove', { ref }), { code: 'ERR_LOCK_BUSY' })
    lock.close()
    busy(child.pid)
    await child.ask('close')
    busy(thread.pid)
    await thread.ask('close')
    t.is(RWLock.remove(ref), where === 'path')
    t.false(RWLock.remove(ref))
  })

  test(`RWLock.remove() of a ${where} lock does not affect its holders`, async (t) => {
    const ref = where === 'named' ? uniqueName(t) : { path: join(tempDir(t), 'x.lock') }
    const lock = openLock(t, ref)
    const child = await pooledChild(t)
    for (const mode of MODES) {
      const guard = await acquire[mode](lock)
      await t.throwsAsync(child.ask('remove', { ref }), { code: 'ERR_LOCK_BUSY' })
      t.like(lock.inspect(), { holders: [{ mode }], waiters: [] })
      guard.release()
    }
    t.is(await lock.write(() => 'works'), 'works')
  })

  test(`RWLock.remove() of a ${where} lock whose writer died clears ownerDied`, async (t) => {
    const ref = where === 'named' ? uniqueName(t) : { path: join(tempDir(t), 'x.lock') }
    const child = await pooledChild(t)
    const { token } = await child.ask('hold', { ref, mode: 'write' })
    await child.kill()
    t.true(
      await waitFor(() => {
        try {
          return RWLock.remove(ref)
        } catch (error) {
          if (error.code !== 'ERR_LOCK_BUSY') throw error
          return false
        }
      }),
    )
    const lock = openLock(t, ref)
    t.is(lock.inspect().ownerDied, null)
    t.true((await lock.write((guard) => guard.token)) > token)
  })
}

test('RWLock.remove() of a path removes the file, given as string or URL', (t) => {
  const path = join(tempDir(t), 'x.lock')
  for (const ref of [{ path }, { path: pathToFileURL(path) }]) {
    openLock(t, ref).close()
    t.true(existsSync(path))
    t.true(RWLock.remove(ref))
    t.false(existsSync(path))
  }
})

test('RWLock.remove() does not remove a file that is not a lock', (t) => {
  const dir = tempDir(t)
  const file = join(dir, 'data')
  writeFileSync(file, 'precious '.repeat(1000))
  t.throws(() => RWLock.remove({ path: file }), { code: 'ERR_LOCK_CORRUPT' })
  t.is(readFileSync(file, 'utf8'), 'precious '.repeat(1000))
  mkdirSync(join(dir, 'folder'))
  const error = t.throws(() => RWLock.remove({ path: join(dir, 'folder') }))
  t.regex(/** @type {any} */ (error).code, /^ERR_LOCK_(CORRUPT|ACCESS)$/)
  t.true(existsSync(join(dir, 'folder')))
})

test('after RWLock.remove() the same name is a new lock', async (t) => {
  const path = join(tempDir(t), 'x.lock')
  openLock(t, { path }, { capacity: 3 }).close()
  t.true(RWLock.remove({ path }))
  const lock = openLock(t, { path }, { capacity: 5 })
  t.is(lock.inspect().capacity, 5)
  const child = await pooledChild(t)
  await child.ask('open', { ref: { path } })
  await lock.acquireWrite()
  for (const mode of MODES) t.is(await child.ask(ops[mode].try), null)
})
