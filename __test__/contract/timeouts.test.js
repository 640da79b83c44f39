// The time limit of a wait: when it ends, what its error says, and that it leaves nothing behind.
import { LockError } from 'process-rwlock'
import { waitFor } from '../helpers/index.js'
import { queued, timed } from '../helpers/observe.js'
import { contract } from './contract.js'
import { acquire, isFree, never } from './modes.js'

contract(({ test, open, newRef, modes, otherProcess, otherThread }) => {
  for (const mode of modes) {
    test(`with timeout 0, ${mode} is granted if the lock is free, and does not wait if it is held`, async (t) => {
      const lock = open(t)
      t.is(await lock[mode]((guard) => guard.mode, { timeout: 0 }), mode)
      const guard = await acquire[mode](lock, { timeout: 0 })
      await guard.release()

      const writer = await lock.acquireWrite()
      const outcome = t.throwsAsync(lock[mode](never, { timeout: 0 }), {
        code: 'ERR_LOCK_TIMEOUT',
        instanceOf: LockError,
      })
      await outcome
      t.deepEqual((await lock.inspect()).waiters, [])
      await t.throwsAsync(acquire[mode](lock, { timeout: 0 }), { code: 'ERR_LOCK_TIMEOUT' })
      await writer.release()
      t.true(await isFree(lock))
    })

    test(`a wait for ${mode} ends when its timeout has passed, and not before`, async (t) => {
      const lock = open(t)
      const writer = await lock.acquireWrite()
      // Some libraries lose the fraction of a second.
      const [half, third] = await Promise.all([
        timed(() => lock[mode](never, { timeout: 500 })),
        timed(() => acquire[mode](lock, { timeout: 300.5 })),
      ])
      t.is(half.error?.code, 'ERR_LOCK_TIMEOUT')
      t.is(third.error?.code, 'ERR_LOCK_TIMEOUT')
      // Timers of JavaScript and of the kernel differ by less than a millisecond.
      t.true(half.ms >= 499 && half.ms < 5000, `${half.ms} ms`)
      t.true(third.ms >= 299.5 && third.ms < 5000, `${third.ms} ms`)
      await writer.release()
      t.is(await lock[mode]((guard) => guard.mode, { timeout: 10_000 }), mode)
    })

    test(`a wait for ${mode} without timeout, or with Infinity, lasts until the lock is free`, async (t) => {
      const lock = open(t)
      const writer = await lock.acquireWrite()
      const log = []
      const waits = [undefined, {}, { timeout: undefined }, { timeout: Infinity }, { timeout: 1e300 }].map(
        (options) => lock[mode](() => log.push('granted'), options),
      )
      // A short wait times out, and the others stay.
      await t.throwsAsync(lock[mode](never, { timeout: 20 }), { code: 'ERR_LOCK_TIMEOUT' })
      t.deepEqual(log, [])
      await writer.release()
      await Promise.all(waits)
      t.is(log.length, 5)
    })
  }

  test('the timeout limits the wait, never the hold', async (t) => {
    const lock = open(t)
    const result = await lock.write(
      async (guard) => {
        const start = performance.now()
        await waitFor(() => performance.now() - start > 60)
        t.false(guard.released)
        t.false(await isFree(lock))
        return 'done'
      },
      { timeout: 20 },
    )
    t.is(result, 'done')
  })

  test('a wait ends at its own timeout, even behind a longer wait in the queue', async (t) => {
    const lock = open(t)
    const writer = await lock.acquireWrite()
    const log = []
    await Promise.all([
      lock.acquireWrite({ timeout: 500 }).catch(() => log.push('500 ms')),
      lock.acquireRead({ timeout: 40 }).catch(() => log.push('40 ms')),
    ])
    t.deepEqual(log, ['40 ms', '500 ms'])
    await writer.release()
  })

  test('a request behind one that times out is granted then', async (t) => {
    const lock = open(t)
    const reader = await lock.acquireRead()
    const writer = t.throwsAsync(lock.acquireWrite({ timeout: 100 }), { code: 'ERR_LOCK_TIMEOUT' })
    const behind = lock.acquireRead({ timeout: 10_000 })
    await writer
    await (await behind).release()
    await reader.release()
  })

  test('a reader behind an upgradable request that times out is granted then', ['upgradable'], async (t) => {
    const lock = open(t)
    const holder = await lock.acquireUpgradable()
    const second = t.throwsAsync(lock.acquireUpgradable({ timeout: 100 }), { code: 'ERR_LOCK_TIMEOUT' })
    const behind = lock.acquireRead({ timeout: 10_000 })
    await second
    await (await behind).release()
    await holder.release()
  })

  test('a timeout that has passed when the wait begins is an ordinary timeout', async (t) => {
    const lock = open(t)
    const writer = await lock.acquireWrite()
    for (const mode of modes) {
      await t.throwsAsync(lock[mode](never, { timeout: 1e-6 }), { code: 'ERR_LOCK_TIMEOUT' })
      await t.throwsAsync(acquire[mode](lock, { timeout: Number.MIN_VALUE }), { code: 'ERR_LOCK_TIMEOUT' })
    }
    t.deepEqual((await lock.inspect()).waiters, [])
    await writer.release()
    t.true(await isFree(lock))
  })

  test(
    'after a writer timed out, the readers behind it are granted together with the reader before it',
    ['fairness', 'processes'],
    async (t) => {
      const ref = newRef(t)
      const lock = open(t, ref, { fairness: 0 })
      const [holder, writer, reader] = await Promise.all([otherProcess(t), otherProcess(t), otherProcess(t)])
      await holder.ask('hold', { ref, mode: 'read' })
      await Promise.all([writer.ask('open', { ref }), reader.ask('open', { ref })])
      const waits = timed(() => writer.ask('acquireWrite', { options: { timeout: 1000 } }))
      await queued(lock, writer)
      const behind = reader.ask('acquireRead')
      const here = lock.read((guard) => guard.mode)
      await Promise.race([queued(lock, reader), waits])
      t.is((await waits).error.code, 'ERR_LOCK_TIMEOUT')
      t.is((await behind).mode, 'read')
      t.is(await here, 'read')
    },
  )

  test(
    'after a writer of this thread timed out, the readers behind it are granted',
    ['fairness', 'processes'],
    async (t) => {
      const ref = newRef(t)
      const lock = open(t, ref, { fairness: 0 })
      const holder = await otherProcess(t)
      await holder.ask('hold', { ref, mode: 'read' })
      const writer = lock.acquireWrite({ timeout: 100 })
      const reader = lock.read((guard) => guard.mode)
      await t.throwsAsync(writer, { code: 'ERR_LOCK_TIMEOUT' })
      t.is(await reader, 'read')
    },
  )

  test('timeouts in the queue do not change the order of the rest', ['fairness'], async (t) => {
    const lock = open(t, undefined, { fairness: 0 })
    const log = []
    const writer = await lock.acquireWrite()
    const timeouts = []
    const waits = []
    for (let i = 0; i < 10; i++) {
      waits.push(lock.write(() => log.push(i)))
      timeouts.push(lock.write(never, { timeout: 10 + i }))
    }
    for (const end of timeouts) await t.throwsAsync(end, { code: 'ERR_LOCK_TIMEOUT' })
    await writer.release()
    await Promise.all(waits)
    t.deepEqual(log, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
  })

  test(
    'a grant at the moment of the timeout is either delivered or returned, never lost',
    ['threads'],
    async (t) => {
      const ref = newRef(t)
      const lock = open(t, ref)
      const thread = await otherThread(t)
      await thread.ask('open', { ref })
      let granted = 0
      let timedOut = 0
      for (let round = 0; round < 150; round++) {
        await thread.ask('acquireWrite')
        const waits = acquire[modes[round % modes.length]](lock, { timeout: (round % 16) / 8 })
        const released = thread.ask('release')
        await waits.then(
          async (guard) => {
            granted++
            await guard.release()
          },
          (error) => {
            timedOut++
            t.is(error.code, 'ERR_LOCK_TIMEOUT')
          },
        )
        await released
        if (!(await isFree(lock))) return t.fail(`lost in round ${round}`)
      }
      t.is(granted + timedOut, 150)
      t.true(timedOut > 0)
    },
  )

  test(
    'the error of a timeout names the holder of the lock, its mode and how long it has held it',
    ['processes'],
    async (t) => {
      const ref = newRef(t)
      const lock = open(t, ref)
      const child = await otherProcess(t)
      await child.ask('hold', { ref, mode: 'write', options: { label: 'rebuild' } })
      const error = await t.throwsAsync(lock.read(never, { timeout: 30 }), { instanceOf: LockError })
      t.is(error.name, 'LockError')
      t.is(error.code, 'ERR_LOCK_TIMEOUT')
      t.regex(error.message, new RegExp(`held for write by pid ${child.pid} \\('rebuild'\\) for \\d+ m?s`))
      t.true(error.message.includes(ref), 'it says which lock')
      t.regex(error.message, /\b30 ms\b/)
      t.is(error.holders?.length, 1)
      t.like(error.holders?.[0], { pid: child.pid, threadId: 0, mode: 'write', count: 1, label: 'rebuild' })
      t.true((error.holders?.[0].ms ?? -1) >= 20)
    },
  )

  test('the error of a timeout names every holder', ['processes'], async (t) => {
    const ref = newRef(t)
    const lock = open(t, ref)
    const children = await Promise.all([otherProcess(t), otherProcess(t), otherProcess(t)])
    await Promise.all(children.map((child) => child.ask('hold', { ref, mode: 'read' })))
    for (const timeout of [0, 20]) {
      const error = await t.throwsAsync(lock.write(never, { timeout }), { instanceOf: LockError })
      t.deepEqual(
        error.holders?.map(({ pid, mode }) => [pid, mode]).sort(),
        children.map(({ pid }) => [pid, 'read']).sort(),
      )
      const named = error.message.match(/held for read by (.*)/)?.[1] ?? ''
      for (const { pid } of children) t.regex(named, new RegExp(`\\bpid ${pid}\\b`))
    }
  })

  test('a function does not run when its nested acquisition times out', async (t) => {
    const lock = open(t)
    let ran = false
    const body = () => {
      ran = true
    }
    for (const outer of modes) {
      for (const inner of modes) {
        const granted = (outer === 'read' || inner === 'read') && outer !== 'write' && inner !== 'write'
        if (granted) continue
        await t.throwsAsync(
          lock[outer](async () => {
            await lock[inner](body, { timeout: 20 })
            body()
          }),
          { code: 'ERR_LOCK_TIMEOUT' },
          `${inner} in ${outer}`,
        )
        t.false(ran)
        t.true(await isFree(lock))
      }
    }
  })

  test('the error names the thread itself when it waits for its own hold', async (t) => {
    const lock = open(t)
    const error = await t.throwsAsync(
      lock.write(() => lock.write(never, { timeout: 20 }), { label: 'outer' }),
      {
        instanceOf: LockError,
        message: new RegExp(`pid ${process.pid} \\('outer'\\)`),
      },
    )
    t.like(error.holders, [{ pid: process.pid, mode: 'write', label: 'outer' }])
  })
})
