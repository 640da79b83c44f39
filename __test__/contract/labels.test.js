// The labels of holds.
import { contract } from './contract.js'
import { acquire } from './modes.js'

contract(({ test, open, modes }) => {
  test('a hold with a label shows it, and later holds show the label of the attachment again', async (t) => {
    const lock = open(t, undefined, { label: 'worker 1' })
    const label = async () => (await lock.inspect()).holders[0].label
    for (const mode of modes) {
      const labelled = await acquire[mode](lock, { label: 'rebuild' })
      t.is(await label(), 'rebuild', mode)
      await labelled.release()
      const plain = await acquire[mode](lock)
      t.is(await label(), 'worker 1', mode)
      await plain.release()
      await lock[mode](async () => t.is(await label(), 'in a function', mode), { label: 'in a function' })
    }
  })

  test('a hold that had to wait shows its own label', async (t) => {
    const lock = open(t, undefined, { label: 'worker 1' })
    for (const mode of modes) {
      const writer = await lock.acquireWrite({ label: 'before' })
      const waits = acquire[mode](lock, { label: 'after' })
      t.is((await lock.inspect()).holders[0].label, 'before')
      await writer.release()
      const guard = await waits
      t.is((await lock.inspect()).holders[0].label, 'after', mode)
      await guard.release()
    }
  })

  test('a hold keeps its label through upgrade and downgrade', ['upgradable'], async (t) => {
    const lock = open(t)
    const label = async () => (await lock.inspect()).holders[0].label
    const guard = await lock.acquireUpgradable({ label: 'rebuild' })
    await guard.upgrade()
    t.is(await label(), 'rebuild')
    await guard.downgrade('upgradable')
    t.is(await label(), 'rebuild')
    await guard.downgrade()
    t.is(await label(), 'rebuild')
  })
})
