// What inspect() shows of holders and waiters.
import { waitFor } from '../helpers/index.js'
import { queued } from '../helpers/observe.js'
import { contract } from './contract.js'
import { acquire } from './modes.js'

contract(({ test, open, newRef, modes, host, otherProcess, otherThread }) => {
  test('a lock has the name or the path that it was opened with, also after it is closed', async (t) => {
    const ref = newRef(t)
    const lock = open(t, ref)
    const expected = typeof ref === 'string' ? [ref, undefined] : [undefined, ref.path]
    t.deepEqual([lock.name, lock.path], expected)
    await lock.close()
    t.deepEqual([lock.name, lock.path], expected)
  })

  for (const mode of modes) {
    test(
      `inspect() shows each ${mode} holder: process, thread, count, label, ms`,
      ['processes', 'threads'],
      async (t) => {
        const ref = newRef(t)
        const lock = open(t, ref)
        const [child, thread] = await Promise.all([otherProcess(t), otherThread(t)])
        for (const other of [child, thread]) {
          // One that had to wait: over PostgreSQL it has a session, and others see its label.
          const writer = await lock.acquireWrite()
          const held = other.ask('hold', { ref, mode, options: { label: `holds for ${mode}` } })
          await queued(lock, other)
          await writer.release()
          await held
          const { holders, waiters } = await lock.inspect()
          t.deepEqual(
            holders.map(({ ms, ...rest }) => rest),
            [
              {
                pid: other.pid,
                threadId: other === thread ? thread.threadId : 0,
                mode,
                count: 1,
                label: `holds for ${mode}`,
                ...host,
              },
            ],
          )
          t.deepEqual(waiters, [])
          t.is(typeof holders[0].ms, 'number')
          await other.ask('release')
          t.deepEqual((await lock.inspect()).holders, [])
        }
      },
    )

    test(`the ms of a hold for ${mode} grow, and start again with the next hold`, async (t) => {
      const lock = open(t)
      const start = performance.now()
      const guard = await acquire[mode](lock)
      const granted = performance.now()
      const ms = async () => (await lock.inspect()).holders[0].ms
      t.true((await ms()) <= performance.now() - start + 20)
      await waitFor(() => performance.now() - granted > 120)
      // The clock may tick in steps of some milliseconds.
      t.true((await ms()) >= 100, `${await ms()} ms`)
      t.true((await ms()) <= performance.now() - start + 20, `${await ms()} ms`)
      await guard.release()
      const again = performance.now()
      await acquire[mode](lock)
      t.true((await ms()) <= performance.now() - again + 20, `${await ms()} ms`)
    })
  }

  test('the ms of several read holds are those of the longest', async (t) => {
    const lock = open(t)
    const first = await lock.acquireRead()
    const start = performance.now()
    await waitFor(() => performance.now() - start > 60)
    await lock.acquireRead()
    const [{ count, ms }] = (await lock.inspect()).holders
    t.is(count, 2)
    t.true(ms >= 40, `${ms} ms`)
    await first.release()
  })

  test('inspect() shows every holder', ['upgradable', 'processes', 'details'], async (t) => {
    const ref = newRef(t)
    const lock = open(t, ref)
    const [a, b] = await Promise.all([otherProcess(t), otherProcess(t)])
    await a.ask('hold', { ref, mode: 'read' })
    await a.ask('acquireRead')
    await b.ask('hold', { ref, mode: 'upgradable' })
    await lock.acquireRead()
    const seen = (await lock.inspect()).holders.map(({ pid, mode, count }) => [pid, mode, count])
    t.deepEqual(
      seen.sort(),
      [
        [a.pid, 'read', 2],
        [b.pid, 'upgradable', 1],
        [process.pid, 'read', 1],
      ].sort(),
    )
  })

  test(
    'inspect() shows each waiting request with its own mode and label, in the order of the queue',
    ['upgradable', 'processes', 'details'],
    async (t) => {
      const ref = newRef(t)
      const lock = open(t, ref)
      const [a, b] = await Promise.all([otherProcess(t), otherProcess(t)])
      const writer = await lock.acquireWrite()
      await a.ask('open', { ref, options: { label: 'a' } })
      await b.ask('open', { ref, options: { label: 'b' } })
      b.tell('acquireRead')
      await queued(lock, b)
      a.tell('acquireWrite')
      a.tell('acquireRead')
      await queued(lock, a, 2)
      const here = lock.acquireUpgradable({ label: 'here' })
      const seen = (await lock.inspect()).waiters
      t.deepEqual(
        seen.map(({ pid, threadId, mode, count }) => ({ pid, threadId, mode, count })),
        [
          { pid: b.pid, threadId: 0, mode: 'read', count: 1 },
          { pid: a.pid, threadId: 0, mode: 'write', count: 1 },
          { pid: a.pid, threadId: 0, mode: 'read', count: 1 },
          { pid: process.pid, threadId: 0, mode: 'upgradable', count: 1 },
        ],
      )
      t.deepEqual(
        seen.map(({ label, more }) => [label, more]),
        [
          ['b', 0],
          ['a', 0],
          ['a', 0],
          ['here', 0],
        ],
      )
      const mode = here.then(async (guard) => {
        await guard.release()
        return guard.mode
      })
      await writer.release()
      // In this order, unless one of them does not come in time, as on a busy machine.
      const waiting = [b, a]
      while (waiting.length > 0) {
        const holder = await waitFor(async () => {
          const { holders } = await lock.inspect()
          return waiting.find((child) => holders.some(({ pid }) => pid === child.pid))
        })
        waiting.splice(waiting.indexOf(holder), 1)
        await holder.kill()
      }
      t.is(await mode, 'upgradable')
    },
  )

  for (const blocker of modes) {
    test(`the ms of a waiter grow while a hold for ${blocker} blocks it`, ['processes'], async (t) => {
      const ref = newRef(t)
      const lock = open(t, ref)
      const child = await otherProcess(t)
      await child.ask('hold', { ref, mode: blocker })
      const start = performance.now()
      const waits = lock.acquireWrite()
      const waiting = performance.now()
      await waitFor(() => performance.now() - waiting > 120)
      const [waiter] = (await lock.inspect()).waiters
      await child.ask('release')
      await waits
      t.like(waiter, { mode: 'write', count: 1 })
      t.true(waiter.ms >= 100, `${waiter.ms} ms`)
      t.true(waiter.ms <= performance.now() - start)
      t.deepEqual((await lock.inspect()).waiters, [])
    })
  }

  test('inspect() changes nothing', ['upgradable', 'fairness', 'processes'], async (t) => {
    const ref = newRef(t)
    const lock = open(t, ref, { fairness: 0 })
    const child = await otherProcess(t)
    await child.ask('hold', { ref, mode: 'upgradable' })
    const waits = lock.acquireWrite()
    const strip = ({ holders, waiters, ...rest }) => ({
      ...rest,
      parties: [...holders, ...waiters].map(({ ms, ...party }) => party),
    })
    const first = strip(await lock.inspect())
    for (let round = 0; round < 50; round++) {
      await lock.inspect()
      await child.ask('inspect')
    }
    t.deepEqual(strip(await lock.inspect()), first)
    await child.ask('release')
    t.is((await waits).mode, 'write')
  })

  test('changing the result of inspect() does not change the lock', async (t) => {
    const lock = open(t)
    await lock.acquireRead()
    const seen = await lock.inspect()
    seen.holders.pop()
    t.is((await lock.inspect()).holders.length, 1)
  })

  test('inspect() shows the token of the last write hold', async (t) => {
    const lock = open(t)
    const token = await lock.write((guard) => guard.token)
    t.is((await lock.inspect()).token, token)
    await lock.read(() => {})
    t.is((await lock.inspect()).token, token)
    const next = await lock.write((guard) => guard.token)
    t.is((await lock.inspect()).token, next)
  })

  test(
    'a dead holder is not shown; a dead writer is shown as ownerDied until a write hold ends normally',
    ['ownerDied', 'processes'],
    async (t) => {
      const ref = newRef(t)
      const lock = open(t, ref)
      const child = await otherProcess(t)
      const { token } = await child.ask('hold', { ref, mode: 'write', options: { label: 'rebuild' } })
      t.is((await lock.inspect()).ownerDied, null)
      await child.kill()
      await waitFor(async () => (await lock.inspect()).holders.length === 0)
      const ownerDied = { pid: child.pid, threadId: 0, label: 'rebuild', token, ...host }
      t.deepEqual((await lock.inspect()).ownerDied, ownerDied)
      await lock.read((guard) => t.deepEqual(guard.ownerDied, ownerDied))
      t.deepEqual((await lock.inspect()).ownerDied, ownerDied)
      await lock.write((guard) => t.deepEqual(guard.ownerDied, ownerDied))
      t.is((await lock.inspect()).ownerDied, null)
      await lock.read((guard) => t.is(guard.ownerDied, null))
    },
  )
})
