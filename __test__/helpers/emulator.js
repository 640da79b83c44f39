// Tests under an emulator (npm run cross) are slower, and those that it cannot run are skipped
// visibly.
import { testUnless } from './skip.js'
import { test } from './test.js'

/** "qemu", "wine", or undefined on a real system. */
export const emulator = process.env.PROCESS_RWLOCK_EMULATOR

/**
 * For tests that an emulator cannot run, or whose result would be that of the emulator: there they
 * are skipped, with the reason in the title.
 *
 * @param {string} why
 * @param {{ by?: typeof test, under?: string[] }} [options] `by` declares it on a real system; `under`: the emulators, by
 *   default all
 * @returns {typeof test}
 */
export function unlessEmulated(why, { by = test, under } = {}) {
  if (!emulator || (under && !under.includes(emulator))) return by
  return testUnless(`${emulator}: ${why}`)
}
