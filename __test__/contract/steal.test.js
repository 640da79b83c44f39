// Steals, which Web Locks need: a request that takes the lock from its holders. Not part of RWLock.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate, setTimeout } from 'node:timers/promises'
import { tempDir, waitFor } from '../helpers/index.js'
import { holding, queued } from '../helpers/observe.js'
import { contract } from './contract.js'
import { acquire, isFree, never } from './modes.js'

const STEALABLE = { stealable: true }

/** Resolves with the reason when the hold is lost. @param {any} guard @returns {Promise<any>} */
function lossOf({ signal }) {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(signal.reason)
    else signal.addEventListener('abort', () => resolve(signal.reason), { once: true })
  })
}

/**
 * Keeps the event loop of a process busy until `end()`.
 *
 * @param {import('./contract.js').Test} t
 * @param {any} child
 */
async function makeBusy(t, child) {
  const until = join(tempDir(t), 'end')
  const answer = child.ask('busy', { until }, { bound: 25_000 })
  answer.catch(() => {}) // it may be killed
  await child.next('busy')
  return {
    end() {
      writeFileSync(until, '')
      return answer
    },
  }
}

contract(({ test, open, newRef, modes, otherProcess, otherThread, steal }) => {
  test('a steal takes the lock from a holder of any mode', ['steal'], async (t) => {
    for (const mode of modes) {
      const ref = newRef(t)
      const [lock, other] = [open(t, ref, STEALABLE), open(t, ref)]
      const guard = await acquire[mode](lock)
      const granted = steal(other, { label: 'thief' })
      let inTime
      guard.signal.addEventListener('abort', () => {
        inTime = guard.released && guard.signal.reason.code === 'ERR_LOCK_LOST'
      })
      const thief = await granted
      t.true(inTime, `the holder for ${mode} learns of it before the lock is granted`)
      t.like(thief, { mode: 'write', released: false })
      t.true(thief.token > guard.token || mode === 'write')
      const { holders } = await other.inspect()
      t.like(holders, [{ mode: 'write', label: 'thief', count: 1 }])
      t.is(holders.length, 1)
      await guard.release() // no effect
      t.is(await lock.tryRead(), null)
      await thief.release()
      t.true(await isFree(lock))
    }
  })

  test('the lock is not granted before the listeners of the signal have run', ['steal'], async (t) => {
    const ref = newRef(t)
    const [lock, other] = [open(t, ref, STEALABLE), open(t, ref)]
    const guard = await lock.acquireWrite()
    const log = []
    const granted = steal(other).then((thief) => {
      log.push('granted')
      return thief
    })
    guard.signal.addEventListener('abort', () => {
      const end = performance.now() + 30
      while (performance.now() < end);
      log.push('aborted')
    })
    await (await granted).release()
    t.deepEqual(log, ['aborted', 'granted'])
  })

  test('a steal takes a free lock, and the lock of its own thread and handle', ['steal'], async (t) => {
    const lock = open(t, undefined, STEALABLE)
    const first = await steal(lock)
    const second = await steal(lock)
    t.deepEqual([first.released, second.released], [true, false])
    t.is(first.signal.reason.code, 'ERR_LOCK_LOST')
    await second.release()
    t.true(await isFree(lock))
  })

  test('a steal takes the lock from all of its readers', ['steal'], async (t) => {
    const ref = newRef(t)
    const locks = [open(t, ref, STEALABLE), open(t, ref, STEALABLE)]
    const guards = [await locks[0].acquireRead(), await locks[0].acquireRead(), await locks[1].acquireRead()]
    const losses = guards.map(lossOf)
    const thief = await steal(open(t, ref))
    t.deepEqual(
      (await Promise.all(losses)).map(({ code }) => code),
      Array(3).fill('ERR_LOCK_LOST'),
    )
    t.is((await locks[0].inspect()).holders.length, 1)
    await thief.release()
    t.true(await isFree(locks[0]))
  })

  test('a steal goes before those that wait, and they keep their order', ['steal'], async (t) => {
    const lock = open(t, undefined, STEALABLE)
    const log = []
    const use = (name, mode) => lock[mode](() => log.push(name))
    const guard = await lock.acquireRead()
    const waits = [use('first', 'write'), use('second', 'read'), use('third', 'write')]
    const thief = await steal(lock)
    t.deepEqual(log, [])
    t.true(guard.released)
    const later = use('fourth', 'write')
    log.push('thief')
    await thief.release()
    await Promise.all([...waits, later])
    t.deepEqual(log, ['thief', 'first', 'second', 'third', 'fourth'])
  })

  test('requests that are granted together settle in their order', ['steal'], async (t) => {
    const lock = open(t, undefined, STEALABLE)
    const log = []
    const guard = await lock.acquireWrite()
    const reads = [0, 1, 2, 3].map((number) => lock.read(() => log.push(number)))
    await guard.release()
    await Promise.all(reads)
    t.deepEqual(log, [0, 1, 2, 3])
  })

  test('of several steals the last one keeps the lock', ['steal'], async (t) => {
    const ref = newRef(t)
    const locks = [open(t, ref, STEALABLE), open(t, ref, STEALABLE), open(t, ref, STEALABLE)]
    const waiting = locks[0].acquireWrite()
    const before = await waiting
    const ordinary = locks[1].acquireRead()
    const guards = await Promise.all(locks.map((lock) => steal(lock)))
    await waitFor(() => guards[1].released)
    t.deepEqual(
      [before, ...guards].map(({ released }) => released),
      [true, true, true, false],
    )
    await setTimeout(30)
    t.false(guards[2].released)
    await guards[2].release()
    await (await ordinary).release()
  })

  test('a stolen guard has ended', ['steal', 'upgradable', 'contention'], async (t) => {
    const ref = newRef(t)
    const [lock, other] = [open(t, ref, STEALABLE), open(t, ref)]
    const guard = await lock.acquireUpgradable()
    const reader = await lock.acquireRead()
    const notice = guard.whenContended()
    const upgrade = guard.upgrade()
    const ends = t.throwsAsync(upgrade, { code: 'ERR_LOCK_LOST' })
    const thief = await steal(other)
    await ends
    await notice
    t.true(reader.released)
    t.true(guard.signal.aborted, 'asked for after the loss')
    t.false(guard.contended)
    await t.throwsAsync(guard.upgrade(), { code: 'ERR_LOCK_LOST', message: /stolen/ })
    await t.throwsAsync(guard.yield(), { code: 'ERR_LOCK_LOST' })
    await t.throwsAsync(async () => guard.tryUpgrade(), { code: 'ERR_LOCK_LOST' })
    await t.throwsAsync(async () => guard.downgrade(), { code: 'ERR_LOCK_LOST' })
    await guard[Symbol.asyncDispose]()
    t.false(thief.released)
    await thief.release()
  })

  test('a function whose hold was stolen rejects, even if it returned', ['steal'], async (t) => {
    const ref = newRef(t)
    const [lock, other] = [open(t, ref, STEALABLE), open(t, ref)]
    const thrown = new Error('from the function')
    let thief
    const robbed = async (guard) => {
      thief = steal(other)
      await lossOf(guard)
    }
    const returns = lock.write(async (guard) => {
      await robbed(guard)
      return 'done'
    })
    await t.throwsAsync(returns, { code: 'ERR_LOCK_LOST' })
    await (await thief)?.release()
    const throws = lock.write(async (guard) => {
      await robbed(guard)
      throw thrown
    })
    t.is(await t.throwsAsync(throws), thrown)
    await (await thief)?.release()
    t.true(await isFree(lock))
  })

  test('a lock that does not allow steals keeps its hold, and the steal is next', ['steal'], async (t) => {
    const ref = newRef(t)
    const [lock, other] = [open(t, ref), open(t, ref, STEALABLE)]
    const guard = await lock.acquireWrite()
    const wait = other.acquireRead()
    let isGranted = false
    const granted = steal(other).then((thief) => {
      isGranted = true
      return thief
    })
    await setTimeout(30)
    t.deepEqual([guard.released, guard.signal.aborted, isGranted], [false, false, false])
    await guard.release()
    const thief = await granted
    t.is((await other.inspect()).waiters.length, 1)
    await thief.release()
    await (await wait).release()
  })

  test('a steal that was given up robs nobody', ['steal'], async (t) => {
    const ref = newRef(t)
    const [lock, other] = [open(t, ref, STEALABLE), open(t, ref)]
    const guard = await lock.acquireWrite()
    const controller = new AbortController()
    const reason = new Error('enough')
    const aborted = steal(other, { signal: controller.signal })
    controller.abort(reason)
    t.is(await t.throwsAsync(aborted), reason)
    await t.throwsAsync(steal(other, { signal: AbortSignal.abort(reason) }), { is: reason })
    await setTimeout(30)
    t.deepEqual([guard.released, guard.signal.aborted], [false, false])
    await guard.release()

    // Neither when others hold the lock later.
    const foreign = await other.acquireWrite()
    await t.throwsAsync(steal(other, { timeout: 20 }), { code: 'ERR_LOCK_TIMEOUT' })
    await foreign.release()
    const later = await lock.acquireWrite()
    await setTimeout(30)
    t.false(later.released)
    await later.release()
  })

  test('a hold that yields is not stolen while it waits', ['steal'], async (t) => {
    const lock = open(t, undefined, STEALABLE)
    const guard = await lock.acquireWrite()
    const first = lock.acquireWrite()
    const back = guard.yield()
    const holder = await first
    const thief = await steal(lock)
    t.deepEqual([holder.signal.aborted, guard.signal.aborted], [true, false])
    await thief.release()
    await back
    t.false(guard.released)
    await guard.release()
  })

  // ---- other processes and threads

  for (const kind of /** @type {const} */ (['process', 'thread'])) {
    const other = kind === 'process' ? otherProcess : otherThread
    const needs = /** @type {const} */ ([kind === 'process' ? 'processes' : 'threads', 'steal'])

    test(`a steal takes the lock from another ${kind}, and back`, [...needs], async (t) => {
      const holder = await other(t)
      for (const mode of modes) {
        const ref = newRef(t)
        const lock = open(t, ref, STEALABLE)
        await holder.ask('open', { ref, options: STEALABLE })
        await holder.ask(`acquire${mode[0].toUpperCase()}${mode.slice(1)}`)
        const loss = holder.ask('lossOf')
        const thief = await steal(lock)
        t.is(await loss, 'ERR_LOCK_LOST')
        t.true((await holder.ask('describe')).released)
        const back = holder.ask('steal')
        t.is((await lossOf(thief)).code, 'ERR_LOCK_LOST')
        t.like(await back, { mode: 'write', released: false })
        await holder.ask('release')
        t.true(await isFree(lock))
      }
    })

    test(`a steal takes the lock from readers of several owners (${kind})`, [...needs], async (t) => {
      const ref = newRef(t)
      const lock = open(t, ref, STEALABLE)
      const readers = await Promise.all([other(t), other(t), other(t)])
      for (const reader of readers) {
        await reader.ask('open', { ref, options: STEALABLE })
        await reader.ask('acquireRead')
      }
      const waits = readers.map((reader) => reader.ask('acquireWrite'))
      for (const reader of readers) await queued(lock, reader)
      const losses = readers.map((reader) => reader.ask('lossOf'))
      const thief = await steal(lock)
      t.deepEqual(await Promise.all(losses), Array(3).fill('ERR_LOCK_LOST'))
      await waitFor(async () => (await lock.inspect()).waiters.length === 3)
      await thief.release()
      for (let turn = 0; turn < 3; turn++) {
        const [granted, index] = await Promise.race(waits.map((wait, at) => wait.then((it) => [it, at])))
        t.is(granted.mode, 'write')
        await readers[index].ask('release')
        waits[index] = new Promise(() => {})
      }
    })
  }

  test('a holder whose loop does not run keeps the lock until it runs', ['processes', 'steal'], async (t) => {
    const ref = newRef(t)
    const lock = open(t, ref)
    const holder = await otherProcess(t)
    await holder.ask('open', { ref, options: STEALABLE })
    await holder.ask('acquireWrite')
    const busy = await makeBusy(t, holder)
    await t.throwsAsync(steal(lock, { timeout: 150 }), { code: 'ERR_LOCK_TIMEOUT' })
    await busy.end()
    await setTimeout(50)
    t.false((await holder.ask('describe')).released, 'the steal had been given up')
    const again = await makeBusy(t, holder)
    let isGranted = false
    const granted = steal(lock).then((thief) => {
      isGranted = true
      return thief
    })
    await setTimeout(150)
    t.false(isGranted)
    await again.end()
    await (await granted).release()
  })

  test('a steal of a process that died robs nobody', ['processes', 'steal'], async (t) => {
    const ref = newRef(t)
    const lock = open(t, ref)
    const [holder, thief] = await Promise.all([otherProcess(t), otherProcess(t)])
    await holder.ask('open', { ref, options: STEALABLE })
    await thief.ask('open', { ref })
    await holder.ask('acquireWrite')
    const busy = await makeBusy(t, holder)
    thief.ask('steal').catch(() => {})
    await queued(lock, thief)
    await thief.kill()
    await busy.end()
    await setTimeout(50)
    t.false((await holder.ask('describe')).released)
    await holder.ask('release')
    t.true(await isFree(lock))
  })

  test('a holder that dies instead of giving up is robbed too', ['processes', 'steal'], async (t) => {
    const ref = newRef(t)
    const lock = open(t, ref)
    const holder = await otherProcess(t)
    await holder.ask('open', { ref, options: STEALABLE })
    await holder.ask('acquireWrite')
    await makeBusy(t, holder)
    const granted = steal(lock)
    await setTimeout(20)
    await holder.kill()
    const thief = await granted
    t.is(thief.ownerDied?.pid, holder.pid)
    await thief.release()
  })

  test(
    'a stolen hold does not clear the death of an earlier writer',
    ['processes', 'ownerDied', 'steal'],
    async (t) => {
      const ref = newRef(t)
      const lock = open(t, ref, STEALABLE)
      const child = await otherProcess(t)
      await child.ask('hold', { ref, mode: 'write' })
      await child.kill()
      const guard = await lock.acquireWrite()
      t.is(guard.ownerDied?.pid, child.pid)
      const thief = await steal(lock)
      t.true(guard.released)
      t.is(thief.ownerDied?.pid, child.pid, 'it ended as failed')
      await thief.release()
      t.is((await lock.inspect()).ownerDied, null)
    },
  )

  test('the wish to be told keeps no process alive', ['processes', 'steal'], async (t) => {
    const ref = newRef(t)
    const lock = open(t, ref)
    const child = await otherProcess(t)
    await child.ask('open', { ref, options: STEALABLE })
    await child.ask('acquireRead')
    await holding(lock, child)
    child.ask('finish').catch(() => {})
    await child.exited
    await waitFor(() => isFree(lock), { what: 'the process has ended' })
    t.pass()
  })

  // ---- synchronous

  test(
    'a synchronous function is not robbed, and its thread gives up afterwards',
    ['processes', 'sync', 'steal'],
    async (t) => {
      const ref = newRef(t)
      const lock = /** @type {import('process-rwlock').RWLock} */ (open(t, ref, STEALABLE))
      const child = await otherProcess(t)
      await child.ask('open', { ref })
      const guard = lock.acquireReadSync()
      let wait = Promise.resolve()
      lock.readSync((inner) => {
        wait = child.ask('steal')
        const end = performance.now() + 200
        while (performance.now() < end && !guard.contended);
        t.true(guard.contended)
        lock.tryRead()?.release() // no call of the holder ends its hold
        t.deepEqual([guard.released, inner.released, guard.signal.aborted], [false, false, false])
      })
      t.false(guard.released)
      t.like(await wait, { mode: 'write' })
      t.true(guard.released)
      guard.release()
      await child.ask('release')
      const writer = lock.acquireWriteSync()
      const again = child.ask('steal')
      t.is((await lossOf(writer)).code, 'ERR_LOCK_LOST')
      await again
      await child.ask('release')
    },
  )

  test('closing a lock that allows steals ends its holds as before', ['steal'], async (t) => {
    const ref = newRef(t)
    const [lock, other] = [open(t, ref, STEALABLE), open(t, ref)]
    const guard = await lock.acquireWrite()
    const wait = lock.write(never)
    const { signal } = guard
    await lock.close()
    t.is(signal.reason.code, 'ERR_LOCK_CLOSED')
    await t.throwsAsync(wait, { code: 'ERR_LOCK_CLOSED' })
    await (await steal(other)).release()
    await setImmediate()
  })
})
