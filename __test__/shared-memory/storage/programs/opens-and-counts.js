// One of many processes that open a lock at the same time. For each message it opens the given
// lock, increments the number in a file that only the lock protects, and closes the lock.
import { readFileSync, writeFileSync } from 'node:fs'
import { RWLock } from 'process-rwlock'

process.on('message', async ({ ref, counter, writes, wait, lives = 1 }) => {
  try {
    const tokens = []
    for (let life = 1; life < lives; life++) new RWLock(ref).close()
    const lock = new RWLock(ref)
    for (let done = 0; done < writes; done++) {
      await lock.write(async ({ token }) => {
        const count = Number(readFileSync(counter, 'utf8'))
        if (wait) await new Promise(setImmediate)
        writeFileSync(counter, String(count + 1))
        tokens.push(token)
      })
    }
    lock.close()
    process.send?.({ type: 'done', tokens })
  } catch (error) {
    process.send?.({ type: 'done', error: String(error) })
  }
})
process.send?.({ type: 'ready' })
