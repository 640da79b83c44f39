// Opens locks of the shared-memory engine, in any process or thread of a contract test.
import { RWLock } from 'process-rwlock'

/**
 * @param {any} ref
 * @param {any} [options]
 */
export const open = (ref, options) => new RWLock(ref, options)
