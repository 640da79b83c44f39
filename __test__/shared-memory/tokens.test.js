// Fencing tokens of synchronous holds, and of files that are removed. The tests for every engine
// are in ../contract.
import { join } from 'node:path'
import { RWLock } from 'process-rwlock'
import { childPool } from '../helpers/child-pool.js'
import { openLock, tempDir, test, uniqueName } from '../helpers/index.js'

const pooledChild = childPool()

test('the tokens of synchronous and asynchronous write holds grow in the order of the holds', async (t) => {
  const name = uniqueName(t)
  const lock = openLock(t, name)
  const child = await pooledChild(t)
  await child.ask('open', { ref: name })
  const tokens = []
  for (let round = 0; round < 10; round++) {
    tokens.push(await lock.write((guard) => guard.token))
    tokens.push((await child.ask('acquireWrite')).token)
    await child.ask('release')
    const guard = lock.tryWrite()
    tokens.push(guard?.token)
    guard?.release()
    tokens.push(lock.writeSync((guard) => guard.token))
    const upgradable = await lock.acquireUpgradable()
    await upgradable.upgrade()
    tokens.push(upgradable.token)
    upgradable.release()
  }
  for (let i = 1; i < tokens.length; i++) t.true(tokens[i] > tokens[i - 1], `token ${i}`)
})

test('tokens of a path continue to grow after its file was removed and created again', async (t) => {
  const path = join(tempDir(t), 'x.lock')
  let last = 0n
  for (let round = 0; round < 5; round++) {
    const lock = openLock(t, { path })
    const token = await lock.write((guard) => guard.token)
    t.true(token > last)
    last = token
    lock.close()
    t.true(RWLock.remove({ path }))
  }
})
