// Semaphore in shared memory: its synchronous methods, and its options. The rest of its behaviour is
// that of every engine (contract/semaphore.test.js), and of the lock (contract/limit.test.js).
import { inspect } from 'node:util'
import { RWLock, Semaphore } from 'process-rwlock'
import { childPool } from '../helpers/child-pool.js'
import { cleanUp } from '../helpers/cleanup.js'
import { openLock, test, uniqueName, waitFor } from '../helpers/index.js'
import { never } from '../helpers/modes.js'

const pooledChild = childPool()

/** @param {any} value */
const any = (value) => value

/** @param {import('ava').ExecutionContext<any>} t @param {number} permits @param {any} [ref] @param {object} [options] */
function openSemaphore(t, permits, ref = uniqueName(t), options = {}) {
  const semaphore = new Semaphore(ref ?? undefined, { permits, ...options })
  cleanUp(t, 'locks', () => semaphore.close())
  return semaphore
}

test('a permit is held until it is released, or disposed of', async (t) => {
  const semaphore = openSemaphore(t, 2)
  const permits = [await semaphore.acquire(), semaphore.acquireSync()]
  t.is(semaphore.tryAcquire(), null)
  t.is(semaphore.inspect().available, 0)
  permits[0].release()
  permits[0].release()
  t.true(permits[0].released)
  t.is(semaphore.inspect().available, 1)
  const third = semaphore.tryAcquire()
  t.is(semaphore.tryAcquire(), null)
  third?.[Symbol.dispose]()
  await permits[1][Symbol.asyncDispose]()
  t.is(semaphore.inspect().available, 2)
})

test('a thread that has all permits does not block for another one', async (t) => {
  const semaphore = openSemaphore(t, 1)
  await semaphore.use(() => {
    t.throws(() => semaphore.acquireSync(), { code: 'ERR_LOCK_DEADLOCK' })
  })
  semaphore.acquireSync().release()
  t.is(semaphore.inspect().available, 1)
})

/** As nested reads of an RWLock would. */
test('a use does not pass those who wait, because this thread has a permit', async (t) => {
  const name = uniqueName(t)
  const semaphore = openSemaphore(t, 2, name, { fairness: 0 })
  const child = await pooledChild(t)
  await child.ask('open', { ref: name })
  let granted = /** @type {string[]} */ ([])
  // On a busy machine the child may be too late when it is its turn: see order.test.js.
  for (let go = 0; go < 12 && `${granted}` !== 'theirs,mine'; go++) {
    granted = []
    const permits = [await semaphore.acquire(), await semaphore.acquire()]
    const theirs = child.ask('acquireRead').then(() => granted.push('theirs'))
    await waitFor(() => semaphore.inspect().waiters.length === 1)
    const mine = semaphore.use(() => granted.push('mine'))
    await new Promise((resolve) => setTimeout(resolve, 250)) // past the grace of a nested read
    t.deepEqual(granted, [])
    permits[0].release()
    await theirs
    permits[1].release()
    await mine
    await child.ask('release')
  }
  t.deepEqual(granted, ['theirs', 'mine'])
})

test('a lock without maxReaders is no semaphore', (t) => {
  const name = uniqueName(t)
  const lock = openLock(t, name)
  t.throws(() => new Semaphore(name, { permits: 2 }), {
    code: 'ERR_LOCK_INCOMPATIBLE',
    message: new RegExp(`'${name}' was created without maxReaders`),
  })
  lock.close()
  t.is(openSemaphore(t, 2, name).inspect().permits, 2, 'the failed attempt left nothing open')
})

test('the number of permits is that of the creator', (t) => {
  const name = uniqueName(t)
  const semaphore = openSemaphore(t, 3, name)
  const other = openSemaphore(t, 5, name)
  t.is(other.inspect().permits, 3)
  semaphore.close()
  other.close()
  t.is(openSemaphore(t, 5, name).inspect().permits, 5)
})

test('a number of permits is required, and is checked before anything is created', (t) => {
  const name = uniqueName(t)
  for (const wrong of [undefined, null, '2', 1n, {}]) {
    for (const options of [{ permits: wrong }, wrong === undefined ? undefined : { permits: wrong }]) {
      t.throws(() => new Semaphore(name, any(options)), {
        code: 'ERR_INVALID_ARG_TYPE',
        message: /options\.permits/,
      })
    }
  }
  for (const wrong of [0, -1, 1.5, Number.NaN, 65_536, Infinity]) {
    t.throws(() => new Semaphore(name, { permits: wrong }), {
      code: 'ERR_INVALID_ARG_VALUE',
      message: /options\.permits/,
    })
  }
  t.throws(() => new Semaphore(name, any({ permits: 1, fairness: -1 })), { code: 'ERR_INVALID_ARG_VALUE' })
  t.throws(() => new Semaphore(any(1), { permits: 1 }), { code: 'ERR_INVALID_ARG_TYPE' })
  t.false(RWLock.list().some((seen) => seen.name === name))
})

test('a semaphore without a name can be opened again by its JSON', (t) => {
  const semaphore = openSemaphore(t, 2, null)
  const again = openSemaphore(t, 2, JSON.parse(JSON.stringify(semaphore)))
  t.truthy(semaphore.tryAcquire())
  t.is(again.inspect().available, 1)
})

test('closing returns the permits, and ends the waits', async (t) => {
  const name = uniqueName(t)
  const [semaphore, other] = [openSemaphore(t, 1, name), openSemaphore(t, 1, name)]
  const permit = await semaphore.acquire()
  const wait = semaphore.acquire()
  semaphore.close()
  await t.throwsAsync(wait, { code: 'ERR_LOCK_CLOSED' })
  t.true(permit.released)
  t.truthy(other.tryAcquire())
  for (const call of [() => semaphore.tryAcquire(), () => semaphore.inspect()]) {
    t.throws(call, { code: 'ERR_LOCK_CLOSED' })
  }
  await t.throwsAsync(semaphore.use(never), { code: 'ERR_LOCK_CLOSED' })
  const closed = openSemaphore(t, 1)
  closed[Symbol.dispose]()
  await closed[Symbol.asyncDispose]()
  t.throws(() => closed.acquireSync(), { code: 'ERR_LOCK_CLOSED' })
})

test('a method without its semaphore says so', async (t) => {
  const THIS = { code: 'ERR_INVALID_THIS', message: /without its semaphore/ }
  const { use, acquire, tryAcquire, acquireSync, inspect, toJSON, close } = Semaphore.prototype
  for (const method of [tryAcquire, acquireSync, inspect, toJSON, close])
    t.throws(() => any(method).call({}), THIS)
  for (const method of [use, acquire]) await t.throwsAsync(any(method).call({}, never), THIS)
})

test('console.log shows the permits and who has them', (t) => {
  const semaphore = openSemaphore(t, 2)
  semaphore.tryAcquire()
  const text = inspect(semaphore)
  t.regex(text, /^Semaphore \{/)
  t.regex(text, /permits: 2,\s+available: 1/)
  t.is(JSON.parse(JSON.stringify(semaphore.inspect())).available, 1)
  semaphore.close()
  t.notThrows(() => inspect(semaphore))
  t.notThrows(() => inspect(Semaphore.prototype))
})
