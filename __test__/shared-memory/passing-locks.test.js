// Passing a lock to another process or thread, and losing its handle.
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { RWLock } from 'process-rwlock'
import { childPool } from '../helpers/child-pool.js'
import { cleanUp } from '../helpers/cleanup.js'
import { openLock, spawnChild, spawnNode, spawnThread, test, uniqueName, waitFor } from '../helpers/index.js'

const pooledChild = childPool()

const script = new URL('./programs/holds-passed-lock.js', import.meta.url)
const isListed = (name) => RWLock.list().some((lock) => lock.name === name)

test('an anonymous lock is passed to a child process by JSON argument', async (t) => {
  const lock = openAnonymous(t)
  const child = spawnNode(t, script, [JSON.stringify({ lock })])
  await child.next('holds')
  t.is(lock.tryRead(), null)
  t.is(lock.inspect().holders[0].pid, child.pid)
  child.send({})
  t.is(await lock.read(() => 'in turn'), 'in turn')
})

test('an anonymous lock is passed to a child process by IPC message', async (t) => {
  const lock = openAnonymous(t)
  const child = spawnNode(t, script, [], { serialization: 'json' })
  child.send({ lock })
  await child.next('holds')
  t.is(lock.tryRead(), null)
  child.send({})
  t.is(await lock.read(() => 'in turn'), 'in turn')
})

test('the reference of a lock is passed by an IPC message with structured clones', async (t) => {
  const lock = openAnonymous(t)
  const child = spawnNode(t, script, [], { serialization: 'advanced' })
  child.send({ lock: lock.toJSON() })
  await child.next('holds')
  t.is(lock.tryRead(), null)
  child.send({})
  t.is(await lock.read(() => 'in turn'), 'in turn')
})

test('an anonymous lock is passed to a worker thread by workerData', async (t) => {
  const lock = openAnonymous(t)
  const worker = new Worker(script, { workerData: { lock: lock.toJSON() } })
  cleanUp(t, 'processes', () => worker.terminate())
  await once(worker, 'message')
  t.is(lock.tryRead(), null)
  t.like(lock.inspect(), { holders: [{ pid: process.pid, threadId: worker.threadId, mode: 'write' }] })
  worker.postMessage({})
  t.is(await lock.read(() => 'in turn'), 'in turn')
})

test('a lock is passed from child to grandchild', async (t) => {
  const lock = openAnonymous(t)
  const child = await pooledChild(t)
  await child.ask('open', { ref: JSON.parse(JSON.stringify(lock)) })
  const grandchild = spawnNode(t, script, [JSON.stringify({ lock: await child.ask('toJSON') })])
  await grandchild.next('holds')
  t.is(lock.tryRead(), null)
  t.is(await child.ask('tryRead'), null)
  grandchild.send({})
  t.is(await lock.read(() => 'in turn'), 'in turn')
})

test('a passed lock is the same lock after the original was garbage-collected, and can be passed on', async (t) => {
  const child = await spawnChild(t, { execArgv: ['--expose-gc'] })
  // The capacity is the original and one other attachment.
  const original = await child.ask('open', { options: { capacity: 2 } })
  const ref = await child.ask('toJSON')
  cleanUp(t, 'names', () => RWLock.remove(ref))
  const first = spawnNode(t, script, [JSON.stringify({ lock: ref })])
  await first.next('holds')
  t.throws(() => new RWLock(ref), { code: 'ERR_LOCK_FULL' })

  await child.ask('forget', { lock: original })
  const again = await waitFor(async () => {
    await child.ask('collect')
    return opens(t, ref)
  })
  t.is(again.tryRead(), null)
  t.is(again.inspect().holders[0].pid, first.pid)
  again.close()

  // The process that lost it can also open it from its JSON.
  await child.ask('open', { ref })
  t.is(await child.ask('tryRead'), null)
  const waits = child.ask('acquireRead')
  first.send({})
  t.is((await waits).mode, 'read')
})

test('a reference that is opened after the last handle was collected is a new lock of that name', async (t) => {
  const child = await spawnChild(t, { execArgv: ['--expose-gc'] })
  const original = await child.ask('open', {})
  const ref = await child.ask('toJSON')
  cleanUp(t, 'names', () => RWLock.remove(ref))
  const { token } = await child.ask('acquireWrite')
  await child.ask('release')
  t.true(isListed(ref.name))

  await child.ask('forget', { lock: original, guard: 0 })
  await waitFor(async () => {
    await child.ask('collect')
    return !isListed(ref.name)
  })
  const again = openLock(t, ref)
  t.true((await again.write((guard) => guard.token)) > token)
})

test('a guard keeps its lock open, even if no reference to the lock is left', async (t) => {
  const name = uniqueName(t)
  const lock = openLock(t, name)
  const child = await spawnChild(t, { execArgv: ['--expose-gc'] })
  await child.ask('hold', { ref: name, mode: 'read' })
  await child.ask('forget', { lock: 0 })
  for (let round = 0; round < 20; round++) await child.ask('collect')
  t.is(lock.tryWrite(), null)
  await child.ask('release')
  t.is(lock.tryWrite()?.mode, 'write')
})

test('a pending acquisition keeps its lock open, even if no reference to the lock is left', async (t) => {
  const name = uniqueName(t)
  const lock = openLock(t, name)
  const guard = await lock.acquireWrite()
  const child = await spawnChild(t, { execArgv: ['--expose-gc'] })
  await child.ask('open', { ref: name })
  const waits = child.ask('acquireRead')
  await waitFor(() => lock.inspect().waiters.length === 1)
  await child.ask('forget', { lock: 0 })
  for (let round = 0; round < 20; round++) await child.ask('collect')
  t.is(lock.inspect().waiters.length, 1)
  guard.release()
  t.is((await waits).mode, 'read')
})

test('collecting one of two handles does not close the other', async (t) => {
  const name = uniqueName(t)
  // The capacity is the attachment of the child.
  const child = await spawnChild(t, { execArgv: ['--expose-gc'] })
  await child.ask('open', { ref: name, options: { capacity: 1 } })
  await child.ask('open', { ref: name })
  await child.ask('forget', { lock: 0 })
  for (let round = 0; round < 20; round++) await child.ask('collect')
  t.is((await child.ask('tryWrite')).mode, 'write')
  await child.ask('release')
  await child.ask('forget', { lock: 1, guard: 0 })
  await waitFor(async () => {
    await child.ask('collect')
    return !isListed(name)
  })
})

test('a worker thread that ends closes its attachment', async (t) => {
  const name = uniqueName(t)
  const worker = await spawnThread(t)
  await worker.ask('open', { ref: name })
  t.true(isListed(name))
  await worker.ask('finish')
  t.is(await worker.exited, 0)
  t.false(isListed(name))
})

/** A handle, if the lock is not full. @returns {any} */
function opens(t, ref) {
  try {
    return openLock(t, ref)
  } catch (error) {
    if (error.code === 'ERR_LOCK_FULL') return null
    throw error
  }
}

function openAnonymous(t) {
  const lock = new RWLock()
  cleanUp(t, 'locks', () => lock.close())
  cleanUp(t, 'names', () => RWLock.remove(/** @type {{ name: string }} */ (lock.toJSON())))
  return lock
}
