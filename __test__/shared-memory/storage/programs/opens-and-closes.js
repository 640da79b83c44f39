// Opens a lock, increments the number in a file that only the lock protects, and closes the lock,
// until it receives a message. With the third argument it also tries to remove the lock. Reports
// the number of its writes.
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
