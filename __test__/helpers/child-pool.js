// Child processes that take commands (`child.js`), used by one test of a file after the other: starting a process is most of
// what a small test costs.
import ava from 'ava'
import { cleanUp } from './cleanup.js'
import { spawnChild } from './process.js'

/** @typedef {Awaited<ReturnType<typeof spawnChild>>} Child */

/**
 * The pool of a test file: gives each of its tests children that no other test uses meanwhile. They end with the file.
 *
 * @param {URL} [engine] what they open their locks with; see `child.js`
 */
export function childPool(engine) {
  /** @type {Child[]} */
  const idle = []
  /** @type {Array<() => unknown>} */
  const ends = []
  ava.after.always(`children of ${engine?.href ?? 'shared memory'}`, async () => {
    for (const end of ends) await end()
  })
  /** Stands in for the test of the children. @type {any} */
  const file = { teardown: (end) => ends.push(end) }

  /**
   * A child without a lock. After the test it closes the locks that it has opened, and returns to the pool.
   *
   * @param {import('ava').ExecutionContext<any>} t
   */
  return async function pooledChild(t) {
    const child = idle.pop() ?? (await spawnChild(file, { engine }))
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
}
