const BLOCKS = '▁▂▃▄▅▆▇█'
/** Where the terminal has only ASCII. */
const LETTERS = '_.-=+*#@'

/**
 * The last `columns` values as a bar each, relative to the greatest of them. What is unknown is a
 * gap.
 */
export function sparkline(values: readonly (number | null)[], columns: number, unicode: boolean): string {
  const bars = unicode ? BLOCKS : LETTERS
  const shown = values.slice(-columns)
  const most = Math.max(...shown.map((value) => value ?? 0))
  const bar = (value: number | null) => {
    if (value === null) return ' '
    // The lowest bar is for 0 alone, so that a little can be told from nothing.
    return bars[value > 0 ? Math.max(1, Math.round((value / most) * (bars.length - 1))) : 0]
  }
  return shown.map(bar).join('').padStart(columns)
}
