// Mutants whose memory orderings are weaker.
import { weakens } from './operators.js'

/** @typedef {import('./operators.js').Order} Order */

/**
 * At a crash point.
 *
 * @param {string} label
 * @param {Order} order
 * @param {{ selector?: string, survives?: string }} [options] `selector`: the function, for a label that occurs in several;
 *   `survives`: why the check is right not to find it
 * @returns {import('./mutate.js').Mutant}
 */
export function weaker(label, order, { selector, survives } = {}) {
  return { name: `${label}: ${order}`, change: [weakens({ point: label, in: selector }, order)], survives }
}

/**
 * In a function.
 *
 * @param {string} selector
 * @param {Order} order
 * @param {{ failure?: boolean, both?: boolean, survives?: string }} [options] of a compare-and-swap: its ordering if it fails, or
 *   both
 * @returns {import('./mutate.js').Mutant}
 */
export function weakerIn(selector, order, { failure = false, both = false, survives } = {}) {
  const name = `${selector}${failure ? ' (failure)' : ''}: ${order}`
  const change = weakens({ function: selector }, order, { nth: failure ? 1 : 0, times: both ? 2 : 1 })
  return { name, change: [change], survives }
}

/**
 * Where a word is accessed, for an access without a crash point of its own.
 *
 * @param {string} access such as `removal.load`, the only one in the sources
 * @param {Order} order
 * @returns {import('./mutate.js').Mutant}
 */
export function weakerAt(access, order) {
  return { name: `${access}: ${order}`, change: [weakens({ access }, order)] }
}
