// Opens locks of the shared-memory engine, in any process or thread of a contract test.
import { RWLock, Semaphore } from 'process-rwlock'
import { allowingSteals } from '../../../dist/steal.js'

/**
 * @param {any} ref
 * @param {any} [options] `stealable`: its holds may be stolen
 */
export const open = (ref, { stealable = false, ...options } = {}) =>
  new RWLock(ref, stealable ? allowingSteals(options) : options)

/**
 * @param {any} ref
 * @param {any} options
 */
export const semaphore = (ref, options) => new Semaphore(ref, options)

export { steal } from '../../../dist/steal.js'
