// The goals, as ratios within one run where possible.
import { atLeast, atMost } from '../report/goals.js'
import { time } from '../report/text.js'
import { BLOCKED, OURS, ROUND_TRIP } from './systems.js'

/** @param {Record<string, any>} results @returns {import('../report/goals.js').Reached[]} */
export function goals({ pairs, handoff, contended, recovery }) {
  const found = []
  if (pairs) {
    const ratio = (/** @type {any[]} */ rows, /** @type {string} */ mode) => {
      const of = (/** @type {string} */ system) =>
        rows.find((row) => row.system === system && row.mode === mode).median
      return of(OURS) / of(ROUND_TRIP)
    }
    found.push(
      atMost('read pair / select 1', ratio(pairs.near, 'read'), 1.1),
      atMost('write pair / one-row update', ratio(pairs.near, 'write'), 1.6),
      // Two round trips would be twice as long.
      atMost('write pair / one-row update, 11 ms away', ratio(pairs.far, 'write'), 1.5),
    )
  }
  if (handoff) {
    const of = (/** @type {string} */ system) =>
      handoff.find((/** @type {any} */ row) => row.system === system).median
    found.push(atMost('handoff / that of a blocked session', of(OURS) / of(BLOCKED), 2))
  }
  if (contended) {
    const ours = contended.find((/** @type {any} */ { system }) => system === OURS)
    for (const row of contended) {
      if (row === ours) continue
      found.push(
        atLeast(`contended: operations / those of ${row.system}`, ours.median / row.median, 1),
        atMost(`contended: longest wait / that of ${row.system}`, longest(ours) / longest(row), 1),
      )
    }
    found.push(atMost('contended: connections of a process', ours.connections / 4, 2))
  }
  if (recovery) {
    const { median } = recovery.find((/** @type {any} */ { system }) => system === OURS)
    found.push(atMost('recovery from a kill, median', median, 8e6, time))
  }
  return found
}

/** @param {any} row */
const longest = ({ waits }) => Math.max(waits.read.usualMax, waits.write.usualMax)
