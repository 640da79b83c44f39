// What the TAP output of ava says.
import { inspect } from 'node:util'

/**
 * Ava numbers an error outside of a test like a test, and leaves it out of the plan. So the last
 * tests may have numbers beyond the plan, for which the parser lists them as failures.
 *
 * @param {import('tap-parser').FinalResults} results
 */
export function resultsOf({ count, pass, skip, plan, failures }) {
  const failed = failures
    .filter(({ ok, name }) => name !== undefined && !ok)
    .map(({ name, diag }) => `${name}\n${inspect(diag, { depth: 4 })}`)
  // The plan has the tests that never ran, too, such as those after a crash.
  const missing = Math.max(0, (plan.end ?? count) - count)
  return {
    passed: pass - skip, // TAP has a skipped test as "ok"
    failed: failed.length + missing,
    failures: missing === 0 ? failed : [...failed, `${missing} tests did not run`],
  }
}
