// Tables that fit into the width of a terminal.
import type { Output, Style } from './output.js'
import { fitted, padded, widthOf } from './width.js'

export interface Column {
  readonly title: string
  readonly align?: 'left' | 'right'
  /** How many columns it keeps if the table is too wide. Without it, it is never cut. */
  readonly least?: number
}

/** A cell, with a style for all of it. */
export type Cell = string | { readonly text: string; readonly style: Style }

const GAP = 2

/** The lines of a table. Columns that are empty in every row are left out. */
export function table(
  columns: readonly Column[],
  rows: readonly (readonly Cell[])[],
  output: Output,
): string[] {
  const shown = columns.flatMap((column, index) => {
    const widest = Math.max(0, ...rows.map((row) => widthOf(textOf(row[index]))))
    return widest === 0 && rows.length > 0
      ? []
      : [{ column, index, width: Math.max(widest, widthOf(column.title)) }]
  })
  narrow(shown, output.width - GAP * (shown.length - 1))
  const line = (cells: readonly Cell[], all?: Style) =>
    shown
      .map(({ column, index, width }, place) => {
        const cell = cells[index]
        const text = fitted(textOf(cell), width)
        // No blanks at the end of a line.
        const isLast = place === shown.length - 1 && column.align !== 'right'
        const filled = isLast ? text : padded(text, width, column.align)
        const style = all ?? (typeof cell === 'object' ? cell.style : undefined)
        return style === undefined ? filled : output.style(style, filled)
      })
      .join(' '.repeat(GAP))
      .replace(/ +$/, '')
  return [
    line(
      columns.map(({ title }) => title),
      'bold',
    ),
    ...rows.map((row) => line(row)),
  ]
}

const textOf = (cell: Cell | undefined) => (typeof cell === 'object' ? cell.text : (cell ?? ''))

/** Takes what is too much from the widest column that may be cut, one by one. */
function narrow(shown: { column: Column; width: number }[], available: number): void {
  let excess = shown.reduce((sum, { width }) => sum + width, 0) - available
  while (excess > 0 && excess !== Number.POSITIVE_INFINITY) {
    const spare = ({ column, width }: (typeof shown)[0]) =>
      column.least === undefined ? 0 : width - Math.max(column.least, 1)
    const widest = shown.filter((each) => spare(each) > 0).sort((a, b) => b.width - a.width)[0]
    if (widest === undefined) return
    widest.width--
    excess--
  }
}
