// Opening and closing a lock: by name, by path, anonymous, twice, with limits.
import { readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { RWLock } from 'process-rwlock'
import { childPool } from '../helpers/child-pool.js'
import { cleanUp } from '../helpers/cleanup.js'
import {
  openLock,
  spawnChild,
  spawnThread,
  tempDir,
  test,
  uniqueName,
  unlessEmulated,
  waitFor,
} from '../helpers/index.js'
import { opening } from '../loading/opening.js'

const pooledChild = childPool()

const isListed = (name) => RWLock.list().some((lock) => lock.name === name)

const linkTest = unlessEmulated('there are no symbolic links', { under: ['wine'] })
// On Windows it is the title of the console.
const titleTest = unlessEmulated('a process has no title', { under: ['wine'] })

// ---- references

test('a string and { name } open the same lock', async (t) => {
  const name = uniqueName(t)
  const byString = openLock(t, name)
  const byObject = openLock(t, { name })

  const guard = await byString.acquireWrite()
  t.is(byObject.tryRead(), null)
  guard.release()
  t.is(byObject.tryRead()?.mode, 'read')
})

test('a name opens the same lock in every process', async (t) => {
  const name = uniqueName(t)
  const lock = openLock(t, name)
  const child = await pooledChild(t)

  await child.ask('hold', { ref: name, mode: 'write' })
  t.is(lock.tryRead(), null)
  await child.ask('release')
  t.is(lock.tryRead()?.mode, 'read')
})

test('a name opens the same lock in every worker thread', async (t) => {
  const name = uniqueName(t)
  const lock = openLock(t, name)
  const worker = await spawnThread(t)

  await worker.ask('hold', { ref: name, mode: 'write' })
  t.is(lock.tryRead(), null)
  await worker.ask('release')
  t.is(lock.tryRead()?.mode, 'read')
})

test('different names are different locks', async (t) => {
  const [a, b] = [openLock(t), openLock(t)]
  const guard = await a.acquireWrite()
  t.is(b.tryWrite()?.mode, 'write')
  guard.release()
})

test('a path given as a string and as a URL is the same lock, in every process', async (t) => {
  const path = join(tempDir(t), 'file.lock')
  const byString = openLock(t, { path })
  const byUrl = openLock(t, { path: pathToFileURL(path) })
  const child = await pooledChild(t)
  await child.ask('open', { ref: { path } })

  const guard = await byString.acquireWrite()
  t.is(byUrl.tryRead(), null)
  t.is(await child.ask('tryRead'), null)
  guard.release()
  t.is(byUrl.tryRead()?.mode, 'read')
  t.is((await child.ask('tryRead')).mode, 'read')
})

test('a relative path is resolved against the working directory of the opening process', async (t) => {
  const dir = tempDir(t)
  const lock = openLock(t, { path: join(dir, 'here.lock') })
  const child = await spawnChild(t, { cwd: dir })
  await child.ask('open', { ref: { path: 'here.lock' } })

  t.deepEqual(await child.ask('toJSON'), { path: join(dir, 'here.lock') })
  const guard = await lock.acquireWrite()
  t.is(await child.ask('tryRead'), null)
  guard.release()
})

linkTest('a path through a symbolic link is the lock at its target', async (t) => {
  const dir = tempDir(t)
  const lock = openLock(t, { path: join(dir, 'real.lock') })
  symlinkSync(join(dir, 'real.lock'), join(dir, 'link.lock'))
  const link = openLock(t, { path: join(dir, 'link.lock') })

  const guard = await lock.acquireWrite()
  t.is(link.tryRead(), null)
  guard.release()
})

test('the lock file is created if it is missing, and stays after the lock closes', async (t) => {
  const path = join(tempDir(t), 'file.lock')
  const lock = openLock(t, { path })
  t.true(statSync(path).isFile())
  await lock.write(() => {})
  lock.close()
  t.true(statSync(path).isFile())
  t.is(await openLock(t, { path }).read(() => 'opened again'), 'opened again')
})

test('opening a lock file does not affect other files in the folder', async (t) => {
  const dir = tempDir(t)
  writeFileSync(join(dir, 'data'), 'precious')
  const lock = openLock(t, { path: join(dir, 'file.lock') })
  await lock.write(() => {})
  await lock.read(() => {})
  lock.close()
  t.deepEqual(readdirSync(dir).sort(), ['data', 'file.lock'])
  t.is(readFileSync(join(dir, 'data'), 'utf8'), 'precious')
})

// ---- anonymous

test('without a reference every lock is a different lock', (t) => {
  const [a, b] = [openAnonymous(t), openAnonymous(t)]
  t.notDeepEqual(a.toJSON(), b.toJSON())
  t.is(a.tryWrite()?.mode, 'write')
  t.is(b.tryWrite()?.mode, 'write')
})

test('an anonymous lock accepts options', (t) => {
  const lock = openAnonymous(t, { capacity: 3 })
  t.is(lock.inspect().capacity, 3)
})

test('toJSON() gives the reference that opens the lock again', (t) => {
  const name = uniqueName(t)
  const path = join(tempDir(t), 'file.lock')
  t.deepEqual(openLock(t, name).toJSON(), { name })
  t.deepEqual(openLock(t, { name }).toJSON(), { name })
  t.deepEqual(openLock(t, { path }).toJSON(), { path })
  t.deepEqual(openLock(t, { path: pathToFileURL(path) }).toJSON(), { path })
  t.deepEqual(Object.keys(openAnonymous(t).toJSON()), ['name'])
})

test('new RWLock() opens a lock again from its JSON.stringify() result', async (t) => {
  const lock = openAnonymous(t)
  const text = JSON.stringify({ lock })
  const again = openLock(t, JSON.parse(text).lock)
  const guard = await lock.acquireWrite()
  t.is(again.tryRead(), null)
  guard.release()
  t.is(again.tryRead()?.mode, 'read')
})

test('changing the result of toJSON() does not change the lock', (t) => {
  const name = uniqueName(t)
  const lock = openLock(t, name)
  Object.assign(lock.toJSON(), { name: 'something else' })
  t.deepEqual(lock.toJSON(), { name })
})

// ---- the same lock twice in one thread

test('two handles of one thread are one attachment', (t) => {
  const name = uniqueName(t)
  // The capacity is one attachment.
  const [a, b] = [openLock(t, name, { capacity: 1 }), openLock(t, name, { capacity: 1 })]
  const [one, two] = [a.tryRead(), b.tryRead()]
  t.truthy(one)
  t.truthy(two)
  t.like(a.inspect(), { holders: [{ mode: 'read', count: 2, pid: process.pid, threadId: 0 }], waiters: [] })
})

test('two handles of one file in one thread are one attachment, by any of its paths', (t) => {
  const dir = tempDir(t)
  const a = openLock(t, { path: join(dir, 'x.lock') }, { capacity: 1 })
  const b = openLock(t, { path: `${dir}/../${basename(dir)}/./x.lock` }, { capacity: 1 })
  a.tryRead()
  t.like(b.inspect(), { holders: [{ count: 1 }] })
})

// ---- capacity

test('the default capacity is 128', (t) => {
  t.is(openLock(t).inspect().capacity, 128)
  t.is(openLock(t, { path: join(tempDir(t), 'x.lock') }).inspect().capacity, 128)
})

test('the capacity can be 1 to 4095', async (t) => {
  for (const capacity of [1, 2, 4095]) {
    const lock = openLock(t, uniqueName(t), { capacity })
    t.is(lock.inspect().capacity, capacity)
    t.is(await lock.write(() => 'works'), 'works')
  }
})

test('the capacity is that of the creator', async (t) => {
  const name = uniqueName(t)
  openLock(t, name, { capacity: 7 })
  t.is(openLock(t, name).inspect().capacity, 7)
  const child = await pooledChild(t)
  await child.ask('open', { ref: name })
  t.is((await child.ask('inspect')).capacity, 7)
})

for (const where of ['named', 'path']) {
  test(`requesting a different capacity of a ${where} lock gives ERR_LOCK_INCOMPATIBLE`, async (t) => {
    const ref = where === 'named' ? uniqueName(t) : { path: join(tempDir(t), 'x.lock') }
    const lock = openLock(t, ref, { capacity: 7 })
    const error = t.throws(() => new RWLock(ref, { capacity: 8 }), { code: 'ERR_LOCK_INCOMPATIBLE' })
    t.regex(error?.message ?? '', /7.*8/)
    const child = await pooledChild(t)
    await t.throwsAsync(child.ask('open', { ref, options: { capacity: 8 } }), {
      code: 'ERR_LOCK_INCOMPATIBLE',
    })
    // The failed attempts left nothing, and the same number can open the lock.
    t.is(await child.ask('open', { ref, options: { capacity: 7 } }), 0)
    t.is(await lock.write(() => 'works'), 'works')
  })
}

// ---- maxReaders

test('maxReaders can be 1 to 65,535, and is not limited by default', (t) => {
  t.is(openLock(t).inspect().maxReaders, null)
  for (const maxReaders of [1, 2, 65_535]) {
    const lock = openLock(t, uniqueName(t), { maxReaders })
    t.is(lock.inspect().maxReaders, maxReaders)
    const guards = Array.from({ length: maxReaders }, () => lock.tryRead())
    t.false(guards.includes(null))
    t.is(lock.tryRead(), null)
    for (const guard of guards) guard?.release()
    t.truthy(lock.tryWrite())
  }
})

for (const where of ['named', 'path']) {
  test(`maxReaders of a ${where} lock is that of the creator, in every process`, async (t) => {
    const ref = where === 'named' ? uniqueName(t) : { path: join(tempDir(t), 'x.lock') }
    openLock(t, ref, { maxReaders: 3 })
    const child = await pooledChild(t)
    for (const maxReaders of [undefined, 3, 2, 65_535]) {
      await child.ask('open', { ref, options: { maxReaders } })
      t.is((await child.ask('inspect')).maxReaders, 3, `asked for ${maxReaders}`)
    }
  })
}

test('a named lock that dead processes left does not keep its maxReaders', async (t) => {
  const name = uniqueName(t)
  const child = await spawnChild(t)
  await child.ask('open', { ref: name, options: { maxReaders: 3 } })
  await child.ask('acquireRead')
  child.kill()
  await child.exited
  t.is(openLock(t, name, { maxReaders: 4 }).inspect().maxReaders, 4)
})

for (const nestedReads of /** @type {const} */ (['admit', 'queue'])) {
  test(`a thread that has every read hold does not block for another one (nestedReads: ${nestedReads})`, (t) => {
    const lock = openLock(t, uniqueName(t), { maxReaders: 2, nestedReads })
    const guards = [lock.acquireReadSync(), lock.acquireReadSync()]
    const error = t.throws(() => lock.acquireReadSync(), { code: 'ERR_LOCK_DEADLOCK' })
    t.regex(`${error?.message}`, /all 2 read holds/)
    for (const guard of guards) guard.release()
    t.is(
      lock.readSync(() => lock.readSync(() => 'nested')),
      'nested',
    )
  })
}

test('opening a full lock in another process gives ERR_LOCK_FULL until an attachment closes', async (t) => {
  const name = uniqueName(t)
  openLock(t, name, { capacity: 2 })
  const [second, third] = await Promise.all([pooledChild(t), pooledChild(t)])
  await second.ask('open', { ref: name })

  const error = await t.throwsAsync(third.ask('open', { ref: name }), { code: 'ERR_LOCK_FULL' })
  t.regex(error?.message ?? '', /\b2\b/)
  await second.ask('close')
  t.is(await third.ask('open', { ref: name }), 0)
})

test('opening a full lock in another thread gives ERR_LOCK_FULL', async (t) => {
  const name = uniqueName(t)
  openLock(t, name, { capacity: 2 })
  const [second, third] = await Promise.all([spawnThread(t), spawnThread(t)])
  await second.ask('open', { ref: name })

  await t.throwsAsync(third.ask('open', { ref: name }), { code: 'ERR_LOCK_FULL' })
  await second.ask('close')
  t.is(await third.ask('open', { ref: name }), 0)
})

test('a full lock reclaims the slots of dead processes before it gives ERR_LOCK_FULL', async (t) => {
  const name = uniqueName(t)
  const lock = openLock(t, name, { capacity: 2 })
  const [dead, next] = await Promise.all([pooledChild(t), pooledChild(t)])
  await dead.ask('hold', { ref: name, mode: 'read' })
  await dead.kill()

  // The kernel may take a moment to report it.
  await waitFor(() => next.ask('open', { ref: name }).then(succeeds, isFull))
  t.is((await next.ask('tryWrite')).mode, 'write')
  t.is(lock.tryRead(), null)
})

test('a dead writer occupies no slot', async (t) => {
  const name = uniqueName(t)
  openLock(t, name, { capacity: 2 })
  const [dead, next] = await Promise.all([pooledChild(t), pooledChild(t)])
  await dead.ask('hold', { ref: name, mode: 'write' })
  await dead.kill()

  await waitFor(() => next.ask('open', { ref: name }).then(succeeds, isFull))
  t.is((await next.ask('acquireWrite')).ownerDied.pid, dead.pid)
})

// ---- label

titleTest(
  'the label of an attachment is shown for its holds; the default is the title of the process',
  async (t) => {
    const name = uniqueName(t)
    const child = await spawnChild(t, { execArgv: ['--title=the child'] })
    await child.ask('hold', { ref: name, mode: 'read' })
    const lock = openLock(t, name, { label: 'the parent' })
    lock.tryRead()

    const labels = Object.fromEntries(lock.inspect().holders.map(({ pid, label }) => [pid, label]))
    t.deepEqual(labels, { [process.pid]: 'the parent', [child.pid]: 'the child' })
  },
)

test('a label may be any text, and its first 48 bytes are kept', (t) => {
  for (const [label, shown] of [
    ['Ünïcödé ✓', 'Ünïcödé ✓'],
    ['a\nb', 'a\nb'],
    ['x'.repeat(48), 'x'.repeat(48)],
    ['x'.repeat(49), 'x'.repeat(48)],
    ['é'.repeat(60), 'é'.repeat(24)],
    [`x${'é'.repeat(60)}`, `x${'é'.repeat(23)}`],
  ]) {
    const lock = openLock(t, uniqueName(t), { label })
    lock.tryRead()
    t.is(lock.inspect().holders[0].label, shown)
  }
})

test('every synchronous method of a closed lock throws ERR_LOCK_CLOSED, and toJSON() works', (t) => {
  const name = uniqueName(t)
  const lock = openLock(t, name)
  lock.close()
  const closed = { code: 'ERR_LOCK_CLOSED', name: 'LockError', message: /closed/ }
  const never = () => t.fail('it must not run')
  t.throws(() => lock.tryRead(), closed)
  t.throws(() => lock.tryWrite(), closed)
  t.throws(() => lock.tryUpgradable(), closed)
  t.throws(() => lock.readSync(never), closed)
  t.throws(() => lock.writeSync(never), closed)
  t.throws(() => lock.acquireReadSync(), closed)
  t.throws(() => lock.acquireWriteSync({ timeout: 10 }), closed)
  t.throws(() => lock.inspect(), closed)
  t.notThrows(() => lock.close())
  // The name is still known: the JSON that was handed out stays true.
  t.deepEqual(lock.toJSON(), { name })
})

test('Symbol.dispose removes the lock if it was the last handle', (t) => {
  const name = uniqueName(t)
  const lock = openLock(t, name)
  lock.tryWrite()
  lock[Symbol.dispose]()
  t.throws(() => lock.tryRead(), { code: 'ERR_LOCK_CLOSED' })
  t.false(isListed(name))
})

test('the shared memory is removed when the last handle anywhere closes, and not before', async (t) => {
  const name = uniqueName(t)
  const [a, b] = [openLock(t, name), openLock(t, name)]
  const child = await pooledChild(t)
  await child.ask('open', { ref: name })
  const worker = await spawnThread(t)
  await worker.ask('open', { ref: name })

  t.true(isListed(name))
  a.close()
  t.true(isListed(name))
  b.close()
  t.true(isListed(name))
  await child.ask('close')
  t.true(isListed(name))
  await worker.ask('close')
  t.false(isListed(name))
})

test('the shared memory is removed when the last process ends by itself, without close()', async (t) => {
  const name = uniqueName(t)
  const child = await pooledChild(t)
  await child.ask('open', { ref: name })
  t.true(isListed(name))
  await child.ask('finish')
  t.deepEqual(await child.exited, { code: 0, signal: null })
  t.false(isListed(name))
})

function openAnonymous(t, options) {
  const lock = new RWLock(undefined, options)
  cleanUp(t, 'locks', () => lock.close())
  cleanUp(t, 'names', () => RWLock.remove(/** @type {{ name: string }} */ (lock.toJSON())))
  return lock
}

const succeeds = () => true
const isFull = (error) => {
  if (error.code === 'ERR_LOCK_FULL') return false
  throw error
}

test('two loaded instances of the library over one addon do not mix their calls', (t) => {
  const require = createRequire(import.meta.url)
  const load = (/** @type {string} */ file) => require(file)
  const { binding } = load('../../dist/shared-memory/binding.js')
  const [one, other] = [1, 2].map(() => {
    delete require.cache[require.resolve('../../dist/shared-memory/fast-path.js')]
    return load('../../dist/shared-memory/fast-path.js')
  })
  t.not(one.tryRead, other.tryRead)
  const copy = binding.register(() => true)
  const open = () => binding.open(copy.number, {}, opening(uniqueName(t)))
  const opened = [open(), open()]
  const attachments = opened.map(({ attachment }) => attachment)
  cleanUp(t, 'locks', () => {
    for (const { handle } of opened) binding.close(copy.number, handle)
  })
  for (const [here, there] of [attachments, attachments.toReversed()]) {
    t.true(one.tryWrite(here) > 0)
    t.true(other.tryWrite(there) > 0)
    t.is(other.tryRead(here), 0)
    t.is(one.tryRead(there), 0)
    one.releaseExclusive(here, 0)
    t.is(one.tryRead(there), 0)
    other.releaseExclusive(there, 0)
    t.true(one.tryRead(there) > 0)
    t.true(other.tryRead(here) > 0)
    other.releaseRead(there)
    one.releaseRead(here)
  }
  // An invalid attachment.
  t.is(one.tryRead(2 ** 32 - 1), 0)
  t.is(one.tryWrite(2 ** 32 - 1), 0)
  t.is(one.releaseRead(2 ** 32 - 1), undefined)
  t.is(one.releaseExclusive(2 ** 32 - 1, 0), undefined)
})
