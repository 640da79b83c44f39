// Children that take commands (`child.js`), one after the other for the tests of a file: starting a process is most of
// what a small test costs.
import ava from 'ava'
import { cleanUp } from './cleanup.js'
import { spawnChild } from './index.js'

/** @typedef {Awaited<ReturnType<typeof spawnChild>>} Child */

/** @type {Array<() => unknown>} */
const ends = []
ava.after.always('children', async () => {
  for (const end of ends) await end()
})
/** The children's test, as it were. @type {any} */
const file = { teardown: (end) => ends.push(end) }

/** @type {Child[]} */
const idle = []

/**
 * A child without a lock. After the test it closes the locks it has opened, and is lent to the next one.
 *
 * @param {import('ava').ExecutionContext<any>} t
 */
export async function pooledChild(t) {
  const child = idle.pop() ?? (await spawnChild(file))
  let ended = false
  child.exited.then(() => {
    ended = true
  })
  cleanUp(t, 'processes', async () => {
    if (!ended && t.passed) {
      await child.ask('reset')
      idle.push(child)
    } else {
      await child.destroy()
    }
  })
  return child
}
