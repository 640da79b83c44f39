// The value of a lock whose writer is killed while it sets it.
import { join } from 'node:path'
import { openLock, spawnNode, tempDir, test, uniqueName } from '../helpers/index.js'

const PROGRAM = new URL('./programs/sets-values.js', import.meta.url)

/** @type {Array<[string, (t: import('ava').ExecutionContext<any>) => any]>} */
const REFS = [
  ['name', uniqueName],
  ['path', (t) => ({ path: join(tempDir(t), 'x.lock') })],
]

/** @param {Uint8Array | null} value */
const isWhole = (value) => value === null || value.every((byte) => byte === value[0])

for (const [where, newRef] of REFS) {
  test(`a killed writer leaves a whole value, by ${where}`, async (t) => {
    const lock = openLock(t, newRef(t))
    for (let round = 0; round < 10; round++) {
      const writer = spawnNode(t, PROGRAM, [JSON.stringify(lock)])
      await writer.next('sets')
      const lengths = new Set()
      for (let look = 0; look < 500 || lengths.size < 2; look++) {
        const { value } = lock.inspect()
        t.true(isWhole(value))
        lengths.add(value?.length)
      }
      await writer.kill()
      await lock.read((guard) => {
        t.is(guard.ownerDied?.pid, writer.pid)
        t.true(isWhole(guard.value))
        t.deepEqual(guard.value, lock.inspect().value)
      })
      const next = new Uint8Array(9).fill(round)
      await lock.write((guard) => guard.setValue(next))
      t.deepEqual(lock.inspect().value, next)
    }
  })
}
