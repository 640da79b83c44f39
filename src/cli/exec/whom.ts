// Whom a command waits for.
import { examine } from '../../shared-memory/survey.js'
import type { RWLockRef } from '../../types.js'
import { marksOf, pidText, reportsOf } from '../report.js'
import { duration } from '../text/duration.js'

/** Such as `held for write by pid 4711 ('rebuild') for 3 min 5 s, which is stopped`. */
export async function whomOf(ref: RWLockRef): Promise<string> {
  const found = examine(ref)
  const [report] = await reportsOf(found === null ? [] : [found])
  const { holders = [], waiters = [] } = report ?? {}
  // One that does not run as it should, if there is one.
  const holder = holders.find((each) => marksOf(each).length > 0) ?? holders[0]
  if (holder === undefined) {
    const before = Math.max(
      0,
      waiters.findIndex(({ pid }) => pid === process.pid),
    )
    return `not held, ${before === 1 ? '1 request is' : `${before} requests are`} before this one`
  }
  const { mode, label, ms } = holder
  const marks = marksOf(holder)
  const which = marks.length === 0 ? '' : `, which is ${marks.join(' and ')}`
  const others = holders.length - 1
  const more = others === 0 ? '' : `, and by ${others} more`
  return `held for ${mode} by ${pidText(holder)} ('${label}') for ${duration(ms)}${which}${more}`
}
