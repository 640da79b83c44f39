// A line of the screen: pieces of text, each with its style, before it is known whether the terminal
// shows colours.
import { fitted, padded, widthOf } from '../text/width.js'

/** Its codes: "Select Graphic Rendition" in ECMA-48. */
const CODES = { bold: 1, dim: 2, inverse: 7, red: 31, green: 32, yellow: 33, cyan: 36 } as const

export type Style = keyof typeof CODES

export interface Piece {
  text: string
  style?: Style | undefined
}

export type Line = readonly Piece[]

export function piece(text: string, style?: Style): Piece {
  return { text, style }
}

export function columnsOf(line: Line): number {
  return line.reduce((sum, { text }) => sum + widthOf(text), 0)
}

/** `text`, cut or filled to exactly so many columns. */
export function cell(text: string, columns: number, align: 'left' | 'right' = 'left'): string {
  return padded(fitted(text, columns), columns, align)
}

/** The line, cut to so many columns. */
export function fit(line: Line, columns: number): Line {
  let room = columns
  const kept: Piece[] = []
  for (const { text, style } of line) {
    const width = widthOf(text)
    if (width > room) {
      kept.push(piece(fitted(text, room), style))
      break
    }
    kept.push(piece(text, style))
    room -= width
  }
  return kept
}

/** `left` at the left and `right` at the right of so many columns; `right` only if there is room. */
export function spread(left: Line, right: Line, columns: number): Line {
  const room = columns - columnsOf(left) - columnsOf(right)
  return room < 2 ? fit(left, columns) : [...left, piece(' '.repeat(room)), ...right]
}

/** What is written to the terminal. */
export function written(line: Line, colours: boolean): string {
  if (!colours) return line.map(({ text }) => text).join('')
  return line
    .map(({ text, style }) => (style === undefined ? text : `\x1b[${CODES[style]}m${text}\x1b[0m`))
    .join('')
}
