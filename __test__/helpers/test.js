// Tests that run one after the other, so that none disturbs the measurements of another, with a
// time limit.
import ava from 'ava'
import { timeoutFactor } from './timeout-factor.js'

// Far more than a test needs on a loaded machine, and less than the timeout of the suite, which
// would run no teardown.
const BOUND = Number(process.env.PROCESS_RWLOCK_TEST_BOUND ?? 30_000) * timeoutFactor

/**
 * @param {string} title
 * @param {(t: import('ava').ExecutionContext) => void | Promise<void>} body
 */
export function test(title, body) {
  ava.serial(title, (t) => {
    t.timeout(BOUND)
    return body(t)
  })
}
