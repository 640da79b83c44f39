// Closing a lock ends its waits and its holds; two handles of one lock are independent of each
// other.
import { waitFor } from '../helpers/index.js'
import { contract } from './contract.js'
import { acquire } from './modes.js'

contract(({ test, open, newRef, modes, otherProcess }) => {
  test('two handles of one lock exclude each other', ['upgradable'], async (t) => {
    const ref = newRef(t)
    const [a, b] = [open(t, ref), open(t, ref)]
    const log = []
    const first = await a.acquireWrite()
    const second = b.write(() => log.push('b writes'))
    t.is(await b.tryRead(), null)
    t.is(await b.tryUpgradable(), null)
    log.push('a releases')
    await first.release()
    await second
    t.deepEqual(log, ['a releases', 'b writes'])
  })

  test('closing one handle does not end the holds of another', ['processes'], async (t) => {
    const ref = newRef(t)
    const [a, b] = [open(t, ref), open(t, ref)]
    const outsider = await otherProcess(t)
    await outsider.ask('open', { ref })
    const [ofA, ofB] = [await a.acquireRead(), await b.acquireRead()]

    await a.close()
    t.true(ofA.released)
    t.false(ofB.released)
    t.is(await outsider.ask('tryWrite'), null)
    await ofB.release()
    t.is((await outsider.ask('tryWrite')).mode, 'write')
  })

  test('closing one handle does not end the waits of another', ['processes'], async (t) => {
    const ref = newRef(t)
    const [a, b] = [open(t, ref), open(t, ref)]
    const child = await otherProcess(t)
    await child.ask('hold', { ref, mode: 'write' })
    const ofA = a.read(() => 'a')
    const ofB = b.read(() => 'b')

    a.close()
    await t.throwsAsync(ofA, { code: 'ERR_LOCK_CLOSED' })
    await child.ask('release')
    t.is(await ofB, 'b')
  })

  test(
    'closing one handle releases its own holds, even if the attachment stays open',
    ['processes'],
    async (t) => {
      const ref = newRef(t)
      const stays = open(t, ref)
      const child = await otherProcess(t)
      await child.ask('open', { ref })
      for (const mode of modes) {
        const closes = open(t, ref)
        await acquire[mode](closes)
        t.is(await child.ask('tryWrite'), null)
        await closes.close()
        t.deepEqual((await stays.inspect()).holders, [], mode)
        t.is((await child.ask('tryWrite')).mode, 'write', mode)
        await child.ask('release')
      }
    },
  )

  test('a write hold of one handle outlasts the close of another', ['processes'], async (t) => {
    const ref = newRef(t)
    const [a, b] = [open(t, ref), open(t, ref)]
    const guard = await a.acquireWrite()
    await b.close()
    t.false(guard.released)
    const child = await otherProcess(t)
    await child.ask('open', { ref })
    t.is(await child.ask('tryRead'), null)
  })

  // ---- closing

  test('closing releases the holds of the handle', ['processes'], async (t) => {
    const ref = newRef(t)
    const child = await otherProcess(t)
    await child.ask('open', { ref })
    for (const mode of modes) {
      const lock = open(t, ref)
      const guard = await acquire[mode](lock)
      t.is(await child.ask('tryWrite'), null, mode)
      await lock.close()
      t.true(guard.released)
      t.is((await child.ask('tryWrite')).mode, 'write', mode)
      await child.ask('release')
    }
  })

  test('closing during a write hold does not set ownerDied', ['ownerDied', 'processes'], async (t) => {
    const ref = newRef(t)
    const child = await otherProcess(t)
    await child.ask('open', { ref })
    const lock = open(t, ref)
    await lock.acquireWrite()
    await lock.close()
    t.is((await child.ask('acquireWrite')).ownerDied, null)
  })

  test('closing grants the lock to waiters in other processes', ['processes'], async (t) => {
    const ref = newRef(t)
    const lock = open(t, ref)
    await lock.acquireWrite()
    const child = await otherProcess(t)
    await child.ask('open', { ref })
    const waits = child.ask('acquireWrite')
    await waitFor(async () => (await lock.inspect()).waiters.length === 1)
    await lock.close()
    t.is((await waits).mode, 'write')
  })

  test(
    'closing rejects pending acquisitions of every kind with ERR_LOCK_CLOSED',
    ['upgradable', 'processes'],
    async (t) => {
      const ref = newRef(t)
      const child = await otherProcess(t)
      await child.ask('hold', { ref, mode: 'write' })
      const lock = open(t, ref)
      let ran = false
      const body = () => {
        ran = true
      }
      const pending = [
        lock.read(body),
        lock.write(body),
        lock.upgradable(body),
        lock.acquireRead(),
        lock.acquireWrite({ timeout: 60_000 }),
        lock.acquireUpgradable({ signal: new AbortController().signal }),
      ]
      const ended = pending.map((wait) => t.throwsAsync(wait, { code: 'ERR_LOCK_CLOSED', name: 'LockError' }))
      await lock.close()
      await Promise.all(ended)
      await child.ask('release')
      t.is((await child.ask('acquireWrite')).mode, 'write')
      t.false(ran)
    },
  )

  test(
    'closing rejects an upgrade that waits, and releases its hold',
    ['upgradable', 'processes'],
    async (t) => {
      const ref = newRef(t)
      const child = await otherProcess(t)
      await child.ask('hold', { ref, mode: 'read' })
      const lock = open(t, ref)
      const guard = await lock.acquireUpgradable()
      const upgrade = guard.upgrade()
      lock.close()
      await t.throwsAsync(upgrade, { code: 'ERR_LOCK_CLOSED' })
      t.true(guard.released)
      await child.ask('release')
      t.is((await child.ask('acquireWrite')).mode, 'write')
    },
  )

  test('closing while a function runs releases its hold, and the function continues', async (t) => {
    const lock = open(t)
    const result = await lock.write(async (guard) => {
      await lock.close()
      t.true(guard.released)
      return 'done'
    })
    t.is(result, 'done')
  })

  test('close() before a granted function has begun prevents it from running', async (t) => {
    const lock = open(t)
    let ran = false
    const read = lock.read(() => {
      ran = true
    })
    lock.close()
    await t.throwsAsync(read, { code: 'ERR_LOCK_CLOSED' })
    t.false(ran)
  })

  test(
    'every method of a closed lock fails with ERR_LOCK_CLOSED, and close() has no effect',
    ['upgradable'],
    async (t) => {
      const ref = newRef(t)
      const lock = open(t, ref)
      await lock.close()
      const closed = { code: 'ERR_LOCK_CLOSED', name: 'LockError', message: /closed/ }
      const never = () => t.fail('it must not run')

      await t.throwsAsync(lock.read(never), closed)
      await t.throwsAsync(lock.write(never), closed)
      await t.throwsAsync(lock.upgradable(never), closed)
      await t.throwsAsync(lock.read(never, { timeout: 0 }), closed)
      await t.throwsAsync(lock.acquireRead(), closed)
      await t.throwsAsync(lock.acquireWrite(), closed)
      await t.throwsAsync(lock.acquireUpgradable(), closed)
      await t.throwsAsync(async () => lock.tryRead(), closed)
      await t.throwsAsync(async () => lock.tryWrite(), closed)
      await t.throwsAsync(async () => lock.tryUpgradable(), closed)
      await t.throwsAsync(async () => lock.inspect(), closed)
      await t.notThrowsAsync(async () => lock.close())
    },
  )

  test('Symbol.asyncDispose closes the lock', async (t) => {
    const ref = newRef(t)
    const lock = open(t, ref)
    await lock.tryWrite()
    await lock[Symbol.asyncDispose]()
    await t.throwsAsync(async () => lock.tryRead(), { code: 'ERR_LOCK_CLOSED' })
  })

  test('a lock can be opened again after it was closed', async (t) => {
    const ref = newRef(t)
    for (let round = 0; round < 20; round++) {
      const lock = open(t, ref)
      t.is(await lock.write(() => round), round)
      await lock.close()
    }
  })
})
