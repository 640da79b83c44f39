import { LockError } from 'process-rwlock'
import { childPool } from '../helpers/child-pool.js'
import { openLock, spawnThread, test, uniqueName, waitFor } from '../helpers/index.js'
import { MODES, never } from '../helpers/modes.js'

const pooledChild = childPool()

for (const mode of MODES) {
  test(`an acquisition for ${mode} with timeout 0 never enters the queue`, async (t) => {
    const lock = openLock(t)
    const writer = await lock.acquireWrite()
    const outcome = lock[mode](never, { timeout: 0 })
    t.deepEqual(lock.inspect().waiters, [])
    await t.throwsAsync(outcome, { code: 'ERR_LOCK_TIMEOUT' })
    writer.release()
  })
}

test('the message gives seconds from one second on', async (t) => {
  const name = uniqueName(t)
  const lock = openLock(t, name)
  const child = await pooledChild(t)
  await child.ask('hold', { ref: name, mode: 'write' })
  await waitFor(() => lock.inspect().holders[0].ms >= 1000)
  await t.throwsAsync(lock.read(never, { timeout: 0 }), { message: /for \d+ s/ })
})

test('the error of a timeout names a hold of the same thread as the cause, and what to do', async (t) => {
  const lock = openLock(t)
  for (const [outer, inner] of /** @type {const} */ ([
    ['write', 'read'],
    ['write', 'write'],
    ['read', 'write'],
    ['upgradable', 'write'],
    ['upgradable', 'upgradable'],
  ])) {
    for (const timeout of [0, 10]) {
      await t.throwsAsync(
        lock[outer](() => lock[inner](never, { timeout })),
        {
          message: new RegExp(
            `held for ${outer} by this thread, pid ${process.pid} .*cannot be released while .*: release it first, or`,
          ),
        },
        `${inner} in ${outer}`,
      )
    }
  }
  for (const timeout of [0, 10]) {
    await t.throwsAsync(
      lock.upgradable((guard) => lock.read(() => guard.upgrade({ timeout }))),
      { message: /upgradable hold of .* held for read by this thread.*: release it first/ },
    )
  }
})

test('the error does not call a hold of another thread a hold of this thread', async (t) => {
  const name = uniqueName(t)
  const lock = openLock(t, name)
  const thread = await spawnThread(t)
  await thread.ask('hold', { ref: name, mode: 'write' })
  const error = await t.throwsAsync(lock.read(never, { timeout: 10 }), { instanceOf: LockError })
  t.regex(error.message, new RegExp(`held for write by pid ${process.pid} thread \\d+ `))
  t.notRegex(error.message, /this thread/)
})

test('the error of a read behind a queued writer names that writer, and the holder that it waits for', async (t) => {
  const name = uniqueName(t)
  const lock = openLock(t, name)
  const [reader, writer] = await Promise.all([pooledChild(t), pooledChild(t)])
  await reader.ask('hold', { ref: name, mode: 'read' })
  writer.tell('hold', { ref: name, mode: 'write' })
  await waitFor(() => lock.inspect().waiters.some(({ pid, ms }) => pid === writer.pid && ms >= 20))
  const error = await t.throwsAsync(lock.read(never, { timeout: 10 }), { instanceOf: LockError })
  t.regex(
    error.message,
    new RegExp(`ahead in the queue for write: pid ${writer.pid}.*; held for read by pid ${reader.pid}`),
  )
  await reader.ask('release')
})

test('the error of a timeout has the stack of its caller', async (t) => {
  const lock = openLock(t)
  const held = await lock.acquireUpgradable()
  const asksFor = {
    read: async () => await lock.write(never, { timeout: 10 }),
    acquire: async () => await lock.acquireWrite({ timeout: 10 }),
    none: async () => await lock.acquireWrite({ timeout: 0 }),
    upgrade: async () => await lock.read(async () => await held.upgrade({ timeout: 10 })),
  }
  const limit = Error.stackTraceLimit
  for (const [name, asks] of Object.entries(asksFor)) {
    const error = await t.throwsAsync(asks(), { code: 'ERR_LOCK_TIMEOUT' })
    const [heading, ...frames] = error?.stack?.split('\n') ?? []
    t.is(heading, `LockError: ${error?.message}`)
    t.true(
      frames.some((frame) => frame.includes('waiting.test.js')),
      `${name}: ${error?.stack}`,
    )
    t.false(Object.keys(error ?? {}).includes('stack'))
    t.is(structuredClone(error)?.stack, error?.stack)
    Error.stackTraceLimit = 1
    const short = await t.throwsAsync(asks(), { code: 'ERR_LOCK_TIMEOUT' }).finally(() => {
      Error.stackTraceLimit = limit
    })
    t.is(short?.stack?.split('\n').length, 2, short?.stack)
  }
})

test('a hold keeps its label when another hold of the thread ends', async (t) => {
  const lock = openLock(t, uniqueName(t), { label: 'worker 1' })
  const one = await lock.acquireRead({ label: 'one' })
  const two = await lock.acquireRead({ label: 'two' })
  two.release()
  t.like(lock.inspect(), { holders: [{ count: 1, label: 'one' }] })
  one.release()
})

test('an upgradable hold and a read hold of one thread each show their own label', async (t) => {
  const lock = openLock(t, uniqueName(t), { label: 'worker 1' })
  const upgradable = await lock.acquireUpgradable({ label: 'the upgradable' })
  const read = await lock.acquireRead({ label: 'the read' })
  const labels = () => Object.fromEntries(lock.inspect().holders.map(({ mode, label }) => [mode, label]))
  t.deepEqual(labels(), { upgradable: 'the upgradable', read: 'the read' })
  read.release()
  t.deepEqual(labels(), { upgradable: 'the upgradable' })
  upgradable.release()
})

test('a label ends with its hold when the handle is closed', async (t) => {
  const name = uniqueName(t)
  const [a, b] = [openLock(t, name, { label: 'worker 1' }), openLock(t, name)]
  await a.acquireWrite({ label: 'of a' })
  a.close()
  await b.acquireWrite()
  t.is(b.inspect().holders[0].label, 'worker 1')
})

test('a label stays with its hold in another mode, and does not pass to the next hold of the earlier mode', async (t) => {
  const lock = openLock(t, uniqueName(t), { label: 'worker 1' })
  const labels = () => Object.fromEntries(lock.inspect().holders.map(({ mode, label }) => [mode, label]))
  const guard = await lock.acquireWrite({ label: 'rebuild' })
  guard.downgrade()
  const upgradable = await lock.acquireUpgradable()
  t.deepEqual(labels(), { read: 'rebuild', upgradable: 'worker 1' })
  upgradable.release()
  guard.tryUpgrade()
  guard.downgrade('upgradable')
  const read = await lock.acquireRead()
  t.deepEqual(labels(), { read: 'worker 1', upgradable: 'rebuild' })
  read.release()
  guard.release()
})

test('a waiter does not show the label of another hold of its thread', async (t) => {
  const lock = openLock(t, uniqueName(t), { label: 'worker 1' })
  const reader = await lock.acquireRead({ label: 'reading' })
  const waits = lock.acquireWrite({ label: 'rebuild' })
  const [waiter] = lock.inspect().waiters
  reader.release()
  const writer = await waits
  writer.release()
  t.is(waiter.mode, 'write')
  t.true(['rebuild', 'worker 1'].includes(waiter.label), waiter.label)
})
