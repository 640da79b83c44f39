// The API over an engine that answers later: what it does for every engine behind src/engine.ts.
import { LockError } from 'process-rwlock'
import { cleanUp } from '../helpers/cleanup.js'
import { test, uniqueName } from '../helpers/index.js'
import { open } from './engines/in-process.js'

/** @param {import('ava').ExecutionContext<any>} t @param {string} [name] */
function openLock(t, name = uniqueName(t)) {
  const lock = open(name)
  cleanUp(t, 'locks', () => lock.close())
  return lock
}

test('a function runs while the lock is held, and the lock is released after it', async (t) => {
  const name = uniqueName(t)
  const [one, other] = [openLock(t, name), openLock(t, name)]
  const result = await one.write(async (guard) => {
    t.is(guard.mode, 'write')
    t.is(await other.tryRead(), null)
    return guard.token
  })
  t.is(result, 1n)
  const error = new Error('from the function')
  const thrown = await t.throwsAsync(
    one.write(() => {
      throw error
    }),
  )
  t.is(thrown, error)
  t.is(await one.read(async () => (await other.tryRead())?.mode), 'read')
})

test('a function does not run if the signal aborts before it, even if the lock was free', async (t) => {
  const lock = openLock(t)
  const reason = new Error('too late')
  const controller = new AbortController()
  const run = lock.read(() => t.fail(), { signal: controller.signal })
  controller.abort(reason)
  t.is(await t.throwsAsync(run), reason)
  await t.throwsAsync(
    lock.read(() => t.fail(), { signal: AbortSignal.abort(reason) }),
    { is: reason },
  )
  t.deepEqual((await lock.inspect()).waiters, [])
})

test('a timeout rejects with the holders and the stack of the caller', async (t) => {
  const lock = openLock(t)
  const guard = await lock.acquireWrite({ label: 'long job' })
  async function theCaller() {
    await lock.acquireRead({ timeout: 20 })
  }
  const error = await t.throwsAsync(theCaller(), { instanceOf: LockError, code: 'ERR_LOCK_TIMEOUT' })
  t.like(error, { holders: [{ mode: 'write', label: 'long job' }] })
  t.regex(`${error.stack}`, /theCaller/)
  await guard.release()
  t.is((await lock.tryRead())?.mode, 'read')
})

test('a hold is upgraded when the readers have left, and downgraded', async (t) => {
  const lock = openLock(t)
  const guard = await lock.acquireUpgradable()
  const reader = await lock.acquireRead()
  t.false(await guard.tryUpgrade())
  const upgrade = guard.upgrade()
  await t.throwsAsync(guard.upgrade(), { code: 'ERR_LOCK_BUSY' })
  await reader.release()
  await upgrade
  t.is(guard.mode, 'write')
  await guard.downgrade('upgradable')
  t.is(guard.mode, 'upgradable')
  await guard.downgrade()
  await t.throwsAsync(guard.upgrade(), { code: 'ERR_LOCK_DEADLOCK' })
  t.throws(() => guard.downgrade('upgradable'), { code: 'ERR_INVALID_ARG_VALUE' })
  await guard.release()
  t.true(guard.released)
  await t.throwsAsync(guard.upgrade(), { code: 'ERR_LOCK_CLOSED' })
})

test('a pending upgrade ends with its hold', async (t) => {
  const lock = openLock(t)
  const guard = await lock.acquireUpgradable()
  const reader = await lock.acquireRead()
  const upgrade = guard.upgrade()
  await guard.release()
  await t.throwsAsync(upgrade, { code: 'ERR_LOCK_CLOSED' })
  await reader.release()
  t.deepEqual((await lock.inspect()).holders, [])
})

test('a closed lock rejects pending and later calls', async (t) => {
  const name = uniqueName(t)
  const [one, other] = [openLock(t, name), openLock(t, name)]
  await other.acquireWrite()
  const wait = one.acquireRead()
  await one.close()
  await t.throwsAsync(wait, { code: 'ERR_LOCK_CLOSED' })
  for (const call of [() => one.read(() => t.fail()), () => one.acquireWrite(), async () => one.tryRead()]) {
    await t.throwsAsync(call(), { code: 'ERR_LOCK_CLOSED' })
  }
  await other.close()
  const again = openLock(t, name)
  t.is((await again.tryWrite())?.mode, 'write')
})

test('a function whose lock was lost rejects, even if the function succeeded', async (t) => {
  const lost = Object.assign(new Error('the connection is gone'), { code: 'ERR_LOCK_LOST' })
  const lock = openLock(t)
  const run = lock.write((/** @type {any} */ guard) => {
    guard.grant.lost = lost
    return 'done'
  })
  t.is(await t.throwsAsync(run), lost)
})

test('arguments are checked, and a method without its lock or guard gives an error', async (t) => {
  const lock = openLock(t)
  await t.throwsAsync(lock.read(/** @type {any} */ ('no function')), { code: 'ERR_INVALID_ARG_TYPE' })
  await t.throwsAsync(lock.acquireRead({ timeout: -1 }), { code: 'ERR_INVALID_ARG_VALUE' })
  await t.throwsAsync(lock.acquireRead(/** @type {any} */ ({ signal: {} })), { code: 'ERR_INVALID_ARG_TYPE' })
  const { acquireWrite } = lock
  await t.throwsAsync(acquireWrite(), { code: 'ERR_INVALID_THIS' })
  const { release } = await lock.acquireRead()
  t.throws(() => release(), { code: 'ERR_INVALID_THIS' })
})

test('a lock and its guards can be disposed asynchronously', async (t) => {
  const lock = openLock(t)
  const guard = await lock.acquireWrite()
  await guard[Symbol.asyncDispose]()
  t.true(guard.released)
  t.is((await lock.tryWrite())?.mode, 'write')
  await lock[Symbol.asyncDispose]()
  await t.throwsAsync(lock.acquireRead(), { code: 'ERR_LOCK_CLOSED' })
})
