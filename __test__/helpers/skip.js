// Tests that need what not every system has: where it is lacking they are skipped, by a title that says why.
import ava from 'ava'
import { test } from './test.js'

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
