// Changes a screen from one frame to the next: only lines that differ are written.
import { columnsOf, type Line, written } from './line.js'

export interface Size {
  columns: number
  rows: number
}

export class Paint {
  readonly #colours: boolean
  #shown: string[] = []
  #size: Size = { columns: 0, rows: 0 }

  constructor(colours: boolean) {
    this.#colours = colours
  }

  /** The screen has something else on it now. */
  forget(): void {
    this.#size = { columns: 0, rows: 0 }
  }

  /** What the terminal must be sent to show these lines and nothing else. */
  update(lines: readonly Line[], size: Size): string {
    let output = ''
    if (size.columns !== this.#size.columns || size.rows !== this.#size.rows) {
      output = '\x1b[0m\x1b[2J'
      this.#shown = []
      this.#size = size
    }
    for (let row = 0; row < size.rows; row++) {
      const line = lines[row] ?? []
      const text = written(line, this.#colours)
      if (text === (this.#shown[row] ?? '')) continue
      this.#shown[row] = text
      // Erased only where there is room: behind the last column a terminal would erase that one.
      output += `\x1b[${row + 1};1H${text}${columnsOf(line) < size.columns ? '\x1b[K' : ''}`
    }
    // The terminal shows all at once, if it knows how ("synchronized output").
    return output === '' ? '' : `\x1b[?2026h${output}\x1b[?2026l`
  }
}
