// A lock that goes from a writer in one process to a writer in another and back.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { setImmediate } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { RWLock } from 'process-rwlock'

const file = fileURLToPath(import.meta.url)

// Strictly first come, first served: whoever has just had the lock queues behind the other.
const open = (/** @type {string} */ name) => new RWLock(name, { fairness: 0 })

/**
 * A case, and what ends its process. One time is one handoff.
 *
 * @returns {Promise<import('./measure.js').Case & { end(): void }>}
 */
export async function handoff() {
  const name = `process-rwlock-bench-handoff/${process.pid}`
  const lock = open(name)
  const child = fork(file, [name])
  await once(child, 'message')
  return {
    name: 'writer to writer in another process',
    async run(times) {
      child.send('start')
      for (let done = 0; done < times; done += 2) await passOn(lock) // there and back
      child.send('stop')
      await once(child, 'message')
    },
    end() {
      child.disconnect()
      lock.close()
    },
  }
}

/**
 * Takes the lock, and gives it to the other process when that waits for it.
 *
 * @param {RWLock} lock
 * @param {() => boolean} [isOver] whether the other process will not come any more
 */
async function passOn(lock, isOver = () => false) {
  const guard = await lock.acquireWrite()
  while (!isOver() && lock.inspect().waiters.length === 0) await setImmediate()
  guard.release()
}

if (process.argv[1] === file) {
  const lock = open(process.argv[2])
  let stopped = false
  process.on('message', async (message) => {
    stopped = message === 'stop'
    if (stopped) return
    while (!stopped) await passOn(lock, () => stopped)
    process.send?.('stopped')
  })
  process.send?.('ready')
}
