// The output of the demo: plain lines, so a terminal and a log show the same.
import { styleText } from 'node:util'

const { stdout } = process
const colours = stdout.isTTY && !process.env.NO_COLOR && stdout.hasColors()

/** @typedef {Parameters<typeof styleText>[0]} Style */

/**
 * @param {Style} style
 * @param {string} text
 */
export const styled = (style, text) => (colours ? styleText(style, text) : text)

/** @param {string} [text] */
export const print = (text = '') => stdout.write(text === '' ? '\n' : `  ${text}\n`)

/** @param {number} value */
export const number = (value) => value.toLocaleString('en')

/** @param {number} value */
export const ms = (value) =>
  value < 10
    ? `${value.toFixed(1)} ms`
    : value < 10_000
      ? `${Math.round(value)} ms`
      : `${Math.round(value / 1000)} s`

/** @type {[title: string, unit: string, width: number][]} */
const COLUMNS = [
  ['', 'time', 6],
  ['', 'requests', 10],
  ['', 'reads', 8],
  ['', 'writes', 9],
  ['worst delay of', 'an event loop', 17],
  ['most', 'holders', 11],
  ['most', 'waiters', 11],
]

export function printTableHead() {
  for (const line of /** @type {const} */ ([0, 1])) {
    print(styled('dim', COLUMNS.map((column) => column[line].padStart(column[2])).join('')))
  }
}

/** @param {string[]} cells */
export function printRow(cells) {
  print(cells.map((cell, i) => cell.padStart(COLUMNS[i]?.[2] ?? 0)).join(''))
}

/**
 * Something that happened between two rows.
 *
 * @param {number} seconds since the first row was begun
 * @param {string} text
 */
export function printEvent(seconds, text) {
  print(styled('yellow', `${`${seconds.toFixed(1)} s`.padStart(6)}  ${text}`))
}

/**
 * @param {boolean} passed
 * @param {string} text
 */
export function printCheck(passed, text) {
  print(`${passed ? styled('green', '    ok') : styled(['bold', 'red'], 'FAILED')}  ${text}`)
}
