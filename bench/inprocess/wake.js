// node wake.js <times> <pause in µs>: the floor of waking an event loop from another thread, a
// thread-safe function.
import { createRequire } from 'node:module'

const { callFromThread } = createRequire(import.meta.url)('../../__test__/helpers/testkit.node')
const [times, pause] = process.argv.slice(2).map(Number)

/** @type {number[]} */
const samples = []
callFromThread(
  (/** @type {number} */ called) => {
    samples.push(Number(process.hrtime.bigint()) - called)
    if (samples.length === times) {
      process.stdout.write(JSON.stringify(samples))
      process.exit()
    }
  },
  times,
  pause,
)
