// Child processes that take commands (`child.js`), which the tests of a file use one after the
// other: most of the cost of a small test is the start of a process.
import ava from 'ava'
import { cleanUp } from './cleanup.js'
import { spawnChild } from './process.js'

/** @typedef {Awaited<ReturnType<typeof spawnChild>>} Child */

/**
 * The pool of a test file: it gives each test children that no other test uses meanwhile. They end
 * with the file.
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
  /** Takes the place of a test: the children outlast the tests. @type {any} */
  const file = { teardown: (end) => ends.push(end) }

  /**
   * A child without a lock. After the test it closes the locks that it has opened, and returns to
   * the pool.
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
