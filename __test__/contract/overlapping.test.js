// Calls of one guard that begin before the last one has ended, over an engine whose calls take time.
// The outcome is that of calls that come one after the other.
import { contract } from './contract.js'
import { isFree } from './modes.js'

/** @typedef {import('process-rwlock').AsyncGuard} AsyncGuard */

/** What each call gives: its result, or the code of its error. @param {(() => unknown)[]} calls */
async function overlap(...calls) {
  const outcomes = await Promise.allSettled(calls.map(async (call) => call()))
  return outcomes.map((outcome) => (outcome.status === 'fulfilled' ? outcome.value : outcome.reason.code))
}

contract(({ test, open, newRef, otherProcess }) => {
  test('a hold that is upgraded twice is free after one release', ['upgradable', 'processes'], async (t) => {
    const ref = newRef(t)
    const lock = open(t, ref)
    const child = await otherProcess(t)
    await child.ask('open', { ref })
    /** @type {[AsyncGuard['mode'], (guard: AsyncGuard) => (() => unknown)[]][]} */
    const cases = [
      ['read', (guard) => [() => guard.tryUpgrade(), () => guard.tryUpgrade()]],
      ['upgradable', (guard) => [() => guard.tryUpgrade(), () => guard.tryUpgrade()]],
      ['upgradable', (guard) => [() => guard.tryUpgrade(), () => guard.upgrade()]],
    ]
    for (const [mode, calls] of cases) {
      const guard = mode === 'read' ? await lock.acquireRead() : await lock.acquireUpgradable()
      t.is((await overlap(...calls(guard)))[0], true)
      t.is(guard.mode, 'write')
      await guard.release()
      const next = await child.ask('tryWrite')
      t.is(next?.mode, 'write', mode)
      await child.ask('release', { guard: next.guard })
      t.true(await isFree(lock))
    }
  })

  test('a hold that is downgraded is so for the calls behind', ['upgradable', 'value'], async (t) => {
    const lock = open(t)
    const writer = await lock.acquireWrite()
    t.deepEqual(
      await overlap(
        () => writer.downgrade('read'),
        () => writer.downgrade('upgradable'),
        () => writer.setValue('x'),
        () => writer.downgrade('read'),
      ),
      [undefined, 'ERR_INVALID_ARG_VALUE', 'ERR_LOCK_MODE', undefined],
    )
    t.is(writer.mode, 'read')
    t.is((await lock.inspect()).value, null)
    const upgradable = await lock.acquireUpgradable()
    await writer.release()
    t.deepEqual(
      await overlap(
        () => upgradable.downgrade('read'),
        () => upgradable.upgrade(),
      ),
      [undefined, 'ERR_LOCK_DEADLOCK'],
    )
    t.is(upgradable.mode, 'read')
    await upgradable.release()
    t.true(await isFree(lock))
  })
})
