// Tests with requirements that not every system meets: there they are skipped, with the reason in
// the title.
import ava from 'ava'
import { test } from './test.js'

/**
 * `test`, or a declaration of skipped tests if a requirement is not met.
 *
 * @param {string | false | undefined} lack the requirement that is not met
 * @returns {typeof test}
 */
export function testUnless(lack) {
  return lack ? (title) => ava.skip(`${title} (${lack})`, () => {}) : test
}

/** For tests that require Linux, for example /proc. */
export const linuxTest = testUnless(process.platform !== 'linux' && 'Linux only')
