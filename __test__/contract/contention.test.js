// Notices to holders: contended, whenContended(), yield(), signal.
import { setImmediate, setTimeout } from 'node:timers/promises'
import { LockError } from 'process-rwlock'
import { waitFor } from '../helpers/index.js'
import { queued } from '../helpers/observe.js'
import { contract } from './contract.js'
import { acquire, isFree, never, TOGETHER } from './modes.js'

const PENDING = Symbol('pending')

/** The value of a promise that has settled, else `PENDING`. @param {Promise<any>} promise */
async function settledBy(promise) {
  for (let turn = 0; turn < 5; turn++) await setImmediate()
  return Promise.race([promise, PENDING])
}

contract(({ test, open, newRef, modes, otherProcess, otherThread }) => {
  // ---- contended

  test(
    'a hold is contended while a request waits that it keeps out, and by no other',
    ['contention'],
    async (t) => {
      for (const held of modes) {
        for (const wanted of modes) {
          const ref = newRef(t)
          const [lock, other] = [open(t, ref), open(t, ref)]
          const guard = await acquire[held](lock)
          const contended = async () => [guard.contended, (await lock.inspect()).contended]
          t.deepEqual(await contended(), [false, false])
          const wait = acquire[wanted](other)
          if (TOGETHER[held][wanted]) {
            await (await wait).release()
            t.deepEqual(await contended(), [false, false], `${wanted} beside ${held}`)
          } else {
            await waitFor(() => guard.contended, { what: `${wanted} behind ${held}` })
            t.deepEqual(await contended(), [true, true])
          }
          await guard.release()
          await (await wait).release()
          t.deepEqual(await contended(), [false, false])
        }
      }
    },
  )

  test('a request that has ended its wait does not contend', ['contention'], async (t) => {
    const lock = open(t)
    const guard = await lock.acquireWrite()
    const wait = lock.write(never, { timeout: 30 })
    await waitFor(() => guard.contended)
    await t.throwsAsync(wait, { code: 'ERR_LOCK_TIMEOUT' })
    t.false(guard.contended)
    t.false((await lock.inspect()).contended)
  })

  // ---- whenContended

  for (const other of /** @type {const} */ (['process', 'thread'])) {
    test(
      `a notice comes when another ${other} waits, and not before`,
      ['contention', other === 'process' ? 'processes' : 'threads', 'upgradable'],
      async (t) => {
        const [waiter] = await Promise.all([other === 'process' ? otherProcess(t) : otherThread(t)])
        for (const held of modes) {
          const ref = newRef(t)
          const lock = open(t, ref)
          const guard = await acquire[held](lock)
          await waiter.ask('open', { ref })
          const notice = guard.whenContended()
          t.is(await settledBy(notice), PENDING)
          const wait = waiter.ask('acquireWrite')
          await notice
          t.true(guard.contended)
          await guard.release()
          t.is((await wait).mode, 'write')
          await waiter.ask('release')
        }
      },
    )
  }

  test('a notice comes at once if somebody waits already', ['contention'], async (t) => {
    const lock = open(t)
    const guard = await lock.acquireWrite()
    const wait = lock.acquireRead()
    await waitFor(() => guard.contended)
    t.is(await settledBy(guard.whenContended()), undefined)
    t.is(await settledBy(guard.whenContended()), undefined) // as often as it is asked for
    await guard.release()
    await (await wait).release()
  })

  test('every guard that asked has its own notice', ['contention'], async (t) => {
    const ref = newRef(t)
    const [lock, second] = [open(t, ref), open(t, ref)]
    const guards = [await lock.acquireRead(), await lock.acquireRead(), await second.acquireRead()]
    const notices = guards.flatMap((guard) => [guard.whenContended(), guard.whenContended()])
    const wait = lock.acquireWrite()
    t.deepEqual(await Promise.all(notices), Array(6).fill(undefined))
    for (const guard of guards) await guard.release()
    await (await wait).release()
  })

  test('a request that a hold does not keep out gives no notice', ['contention'], async (t) => {
    const lock = open(t)
    const guard = await lock.acquireRead()
    const notice = guard.whenContended()
    await lock.read(() => {})
    t.is(await settledBy(notice), PENDING)
    await guard.release()
    await notice
  })

  test('a notice resolves when the hold ends', ['contention'], async (t) => {
    const lock = open(t)
    const guard = await lock.acquireWrite()
    const notice = guard.whenContended()
    await guard.release()
    t.is(await settledBy(notice), undefined)
    t.is(await settledBy(guard.whenContended()), undefined)

    const closed = await lock.acquireWrite()
    const other = closed.whenContended()
    await lock.close()
    t.is(await settledBy(other), undefined)
  })

  test('a notice follows the mode of its hold', ['contention', 'upgradable'], async (t) => {
    const ref = newRef(t)
    const [lock, other] = [open(t, ref), open(t, ref)]
    const guard = await lock.acquireUpgradable()
    const notice = guard.whenContended()
    await other.read(() => {})
    t.is(await settledBy(notice), PENDING)
    await guard.upgrade()
    t.is(await settledBy(notice), PENDING)
    const reads = other.acquireRead()
    await notice

    await guard.downgrade('upgradable')
    await (await reads).release()
    const second = guard.whenContended()
    await guard.downgrade('read')
    t.is(await settledBy(second), PENDING)
    await (await other.acquireUpgradable()).release()
    t.is(await settledBy(second), PENDING)
    const writes = other.acquireWrite()
    await second
    await guard.release()
    await (await writes).release()
  })

  test('a signal ends the wait for a notice, and nothing else', ['contention'], async (t) => {
    const lock = open(t)
    const guard = await lock.acquireWrite()
    const reason = new Error('enough')
    const controller = new AbortController()
    const notice = guard.whenContended({ signal: controller.signal })
    controller.abort(reason)
    t.is(await t.throwsAsync(notice), reason)
    t.is(await t.throwsAsync(guard.whenContended({ signal: controller.signal })), reason)
    t.false(guard.released)
    await t.throwsAsync(guard.whenContended(/** @type {any} */ (7)), { code: 'ERR_INVALID_ARG_TYPE' })
    await t.throwsAsync(guard.whenContended(/** @type {any} */ ({ signal: 7 })), {
      code: 'ERR_INVALID_ARG_TYPE',
    })
  })

  test(
    'a notice comes although the process that waited first has died',
    ['contention', 'processes'],
    async (t) => {
      const ref = newRef(t)
      const lock = open(t, ref)
      const [first, second] = await Promise.all([otherProcess(t), otherProcess(t)])
      const guard = await lock.acquireWrite()
      await Promise.all([first.ask('open', { ref }), second.ask('open', { ref })])
      first.ask('acquireWrite').catch(() => {})
      await queued(lock, first)
      await first.kill()
      const wait = second.ask('acquireWrite')
      await guard.whenContended()
      await guard.release()
      t.is((await wait).mode, 'write')
    },
  )

  // ---- yield

  test(
    'a hold that yields is behind those that wait, and before those that come later',
    ['fairness'],
    async (t) => {
      const lock = open(t, undefined, { fairness: 0 })
      const log = []
      const use = (name) => lock.write(() => log.push(name))
      const guard = await lock.acquireWrite()
      const token = guard.token
      const uses = [use('first'), use('second')]
      const back = guard.yield().then(() => log.push('again'))
      t.true(guard.released)
      uses.push(use('later'))
      await back
      t.deepEqual(log, ['first', 'second', 'again'])
      t.false(guard.released)
      t.is(guard.mode, 'write')
      t.true(guard.token > token)
      await guard.release()
      await Promise.all(uses)
      t.deepEqual(log, ['first', 'second', 'again', 'later'])
      t.true(await isFree(lock))
    },
  )

  test(
    'a hold that yields lets other processes go first',
    ['processes', 'contention', 'upgradable'],
    async (t) => {
      const other = await otherProcess(t)
      for (const held of modes) {
        const ref = newRef(t)
        const lock = open(t, ref)
        await other.ask('open', { ref })
        const guard = await acquire[held](lock)
        const wait = other.ask('acquireWrite')
        await guard.whenContended()
        const back = guard.yield()
        t.is((await wait).mode, 'write')
        t.is(await settledBy(back), PENDING)
        await other.ask('release')
        await back
        t.like(guard, { mode: held, released: false, contended: false })
        await guard.release()
        t.true(await isFree(lock))
      }
    },
  )

  test('a hold yields also if nobody waits', async (t) => {
    const lock = open(t)
    for (const mode of modes) {
      const guard = await acquire[mode](lock, { label: 'yields' })
      await guard.yield()
      t.false(guard.released)
      t.is(guard.mode, mode)
      t.like(await lock.inspect(), { holders: [{ mode, label: 'yields', count: 1 }] })
      await guard.release()
      t.true(await isFree(lock))
    }
  })

  test('a yield that fails has ended the hold', async (t) => {
    const lock = open(t)
    const late = await lock.acquireWrite()
    const first = lock.acquireWrite()
    await t.throwsAsync(late.yield({ timeout: 30 }), { code: 'ERR_LOCK_TIMEOUT' })
    t.true(late.released)
    await t.throwsAsync(late.yield(), { code: 'ERR_LOCK_CLOSED' })

    const holder = await first
    const aborted = lock.acquireWrite()
    const controller = new AbortController()
    const wait = holder.yield({ signal: controller.signal })
    const second = await aborted
    const reason = new Error('enough')
    controller.abort(reason)
    t.is(await t.throwsAsync(wait), reason)
    t.true(holder.released)
    t.is(await t.throwsAsync(second.yield({ signal: controller.signal })), reason)
    t.false(second.released, 'the signal had aborted before')
    await second.release()
    t.true(await isFree(lock))
  })

  test('a release ends a yield', async (t) => {
    const lock = open(t)
    const guard = await lock.acquireWrite()
    const wait = lock.acquireWrite()
    const back = guard.yield()
    await guard.release()
    await t.throwsAsync(back, { code: 'ERR_LOCK_CLOSED' })
    await (await wait).release()
    t.true(guard.released)
    t.true(await isFree(lock))
  })

  test('a function that returns while its guard yields does not hold the lock again', async (t) => {
    const lock = open(t)
    const first = await lock.acquireWrite()
    const wait = lock.write((guard) => {
      lock.write(() => setTimeout(10)).catch(t.fail)
      guard.yield().then(
        () => t.fail('it holds the lock again'),
        () => {},
      )
    })
    await first.release()
    await wait
    await waitFor(() => isFree(lock))
    t.pass()
  })

  test('the next holder and the one that yields see who died', ['ownerDied', 'processes'], async (t) => {
    const ref = newRef(t)
    const lock = open(t, ref)
    const child = await otherProcess(t)
    await child.ask('hold', { ref, mode: 'write' })
    await child.kill()
    const guard = await lock.acquireWrite()
    t.is(guard.ownerDied?.pid, child.pid)
    await guard.yield()
    t.is(guard.ownerDied, null, 'it ended consistent')
  })

  // ---- signal

  test('the signal of a hold aborts when its lock is closed, and not when it is released', async (t) => {
    const lock = open(t)
    const released = await lock.acquireRead()
    const { signal } = released
    t.is(released.signal, signal)
    await released.release()
    const guard = await lock.acquireRead()
    const lost = guard.signal
    t.false(lost.aborted)
    await guard.yield()
    t.is(guard.signal, lost)
    await lock.close()
    t.true(lost.aborted)
    t.true(lost.reason instanceof LockError)
    t.is(lost.reason.code, 'ERR_LOCK_CLOSED')
    t.false(signal.aborted)
    t.false(released.signal.aborted)
  })

  test('a signal that is asked for after the loss has aborted', async (t) => {
    const lock = open(t)
    const guard = await lock.acquireRead()
    await lock.close()
    t.true(guard.signal.aborted)
  })
})
