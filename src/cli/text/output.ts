// What a stream can show: colours, and how wide its lines may be.
import { styleText } from 'node:util'

export type Style = 'bold' | 'dim' | 'red' | 'yellow' | 'green' | 'cyan' | 'underline'

/** What is used here of a `tty.WriteStream`. */
export interface Stream {
  readonly isTTY?: boolean
  readonly columns?: number
  hasColors?(count: number, env: object): boolean
}

export interface Output {
  /** The columns of the terminal, 80 if it does not know them; `Infinity` if it is none, for example a pipe. */
  readonly width: number
  /** `text` in a style, if the stream has colours. */
  style(style: Style, text: string): string
}

/**
 * A stream has colours if it is a terminal with colours; `NO_COLOR`, `FORCE_COLOR` and `TERM` are
 * obeyed as in Node.js. Source: no-color.org.
 */
export function outputOf(stream: Stream, env: NodeJS.ProcessEnv): Output {
  const isTerminal = stream.isTTY === true
  const hasColors = isTerminal && stream.hasColors?.(16, env) === true
  return {
    width: isTerminal ? stream.columns || 80 : Number.POSITIVE_INFINITY,
    // Not checked again by `styleText`: the stream may not be standard output.
    style: (style, text) => (hasColors ? styleText(style, text, { validateStream: false }) : text),
  }
}
