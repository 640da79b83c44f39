// Cases in which other locks between processes fail.
import {
  closeSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import {
  mapPage,
  median,
  openLock,
  spawnChild,
  spawnNode,
  tempDir,
  test,
  timeoutFactor,
  uniqueName,
} from '../helpers/index.js'
import { queued } from '../helpers/observe.js'

test('a writer gets 5 locks within 15 s from three readers that hold for 2 ms and return at once', async (t) => {
  const lock = openLock(t)
  const readers = Array.from({ length: 3 }, () =>
    spawnNode(t, new URL('./programs/reads-repeatedly.js', import.meta.url), [JSON.stringify(lock)]),
  )
  await Promise.all(readers.map((reader) => reader.next('ready')))
  const times = []
  for (let turn = 0; turn < 5; turn++) {
    const start = performance.now()
    await lock.write(() => {}, { timeout: 15_000 })
    times.push(performance.now() - start)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  t.log(`the writer waited ${times.map((time) => time.toFixed(1)).join(', ')} ms`)
  t.true(times.reduce((sum, time) => sum + time) < 15_000)
  // The duration of the holds, and not much more.
  t.true(median(times) < 100, `${times} ms`)
  for (const reader of readers) {
    reader.send('stop')
    t.true((await reader.next('report')).reads > 5)
  }
})

test('a writer does not get a read hold while it holds for write', async (t) => {
  const lock = openLock(t)
  const other = await spawnChild(t)
  await other.ask('open', { ref: lock.toJSON() })
  await other.ask('acquireWrite')
  t.is(await other.ask('tryRead'), null)
  await t.throwsAsync(other.ask('acquireReadSync'), { code: 'ERR_LOCK_DEADLOCK' })
  await t.throwsAsync(other.ask('acquireRead', { options: { timeout: 50 } }), { code: 'ERR_LOCK_TIMEOUT' })
  await other.ask('release')
  // The request has left no trace.
  t.deepEqual(lock.inspect().holders, [])
  t.truthy(lock.tryWrite())
})

test('a timeout of half a second lasts half a second', async (t) => {
  const lock = openLock(t)
  const [holder, blocker] = [await spawnChild(t), await spawnChild(t)]
  await holder.ask('hold', { ref: lock.toJSON(), mode: 'write' })
  await blocker.ask('open', { ref: lock.toJSON() })
  // All at the same time, at different fractions of a second.
  const waits = []
  const timers = []
  for (let start = 0; start < 5; start++) {
    timers.push(timerLasts())
    waits.push(
      lasts(() => lock.acquireRead({ timeout: 500 })),
      lasts(() => lock.acquireWrite({ timeout: 500 })),
      lasts(() => lock.acquireUpgradable({ timeout: 500 })),
    )
    await new Promise((resolve) => setTimeout(resolve, 170))
  }
  const blocked = []
  for (const op of ['acquireReadSync', 'acquireWriteSync', 'acquireReadSync']) {
    blocked.push(await lasts(() => blocker.ask(op, { options: { timeout: 500 } })))
  }
  const times = [...(await Promise.all(waits)), ...blocked]
  // On a busy machine, timers of the same length are as late.
  const usual = await Promise.all(timers)
  const show = (/** @type {number[]} */ all) => all.map((time) => time.toFixed(1)).join(', ')
  const shown = `${show(times)} ms, and timers ${show(usual)} ms`
  // A timer may round down to a full ms.
  t.true(Math.min(...times) >= 499, shown)
  t.true(median(times) < median(usual) + 30, shown)
  t.true(Math.max(...times) < Math.max(...usual) + 500, shown)

  async function timerLasts() {
    const start = performance.now()
    await new Promise((resolve) => setTimeout(resolve, 500))
    return performance.now() - start
  }

  async function lasts(wait) {
    const start = performance.now()
    await t.throwsAsync(wait, { code: 'ERR_LOCK_TIMEOUT' })
    return performance.now() - start
  }
})

test('two instances in one process do not both hold the lock, by any of its paths', async (t) => {
  const dir = tempDir(t)
  const path = join(dir, 'lock')
  writeFileSync(path, '')
  linkSync(path, join(dir, 'link'))
  mkdirSync(join(dir, 'folder'))
  const locks = [
    { path },
    { path },
    { path: join(dir, 'link') },
    { path: join(dir, 'folder', '..', 'lock') },
    { path: pathToFileURL(path) },
  ].map((ref) => openLock(t, ref))
  for (const lock of locks) {
    const guard = lock.tryWrite()
    t.truthy(guard)
    for (const other of locks) {
      t.is(other.tryWrite(), null)
      t.is(other.tryRead(), null)
    }
    guard?.release()
  }
})

test('different names are different locks', async (t) => {
  const [one, two] = [openLock(t), openLock(t)]
  t.truthy(one.tryWrite())
  t.truthy(two.tryWrite())
})

for (const kind of ['path', 'name']) {
  test(`closing another descriptor of the lock file does not drop the lock (${kind})`, async (t) => {
    const path = join(tempDir(t), 'lock')
    const lock = openLock(t, kind === 'path' ? { path } : uniqueName(t))
    const other = await spawnChild(t)
    await other.ask('open', { ref: lock.toJSON() })
    const guard = await lock.acquireWrite()
    const files =
      kind === 'path' ? [path] : openFiles().filter((file) => file.startsWith('/dev/shm/process-rwlock-'))
    if (process.platform === 'linux') t.true(files.length > 0)
    for (const file of files) {
      readFileSync(file)
      closeSync(openSync(file, 'r+'))
      closeSync(openSync(file, 'r'))
    }
    openLock(t, lock.toJSON()).close()
    t.is(await other.ask('tryWrite'), null)
    // A waiter, which checks for dead holders, does not take it for dead.
    await t.throwsAsync(other.ask('acquireWrite', { options: { timeout: 200 } }), {
      code: 'ERR_LOCK_TIMEOUT',
    })
    guard.release()
    t.is((await other.ask('tryWrite')).ownerDied, null)
  })
}

test('50 processes with 50 handles each increment 50 words without losing one, and leave no file behind', async (t) => {
  t.timeout(60_000 * timeoutFactor)
  const dir = join(tempDir(t), 'locks')
  mkdirSync(dir)
  writeFileSync(join(dir, 'other'), 'something else')
  const page = join(tempDir(t), 'page')
  const handles = 50
  const memory = mapPage(page, 8 * (handles + 1))
  const words = new Float64Array(memory.buffer, memory.byteOffset, handles + 1)
  const job = JSON.stringify({ dir, page, handles })
  const children = Array.from({ length: 50 }, () =>
    spawnNode(t, new URL('./programs/counts-words.js', import.meta.url), [job]),
  )
  await Promise.all(children.map((child) => child.next('ready', { bound: 40_000 })))
  words[handles] = 1
  await Promise.all(children.map((child) => child.next('report', { bound: 40_000 })))
  t.deepEqual([...words.subarray(0, handles)], new Array(handles).fill(50))
  const expected = Array.from({ length: handles }, (_, index) => `${index}.lock`)
  t.deepEqual(readdirSync(dir).sort(), [...expected, 'other'].sort())
  t.is(readFileSync(join(dir, 'other'), 'utf8'), 'something else')
})

test('waiters for a dead holder get the lock one after the other', async (t) => {
  const lock = openLock(t)
  const [victim, ...others] = await Promise.all(Array.from({ length: 7 }, () => spawnChild(t)))
  const { token } = await victim.ask('hold', { ref: lock.toJSON(), mode: 'write' })
  let inside = 0
  let most = 0
  const done = others.map(async (child) => {
    const held = await child.ask('hold', { ref: lock.toJSON(), mode: 'write' })
    most = Math.max(most, ++inside)
    await child.ask('describe')
    inside--
    await child.ask('release')
    return held
  })
  for (const child of others) await queued(lock, child)
  victim.kill()
  const holds = (await Promise.all(done)).sort((a, b) => Number(a.token - b.token))
  t.is(most, 1)
  t.like(holds[0].ownerDied, { pid: victim.pid, token })
  // The first release cleared ownerDied, so it is not reported to the others.
  for (const { ownerDied } of holds.slice(1)) t.is(ownerDied, null)
  t.is(new Set(holds.map((hold) => hold.token)).size, others.length)
})

test('a holder whose event loop is busy for long keeps the lock', async (t) => {
  const lock = openLock(t)
  const holder = await spawnChild(t)
  await holder.ask('hold', { ref: lock.toJSON(), mode: 'write' })
  const busy = holder.ask('busy', { ms: 1500 })
  await holder.next('busy')
  await t.throwsAsync(lock.acquireRead({ timeout: 1000 }), { code: 'ERR_LOCK_TIMEOUT' })
  await busy
  t.is((await holder.ask('describe')).released, false)
  await holder.ask('release')
  t.is(await lock.read(({ ownerDied }) => ownerDied), null)
})

test('a lock passed to a child still works after the original is closed', async (t) => {
  const original = openLock(t, uniqueName(t))
  const [one, two] = [await spawnChild(t), await spawnChild(t)]
  await one.ask('open', { ref: original.toJSON() })
  original.close()
  const ref = await one.ask('toJSON')
  await two.ask('open', { ref })
  await one.ask('acquireWrite')
  t.is(await two.ask('tryRead'), null)
  const answer = two.ask('acquireRead')
  await one.ask('release')
  t.is((await answer).mode, 'read')
})

/** The open files of this process. */
function openFiles() {
  if (process.platform !== 'linux') return []
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/self/fd/${fd}`)]
    } catch {
      return [] // the descriptor of this listing
    }
  })
}
