// Locks and guards that a program drops: locks with holds stay held, locks without holds close.
import {
  openLock,
  sandbox,
  sandboxTest,
  spawnChild,
  spawnNode,
  spawnThread,
  test,
  uniqueName,
} from '../helpers/index.js'

const collecting = { execArgv: ['--expose-gc'] }
const script = new URL('./programs/loses-guards.js', import.meta.url)

/** Collects garbage until lost objects are detected. */
async function collect(child) {
  for (let round = 0; round < 20; round++) await child.ask('collect')
}

for (const mode of ['read', 'write', 'upgradable']) {
  for (const what of ['lock and guard', 'the guard alone']) {
    test(`a hold for ${mode} outlasts ${what}, and ends with the process`, async (t) => {
      const name = uniqueName(t)
      const lock = openLock(t, name)
      const child = await spawnChild(t, collecting)
      await child.ask('hold', { ref: name, mode })
      await child.ask('forget', { lock: what === 'lock and guard' ? 0 : undefined, guard: 0 })
      await collect(child)
      t.like(lock.inspect(), { holders: [{ pid: child.pid, mode, count: 1 }] })
      t.is(lock.tryWrite(), null)
      // It does not keep the process alive.
      await child.ask('finish')
      t.deepEqual(await child.exited, { code: 0, signal: null })
      const guard = await lock.acquireWrite({ timeout: 5000 })
      t.is(guard.ownerDied?.pid, mode === 'write' ? child.pid : undefined)
      guard.release()
    })
  }
}

test('a lost write hold is reported once, with the lock, its label and what to do', async (t) => {
  const names = [uniqueName(t), uniqueName(t)]
  const child = spawnNode(t, script, ['warnings', ...names], collecting)
  const { warnings } = await child.next('warnings')
  t.is(warnings.length, 1)
  const [{ name, code, message }] = warnings
  t.is(name, 'Warning')
  t.is(code, 'RWLOCK_GUARD_LOST')
  t.true(message.startsWith(`the write hold of lock '${names[0]}' ('nightly') cannot be released `), message)
  t.regex(message, /Keep the guard .*lock\.write\(\)/)
  t.deepEqual(await child.exited, { code: 0, signal: null })
})

for (const how of [
  'tried',
  'upgraded',
  'in a function that never ends',
  'waited for',
  'synchronous',
  'one of several',
  'dropped with its lock',
]) {
  test(`a write hold that was ${how} is reported when it is lost`, async (t) => {
    const child = spawnNode(t, script, ['one', uniqueName(t), how], collecting)
    t.deepEqual((await child.next('warnings')).codes, ['RWLOCK_GUARD_LOST'])
    t.deepEqual(await child.exited, { code: 0, signal: null })
  })
}

test('guards that were released, closed, downgraded or kept are not reported', async (t) => {
  const child = spawnNode(t, script, ['none', uniqueName(t)], collecting)
  t.deepEqual((await child.next('warnings')).codes, [])
  t.deepEqual(await child.exited, { code: 0, signal: null })
})

test('a thread that lost a hold still has it when it opens the lock again', async (t) => {
  const name = uniqueName(t)
  const lock = openLock(t, name)
  const child = await spawnChild(t, collecting)
  await child.ask('hold', { ref: name, mode: 'write' })
  await child.ask('forget', { lock: 0, guard: 0 })
  await collect(child)
  await child.ask('open', { ref: name })
  t.is(await child.ask('tryRead'), null)
  await t.throwsAsync(child.ask('acquireReadSync'), { code: 'ERR_LOCK_DEADLOCK' })
  await child.ask('close')
  t.like(lock.inspect(), { holders: [{ pid: child.pid, mode: 'write' }] })
})

test('closing another handle of the thread does not end a lost hold', async (t) => {
  const name = uniqueName(t)
  const lock = openLock(t, name)
  const child = await spawnChild(t, collecting)
  await child.ask('hold', { ref: name, mode: 'read' })
  await child.ask('hold', { ref: name, mode: 'read' })
  await child.ask('forget', { lock: 0, guard: 0 })
  await collect(child)
  t.like(lock.inspect(), { holders: [{ count: 2 }] })
  await child.ask('close', { lock: 1 })
  t.like(lock.inspect(), { holders: [{ count: 1 }] })
})

test('a hold that a worker thread lost ends with the thread', async (t) => {
  const name = uniqueName(t)
  const lock = openLock(t, name)
  const worker = await spawnThread(t)
  await worker.ask('hold', { ref: name, mode: 'write' })
  await worker.ask('forget', { lock: 0, guard: 0 })
  await worker.terminate()
  t.is((await lock.acquireWrite({ timeout: 5000 })).ownerDied?.threadId, worker.threadId)
})

// ---- few descriptors, little memory

const KINDS = ['in turns of the event loop', 'at once', 'together with some that are held or kept']

for (const kind of KINDS) {
  sandboxTest(`400 dropped locks can be opened ${kind} with 256 descriptors`, async (t) => {
    const box = await sandbox(t) // leaves nothing behind
    const child = box.spawnNode(script, ['many', 'many', kind, '400', '256'])
    t.is((await child.next('outcome', { bound: 25_000 })).outcome, 'opened')
    t.deepEqual(await child.exited, { code: 0, signal: null })
  })

  sandboxTest(`400 dropped locks can be opened ${kind} with room for 60`, async (t) => {
    const box = await sandbox(t, { shm: 'size=2400k' })
    const child = box.spawnNode(script, ['many', 'many', kind, '400'])
    t.is((await child.next('outcome', { bound: 25_000 })).outcome, 'opened')
    t.deepEqual(await child.exited, { code: 0, signal: null })
  })
}

sandboxTest('locks that are kept exhaust the descriptors with an error', async (t) => {
  const box = await sandbox(t)
  const child = box.spawnNode(script, ['many', 'many', 'that it keeps', '1000', '256'])
  t.like((await child.next('outcome')).outcome, { code: 'ERR_LOCK_ACCESS' })
})
