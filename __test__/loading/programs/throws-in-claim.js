// A copy whose claims throw: reports what happens to the grant and to the error.
import { RWLock } from 'process-rwlock'
import { opening } from '../opening.js'

const { binding } = await import(new URL('../../../dist/shared-memory/binding.js', import.meta.url).href)
const [name = ''] = process.argv.slice(2)
const lock = new RWLock(name)
/** @type {number[]} */
const calls = []
const copy = binding.register((token) => {
  calls.push(token)
  throw new Error('claim')
})
/** @type {string[]} */
const errors = []
process.on('uncaughtException', (error) => {
  errors.push(error.message)
  setImmediate(() => {
    process.send?.({ type: 'thrown', calls, errors, holders: lock.inspect().holders })
    process.disconnect()
  })
})
const opened = binding.open(copy.number, {}, opening(name))
// The claim throws during this call, which must not fail.
binding.request(copy.number, 1, /** @type {any} */ (opened).attachment, 3, Number.POSITIVE_INFINITY, 0, false)
