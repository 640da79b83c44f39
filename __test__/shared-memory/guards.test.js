// Upgrade and downgrade of this engine: its tokens count the write holds, so they show that none
// came in between. The tests for every engine are in ../contract.
import { setImmediate } from 'node:timers/promises'
import { childPool } from '../helpers/child-pool.js'
import { openLock, test, uniqueName } from '../helpers/index.js'
import { acquire, MODES } from '../helpers/modes.js'
import { queued, stream } from '../helpers/observe.js'

const pooledChild = childPool()

test('no write hold comes between an upgradable hold, its upgrade and the writer that waited meanwhile', async (t) => {
  const name = uniqueName(t)
  const lock = openLock(t, name)
  const child = await pooledChild(t)
  await child.ask('open', { ref: name })
  const guard = await lock.acquireUpgradable()
  const { token } = guard
  const writer = child.ask('acquireWrite')
  await queued(lock, child)
  await guard.upgrade()
  t.is(guard.token, token + 1n)
  guard.release()
  t.is((await writer).token, token + 2n)
})

test('no writer is granted during an upgrade or a downgrade while processes write as fast as they can', async (t) => {
  const name = uniqueName(t)
  const lock = openLock(t, name, { fairness: 0 })
  const writers = await Promise.all(
    [0, 1].map((fairness) => stream(t, { ref: name, mode: 'write', lanes: 2, hold: 0, fairness })),
  )
  for (let round = 0; round < 60; round++) {
    // Every write hold increments the token of the lock.
    const guard = await lock.acquireUpgradable()
    await guard.upgrade()
    const { token } = guard
    guard.downgrade('upgradable')
    await setImmediate()
    if (lock.inspect().token !== token) return t.fail('write to upgradable')
    await guard.upgrade()
    if (guard.token !== token + 1n) return t.fail('upgradable to write')
    guard.downgrade('read')
    await setImmediate()
    if (lock.inspect().token !== token + 1n) return t.fail('write to read')
    guard.release()
  }
  for (const writer of writers) t.true((await writer.stop()) > 0)
})

test('disposal of a guard that has ended has no effect', async (t) => {
  for (const mode of MODES) {
    for (const how of ['released', 'closed']) {
      const lock = openLock(t)
      const guard = await acquire[mode](lock)
      if (how === 'released') guard.release()
      else lock.close()
      t.notThrows(() => guard[Symbol.dispose]())
      t.true(guard.released)
    }
  }
})
