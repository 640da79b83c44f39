// Tests that need what not every system has: where it is lacking they are skipped, and say why.
import ava from 'ava'
import { test } from './test.js'

/** What runs this Node.js if its system does not: `wine` or `qemu`. */
export const EMULATOR = process.env.PROCESS_RWLOCK_EMULATOR

/**
 * `test`, or where something is lacking a test that is skipped.
 *
 * @param {string | false | undefined} lack what there is not
 * @returns {typeof test}
 */
export function testUnless(lack) {
  return lack ? (title) => ava.skip(`${title} (${lack})`, () => {}) : test
}

/** For tests of what only Linux has, such as /proc. */
export const linuxTest = testUnless(process.platform !== 'linux' && 'Linux only')
