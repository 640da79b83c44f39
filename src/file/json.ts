import { invalidContent } from './content-error.js'
import { invalidOffset } from './json-position.js'
import { decode } from './text.js'

/** The type of the results of `JSON.parse`. */
export type Parsed = ReturnType<JSON['parse']>

/** How a JSON text is written, apart from its value. */
interface Style {
  indent: string | number
  lineEnd: '\n' | '\r\n'
  /** The text before and after the value. */
  start: '' | '\uFEFF'
  end: string
}

const DEFAULT_INDENT = 2
const NEW_FILE: Style = { indent: DEFAULT_INDENT, lineEnd: '\n', start: '', end: '\n' }

/** The JSON text in a file. */
export class JSONText {
  readonly text: string
  readonly #path: string

  /** @throws `ERR_LOCK_INVALID_CONTENT` if the bytes are not UTF-8. */
  constructor(bytes: Buffer, path: string) {
    this.text = decode(bytes, 'utf8', path)
    this.#path = path
  }

  /** Whether there is nothing but white space. */
  get isEmpty(): boolean {
    return this.text.trim() === ''
  }

  /** @throws `ERR_LOCK_INVALID_CONTENT` */
  parse(): Parsed {
    const { text } = this
    const start = text.startsWith('\uFEFF') ? 1 : 0
    try {
      return JSON.parse(start === 0 ? text : text.slice(start))
    } catch (error) {
      const offset = start + invalidOffset(text.slice(start))
      const problem = this.isEmpty
        ? 'the file is empty, and no `default` was given'
        : offset >= text.length
          ? 'the file ends inside a JSON value'
          : `this is not valid JSON: ${JSON.stringify(text.slice(offset, offset + 20))}`
      throw invalidContent(this.#path, text, offset, problem, error)
    }
  }

  get style(): Style {
    const { text } = this
    if (this.isEmpty) return NEW_FILE
    return {
      indent: indentOf(text.trim()),
      lineEnd: /^[^\n]*\r\n/.test(text) ? '\r\n' : '\n',
      start: text.startsWith('\uFEFF') ? '\uFEFF' : '',
      end: /\s*$/.exec(text.slice(-MAX_END))?.[0] ?? '',
    }
  }
}

const MAX_END = 100

function indentOf(text: string): string | number {
  const [, indent] = /^[[{][ \t]*\r?\n([ \t]+)/.exec(text) ?? []
  if (indent !== undefined) return indent
  // A text of one line stays compact, unless it has nothing to indent.
  const isCompact = /^[[{]\s*[^\s\]}]/.test(text) && !text.includes('\n')
  return isCompact ? 0 : DEFAULT_INDENT
}

/** `value` as JSON, in the style of `before`; `undefined` if JSON has no form for it. */
export function stringify(
  value: unknown,
  before: JSONText | null,
  indent: string | number | undefined,
): string | undefined {
  const style = before?.style ?? NEW_FILE
  const text = JSON.stringify(value, null, indent ?? style.indent) as string | undefined
  if (text === undefined) return undefined
  const lines = style.lineEnd === '\n' ? text : text.replaceAll('\n', style.lineEnd)
  return `${style.start}${lines}${style.end}`
}
