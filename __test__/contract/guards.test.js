// Changing the mode of a hold: upgrade, tryUpgrade, downgrade; and a guard after its end.
import { setImmediate } from 'node:timers/promises'
import { waitFor } from '../helpers/index.js'
import { queued, seenBy } from '../helpers/observe.js'
import { contract } from './contract.js'
import { acquire, isFree, ops, TOGETHER, tryTo } from './modes.js'

contract(({ test, open, newRef, modes, otherProcess, otherThread }) => {
  // ---- upgrade

  test(
    'an upgradable hold becomes the write hold immediately if there are no readers',
    ['upgradable'],
    async (t) => {
      const lock = open(t)
      const before = await lock.write((guard) => guard.token)
      const guard = await lock.acquireUpgradable()
      t.is(guard.token, before)
      t.is(await guard.upgrade(), undefined)
      t.is(guard.mode, 'write')
      t.true(guard.token > before)
      t.false(guard.released)
      t.is(await lock.tryRead(), null)
      t.is((await lock.inspect()).holders.length, 1)
      t.like(await lock.inspect(), { holders: [{ mode: 'write' }] })
      await guard.release()
      t.true(await isFree(lock))
    },
  )

  test(
    'an upgrade waits for the present readers of all processes, and for nothing else',
    ['upgradable', 'processes'],
    async (t) => {
      const ref = newRef(t)
      const lock = open(t, ref)
      const child = await otherProcess(t)
      await child.ask('hold', { ref, mode: 'read' })
      const here = await lock.acquireRead()
      const guard = await lock.acquireUpgradable()

      let upgraded = false
      const upgrade = guard.upgrade().then(() => {
        upgraded = true
      })
      await waitFor(async () => (await lock.inspect()).waiters.length === 1)
      t.is(guard.mode, 'upgradable')
      await here.release()
      for (let turn = 0; turn < 5; turn++) await setImmediate()
      t.false(upgraded)
      await child.ask('release')
      await upgrade
      t.is(guard.mode, 'write')
      t.is(await child.ask('tryRead'), null)
      await guard.release()
      t.is((await child.ask('tryRead')).mode, 'read')
    },
  )

  test(
    'while an upgrade waits, new requests of every mode wait behind it',
    ['upgradable', 'processes'],
    async (t) => {
      const ref = newRef(t)
      const lock = open(t, ref)
      const [reader, other] = await Promise.all([otherProcess(t), otherProcess(t)])
      for (const child of [reader, other]) await child.ask('open', { ref })
      /** @type {string[] | undefined} */
      let before
      // An upgrade that is late when the readers have left is passed, which can happen on a busy machine.
      for (let go = 0; go < 12 && before?.length !== 0; go++) {
        await reader.ask('acquireRead')
        const guard = await lock.acquireUpgradable()
        const upgrade = guard.upgrade()
        await queued(seenBy(other), process)

        for (const mode of modes) {
          t.is(await tryTo[mode](lock), null, mode)
          t.is(await other.ask(ops[mode].try), null, mode)
        }
        /** @type {string[]} */
        const log = []
        const here = lock.read(() => log.push('here'))
        const there = other.ask('acquireRead').then(() => {
          log.push('there')
          return other.ask('release')
        })
        await queued(lock, other)
        t.deepEqual(log, [])
        await reader.ask('release')
        await upgrade
        t.is(guard.mode, 'write')
        before = [...log]
        await guard.release()
        await Promise.all([here, there])
        t.is(log.length, 2)
      }
      t.deepEqual(before, [])
    },
  )

  test(
    'a hold that is being upgraded is shown as an upgradable holder and as a waiting writer',
    ['upgradable', 'processes'],
    async (t) => {
      const ref = newRef(t)
      const lock = open(t, ref)
      const reader = await otherProcess(t)
      await reader.ask('hold', { ref, mode: 'read' })
      const guard = await lock.acquireUpgradable()
      const upgrade = guard.upgrade()
      const { holders, waiters } = await lock.inspect()
      guard.release()
      await t.throwsAsync(upgrade, { code: 'ERR_LOCK_CLOSED' })
      t.deepEqual(holders.map(({ pid, mode }) => [pid, mode]).sort(), [
        [process.pid, 'upgradable'],
        [reader.pid, 'read'],
      ])
      t.deepEqual(
        waiters.map(({ pid, mode }) => [pid, mode]),
        [[process.pid, 'write']],
      )
    },
  )

  for (const timeout of [0, 1e-6, 40]) {
    test(
      `an upgrade that times out after ${timeout} ms leaves the hold upgradable, and readers are granted again`,
      ['upgradable', 'processes'],
      async (t) => {
        const ref = newRef(t)
        const lock = open(t, ref)
        const [reader, other] = await Promise.all([otherProcess(t), otherProcess(t)])
        await reader.ask('hold', { ref, mode: 'read' })
        await other.ask('open', { ref })
        const guard = await lock.acquireUpgradable()

        const start = performance.now()
        const upgrade = guard.upgrade({ timeout })
        const here = lock.read((guard) => guard.mode)
        const error = await t.throwsAsync(upgrade, { code: 'ERR_LOCK_TIMEOUT', name: 'LockError' })
        t.true(performance.now() - start >= timeout - 1)
        t.regex(error?.message ?? '', new RegExp(`held for read by pid ${reader.pid}`))
        t.is(guard.mode, 'upgradable')
        t.false(guard.released)
        t.is(await here, 'read')
        t.is((await other.ask('tryRead')).mode, 'read')
        await other.ask('release')
        t.is(await other.ask('tryUpgradable'), null)

        await reader.ask('release')
        await guard.upgrade({ timeout })
        t.is(guard.mode, 'write')
      },
    )
  }

  test(
    'readers that queued behind an upgrade are granted when it gives up',
    ['upgradable', 'processes'],
    async (t) => {
      const ref = newRef(t)
      const lock = open(t, ref)
      const [reader, other] = await Promise.all([otherProcess(t), otherProcess(t)])
      await reader.ask('hold', { ref, mode: 'read' })
      await other.ask('open', { ref })
      const guard = await lock.acquireUpgradable()
      const upgrade = guard.upgrade({ timeout: 300 })
      const failed = t.throwsAsync(upgrade, { code: 'ERR_LOCK_TIMEOUT' })
      const there = other.ask('acquireRead')
      await Promise.race([queued(lock, other), failed])
      await failed
      t.is((await there).mode, 'read')
      t.is(guard.mode, 'upgradable')
    },
  )

  test(
    'an upgrade that is aborted leaves the hold upgradable, and readers are granted again',
    ['upgradable', 'processes'],
    async (t) => {
      const ref = newRef(t)
      const lock = open(t, ref)
      const [reader, other] = await Promise.all([otherProcess(t), otherProcess(t)])
      await reader.ask('hold', { ref, mode: 'read' })
      await other.ask('open', { ref })
      const guard = await lock.acquireUpgradable()

      const before = AbortSignal.abort(new Error('before'))
      await t.throwsAsync(guard.upgrade({ signal: before }), { message: 'before' })
      t.is(guard.mode, 'upgradable')

      const controller = new AbortController()
      const upgrade = guard.upgrade({ signal: controller.signal })
      await queued(seenBy(other), process)
      const there = other.ask('acquireRead')
      await queued(lock, other)
      controller.abort(new Error('enough'))
      await t.throwsAsync(upgrade, { message: 'enough' })
      t.is(guard.mode, 'upgradable')
      t.false(guard.released)
      t.is((await there).mode, 'read')

      await other.ask('release')
      await reader.ask('release')
      await guard.upgrade({ signal: new AbortController().signal })
      t.is(guard.mode, 'write')
    },
  )

  test('upgrading a write hold has no effect', ['upgradable'], async (t) => {
    const lock = open(t)
    const guard = await lock.acquireWrite()
    const { token } = guard
    await guard.upgrade()
    t.true(await guard.tryUpgrade())
    t.is(guard.token, token)
    t.is(guard.mode, 'write')
  })

  test(
    'a second upgrade of a guard while one waits gives ERR_LOCK_BUSY, and the first continues',
    ['upgradable'],
    async (t) => {
      const lock = open(t)
      const reader = await lock.acquireRead()
      const guard = await lock.acquireUpgradable()
      const first = guard.upgrade()
      for (const options of [undefined, { timeout: 5000 }, { signal: new AbortController().signal }]) {
        await t.throwsAsync(guard.upgrade(options), { code: 'ERR_LOCK_BUSY', name: 'LockError' })
      }
      await reader.release()
      await first
      t.is(guard.mode, 'write')
      await guard.upgrade()
      await guard.release()
      t.true(await isFree(lock))
    },
  )

  test(
    'upgrade() of a read hold gives ERR_LOCK_DEADLOCK and keeps the read hold',
    ['upgradable', 'processes'],
    async (t) => {
      const ref = newRef(t)
      const lock = open(t, ref)
      const child = await otherProcess(t)
      await child.ask('open', { ref })
      const guard = await lock.acquireRead()
      for (const options of [undefined, { timeout: 0 }, { timeout: 10 }]) {
        const error = await t.throwsAsync(guard.upgrade(options), {
          code: 'ERR_LOCK_DEADLOCK',
          name: 'LockError',
        })
        t.regex(error?.message ?? '', /upgradable/)
      }
      t.is(guard.mode, 'read')
      t.false(guard.released)
      t.is(await child.ask('tryWrite'), null)
      t.is((await child.ask('tryRead')).mode, 'read')
    },
  )

  test(
    'a release while an upgrade waits ends the hold, and the upgrade with ERR_LOCK_CLOSED',
    ['upgradable', 'processes'],
    async (t) => {
      const ref = newRef(t)
      const lock = open(t, ref)
      const [reader, other] = await Promise.all([otherProcess(t), otherProcess(t)])
      await reader.ask('hold', { ref, mode: 'read' })
      await other.ask('open', { ref })
      const guard = await lock.acquireUpgradable()
      const upgrade = guard.upgrade()
      await waitFor(async () => (await lock.inspect()).waiters.length === 1)
      guard.release()
      await t.throwsAsync(upgrade, { code: 'ERR_LOCK_CLOSED' })
      t.true(guard.released)
      t.deepEqual((await lock.inspect()).waiters, [])
      t.is((await other.ask('tryUpgradable')).mode, 'upgradable')
    },
  )

  test('a function that returns while its upgrade waits releases the lock', ['upgradable'], async (t) => {
    const lock = open(t)
    const reader = await lock.acquireRead()
    /** @type {Promise<void> | undefined} */
    let upgrade
    await lock.upgradable((guard) => {
      upgrade = guard.upgrade()
      upgrade?.catch(() => {})
    })
    await t.throwsAsync(async () => upgrade, { code: 'ERR_LOCK_CLOSED' })
    await reader.release()
    t.true(await isFree(lock))
  })

  test(
    'an upgrade is granted before writers that are already waiting',
    ['upgradable', 'processes'],
    async (t) => {
      const ref = newRef(t)
      const lock = open(t, ref)
      const child = await otherProcess(t)
      await child.ask('open', { ref })
      const guard = await lock.acquireUpgradable()
      const { token } = guard
      const writer = child.ask('acquireWrite')
      await queued(lock, child)
      await guard.upgrade()
      t.true(guard.token > token)
      await guard.release()
      t.true((await writer).token > guard.token)
    },
  )

  // ---- tryUpgrade

  test(
    'tryUpgrade() of an upgradable hold succeeds if there are no readers, else changes nothing',
    ['upgradable', 'processes'],
    async (t) => {
      const ref = newRef(t)
      const lock = open(t, ref)
      const child = await otherProcess(t)
      await child.ask('hold', { ref, mode: 'read' })
      const guard = await lock.acquireUpgradable()
      for (let round = 0; round < 50; round++) t.false(await guard.tryUpgrade())
      t.is(guard.mode, 'upgradable')
      t.deepEqual((await lock.inspect()).waiters, [])
      const here = await lock.tryRead()
      t.is(here?.mode, 'read')
      await child.ask('release')
      t.false(await guard.tryUpgrade(), 'a read of this thread is in the way, too')
      await here?.release()
      t.true(await guard.tryUpgrade())
      t.is(guard.mode, 'write')
      t.is(await child.ask('tryRead'), null)
    },
  )

  test('tryUpgrade() of the only read hold succeeds', ['upgradable', 'processes'], async (t) => {
    const ref = newRef(t)
    const lock = open(t, ref)
    const child = await otherProcess(t)
    await child.ask('open', { ref })
    const before = await lock.write((guard) => guard.token)
    const guard = await lock.acquireRead()
    t.true(await guard.tryUpgrade())
    t.is(guard.mode, 'write')
    t.true(guard.token > before)
    t.is(await child.ask('tryRead'), null)
    t.is(await lock.tryRead(), null)
    t.is((await lock.inspect()).holders.length, 1)
    await guard.release()
    t.true(await isFree(lock))
  })

  test(
    'tryUpgrade() of a read hold fails if there is another holder, and keeps the read hold',
    ['upgradable', 'processes'],
    async (t) => {
      const ref = newRef(t)
      const lock = open(t, ref)
      const child = await otherProcess(t)
      await child.ask('open', { ref })
      const guard = await lock.acquireRead()
      for (const mode of /** @type {const} */ (['read', 'upgradable'])) {
        await child.ask(ops[mode].acquire)
        t.false(await guard.tryUpgrade(), `while ${mode} is held elsewhere`)
        await child.ask('release')
        const here = await acquire[mode](lock)
        t.false(await guard.tryUpgrade(), `while ${mode} is held here`)
        await here.release()
      }
      t.is(guard.mode, 'read')
      t.is(await child.ask('tryWrite'), null)
      t.is((await child.ask('tryRead')).mode, 'read')
      t.deepEqual((await lock.inspect()).waiters, [])
    },
  )

  test(
    'if two readers try to upgrade, neither succeeds, and both keep their read holds',
    ['upgradable', 'processes'],
    async (t) => {
      const ref = newRef(t)
      const lock = open(t, ref)
      const child = await otherProcess(t)
      await child.ask('hold', { ref, mode: 'read' })
      const guard = await lock.acquireRead()
      const [there] = await Promise.all([child.ask('tryUpgrade'), t.false(await guard.tryUpgrade())])
      t.false(there)
      t.like(await child.ask('describe'), { mode: 'read', released: false })
      t.like(guard, { mode: 'read', released: false })
    },
  )

  test(
    'tryUpgrade() while an upgrade waits is false, and the upgrade continues',
    ['upgradable'],
    async (t) => {
      const lock = open(t)
      const reader = await lock.acquireRead()
      const guard = await lock.acquireUpgradable()
      const upgrade = guard.upgrade()
      t.false(await guard.tryUpgrade())
      await reader.release()
      await upgrade
      t.is(guard.mode, 'write')
    },
  )

  // ---- downgrade

  const DOWNGRADES = /** @type {const} */ ([
    ['write', 'read'],
    ['write', 'upgradable'],
    ['upgradable', 'read'],
  ])

  for (const [from, to] of DOWNGRADES) {
    test(
      `after a downgrade from ${from} to ${to}, requests compatible with ${to} are granted`,
      ['upgradable', 'processes'],
      async (t) => {
        const ref = newRef(t)
        const lock = open(t, ref)
        const child = await otherProcess(t)
        await child.ask('open', { ref })
        const guard = await acquire[from](lock)
        const { token } = guard
        t.is(await guard.downgrade(to), undefined)
        t.is(guard.mode, to)
        t.is(guard.token, token)
        t.false(guard.released)
        t.like(await lock.inspect(), { holders: [{ mode: to, count: 1 }], waiters: [] })
        for (const mode of modes) {
          const granted = await child.ask(ops[mode].try)
          t.is(granted !== null, TOGETHER[to][mode], mode)
          if (granted) await child.ask('release')
        }
        await guard.release()
        t.is((await child.ask('tryWrite')).mode, 'write')
      },
    )

    test(
      `a downgrade from ${from} to ${to} wakes the waiters that become compatible`,
      ['upgradable', 'processes'],
      async (t) => {
        const ref = newRef(t)
        const lock = open(t, ref)
        const child = await otherProcess(t)
        await child.ask('open', { ref })
        const wanted = from === 'write' ? 'read' : 'upgradable'
        const guard = await acquire[from](lock)
        const there = child.ask(ops[wanted].acquire)
        await queued(lock, child)
        await guard.downgrade(to)
        t.is((await there).mode, wanted)
        t.false(guard.released)
        await child.ask('release')
        await guard.release()

        const again = await acquire[from](lock)
        const here = acquire[wanted](lock)
        await again.downgrade(to)
        t.is((await here).mode, wanted)
      },
    )

    test(
      `a waiting writer is not granted between ${from} and ${to}`,
      ['upgradable', 'processes'],
      async (t) => {
        const ref = newRef(t)
        const lock = open(t, ref)
        const child = await otherProcess(t)
        await child.ask('open', { ref })
        const guard = await acquire[from](lock)
        let written = false
        const writer = child.ask('acquireWrite').then((guard) => {
          written = true
          return guard
        })
        await queued(lock, child)
        await guard.downgrade(to)
        // The child answers in order: a grant would have been answered before this.
        await child.ask('inspect')
        t.false(written)
        t.like(await lock.inspect(), { waiters: [{ pid: child.pid, mode: 'write' }] })
        await guard.release()
        t.is((await writer).mode, 'write')
      },
    )
  }

  test('downgrade() without an argument is to read', ['upgradable'], async (t) => {
    const lock = open(t)
    for (const mode of modes) {
      const guard = await acquire[mode](lock)
      await guard.downgrade()
      t.is(guard.mode, 'read')
      t.is(await (await lock.tryRead())?.release(), undefined)
      await guard.release()
      t.true(await isFree(lock))
    }
  })

  test('a downgrade to the same mode has no effect', ['upgradable'], async (t) => {
    const lock = open(t)
    const read = await lock.acquireRead()
    await read.downgrade('read')
    t.is(read.mode, 'read')
    const upgradable = await lock.acquireUpgradable()
    await upgradable.downgrade('upgradable')
    t.is(upgradable.mode, 'upgradable')
    t.is((await lock.inspect()).holders.length, 2)
  })

  test('a read hold cannot be downgraded to upgradable, and stays a read hold', ['upgradable'], async (t) => {
    const lock = open(t)
    const guard = await lock.acquireRead()
    await t.throwsAsync(async () => guard.downgrade('upgradable'), { code: 'ERR_INVALID_ARG_VALUE' })
    t.is(guard.mode, 'read')
    t.false(guard.released)
    t.false(await isFree(lock))
  })

  test(
    'a downgrade while an upgrade waits ends the upgrade with ERR_LOCK_CLOSED',
    ['upgradable'],
    async (t) => {
      const lock = open(t)
      const reader = await lock.acquireRead()
      const guard = await lock.acquireUpgradable()
      const upgrade = guard.upgrade()
      const downgraded = guard.downgrade()
      await t.throwsAsync(upgrade, { code: 'ERR_LOCK_CLOSED' })
      await downgraded
      t.is(guard.mode, 'read')
      t.false(guard.released)
      await reader.release()
      t.false(await isFree(lock))
      await guard.release()
      t.true(await isFree(lock))
    },
  )

  test('repeated upgrades and downgrades are one hold', ['upgradable'], async (t) => {
    const lock = open(t)
    const guard = await lock.acquireUpgradable()
    let last = guard.token
    for (let round = 0; round < 100; round++) {
      await guard.upgrade()
      t.true(guard.token > last)
      last = guard.token
      await guard.downgrade('upgradable')
    }
    t.is((await lock.inspect()).holders.length, 1)
    await guard.release()
    t.true(await isFree(lock))
  })

  // ---- after the end

  for (const how of ['released', 'of a closed lock']) {
    test(
      `a guard ${how} reports that it has ended, and has no effect`,
      ['upgradable', 'threads'],
      async (t) => {
        for (const mode of modes) {
          const ref = newRef(t)
          const lock = open(t, ref)
          const thread = await otherThread(t)
          await thread.ask('open', { ref })
          const guard = await acquire[mode](lock)
          const { token } = guard
          const ended = how === 'released' ? guard.release() : lock.close()

          t.true(guard.released)
          t.is(guard.mode, mode)
          t.is(guard.token, token)
          t.is(guard.ownerDied, null)
          await t.throwsAsync(guard.upgrade(), { code: 'ERR_LOCK_CLOSED', name: 'LockError' }, mode)
          await t.throwsAsync(async () => guard.tryUpgrade(), { code: 'ERR_LOCK_CLOSED' })
          await t.throwsAsync(async () => guard.downgrade(), { code: 'ERR_LOCK_CLOSED' })
          await t.throwsAsync(async () => guard.downgrade('upgradable'), { code: 'ERR_LOCK_CLOSED' })
          await t.notThrowsAsync(async () => guard.release())
          await t.notThrowsAsync(guard[Symbol.asyncDispose]())
          await ended
          t.is((await thread.ask('tryWrite')).mode, 'write')
        }
      },
    )
  }
})
