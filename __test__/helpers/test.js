// Tests that take turns, so that none measures another, and that end: what hangs fails, and is cleaned up after.
import ava from 'ava'
import { timeoutFactor } from './timeout-factor.js'

// Far above what a test needs on a loaded machine, below the suite's own timeout, which would run no teardown.
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
