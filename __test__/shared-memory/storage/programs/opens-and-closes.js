// Opens a lock, adds to the number in a file that nothing but the lock protects, and closes the lock, again and again
// until it is told to stop; at times it tries to remove the lock as well. Says how often it wrote.
import { readFileSync, writeFileSync } from 'node:fs'
import { setImmediate } from 'node:timers/promises'
import { RWLock } from 'process-rwlock'

const [ref, counter, removes] = process.argv.slice(2).map((argument) => JSON.parse(argument))

let writes = 0
let stopped = false
process.once('message', () => {
  stopped = true
})
process.send?.({ type: 'ready' })
while (!stopped) {
  const lock = new RWLock(ref)
  await lock.write(() => {
    const count = Number(readFileSync(counter, 'utf8'))
    writeFileSync(counter, String(count + 1))
    writes++
  })
  lock.close()
  if (removes) {
    try {
      RWLock.remove(ref)
    } catch (error) {
      if (error.code !== 'ERR_LOCK_BUSY') throw error
    }
  }
  if (writes % 10 === 0) await setImmediate()
}
process.send?.({ type: 'stopped', writes })
process.disconnect()
