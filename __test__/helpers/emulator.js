// Tests under an emulator (scripts/cross.sh): slower, and without what it cannot show. Nothing is left out unsaid.
import { testUnless } from './skip.js'
import { test } from './test.js'

/** "qemu", "wine", or undefined on a real system. */
export const emulator = process.env.PROCESS_RWLOCK_EMULATOR

/**
 * For tests that an emulator cannot run, or whose result there would be its own: skipped under it, by a title that says why.
 *
 * @param {string} why
 * @param {{ by?: typeof test, under?: string[] }} [options] `by`: what runs it on a real system; `under`: the emulators meant, all
 *   unless told otherwise
 * @returns {typeof test}
 */
export function unlessEmulated(why, { by = test, under } = {}) {
  if (!emulator || (under && !under.includes(emulator))) return by
  return testUnless(`${emulator}: ${why}`)
}
