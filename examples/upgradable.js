// Read first, write only if necessary. An upgradable hold is shared with readers, but not with another upgradable hold, so
// what it has read is still current when it becomes the writer.
import { RWLock } from 'process-rwlock'

const lock = new RWLock()
const cache = new Map()

async function get(key) {
  return lock.upgradable(async (guard) => {
    if (cache.has(key)) return cache.get(key)
    const value = await compute(key) // readers continue meanwhile
    await guard.upgrade() // waits for them to leave
    cache.set(key, value)
    guard.downgrade('read') // lets readers in again, and no writer before them
    return value
  })
}

let computed = 0
async function compute(key) {
  computed++
  return key.toUpperCase()
}

console.log(await Promise.all([get('a'), get('a'), get('b')])) // [ 'A', 'A', 'B' ]
console.log(computed) // 2
