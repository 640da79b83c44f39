// The fencing token of a hold.
import { contract } from './contract.js'

contract(({ test, open, newRef, refs, otherProcess }) => {
  test(
    'the token of a write hold is greater than the tokens of all earlier write holds',
    ['processes'],
    async (t) => {
      const ref = newRef(t)
      const lock = open(t, ref)
      const child = await otherProcess(t)
      await child.ask('open', { ref })
      const tokens = []
      for (let round = 0; round < 10; round++) {
        tokens.push(await lock.write((guard) => guard.token))
        tokens.push((await child.ask('acquireWrite')).token)
        await child.ask('release')
        const guard = await lock.tryWrite()
        tokens.push(guard?.token)
        await guard?.release()
      }
      for (let i = 1; i < tokens.length; i++) t.true(tokens[i] > tokens[i - 1], `token ${i}`)
    },
  )

  test('an upgrade gives a greater token than all earlier write holds have', ['upgradable'], async (t) => {
    const lock = open(t)
    let last = await lock.write((guard) => guard.token)
    for (let round = 0; round < 10; round++) {
      const guard = await lock.acquireUpgradable()
      await guard.upgrade()
      t.true(guard.token > last)
      await guard.release()
      last = await lock.write((guard) => guard.token)
      t.true(last > guard.token)
    }
  })

  test('the token of a reader is that of the last write hold', async (t) => {
    const lock = open(t)
    const written = await lock.write((guard) => guard.token)
    t.is(await lock.read((guard) => guard.token), written)
    t.is((await lock.tryRead())?.token, written)
    t.is((await lock.inspect()).token, written)
  })

  test('the token of an upgradable hold is that of the last write hold', ['upgradable'], async (t) => {
    const lock = open(t)
    const written = await lock.write((guard) => guard.token)
    t.is(await lock.upgradable((guard) => guard.token), written)
  })

  test('a guard keeps its token after its release, and while others write', async (t) => {
    const lock = open(t)
    const first = await lock.acquireWrite()
    const { token } = first
    await first.release()
    t.is(first.token, token)
    await lock.write(() => {})
    t.is(first.token, token)
  })

  for (const [kind, makeRef] of refs) {
    test(`tokens continue to grow after the lock was closed everywhere (opened by ${kind})`, async (t) => {
      const ref = makeRef(t)
      let last = 0n
      for (let round = 0; round < 10; round++) {
        const lock = open(t, ref)
        for (let writes = 0; writes < 3; writes++) {
          const token = await lock.write((guard) => guard.token)
          t.true(token > last)
          last = token
        }
        await lock.close()
      }
    })
  }
})
