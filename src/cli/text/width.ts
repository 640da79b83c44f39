// How text fits into columns of a terminal.

/** Control characters, and those that change the direction of text. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are meant.
const OBEYED = /[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g

/**
 * `text` without what a terminal would obey: names, labels and command lines are those of other
 * programs. It becomes escapes.
 */
export function harmless(text: string): string {
  return text.replace(OBEYED, (character) => {
    const known = { '\n': '\\n', '\t': '\\t', '\r': '\\r' }[character]
    const code = character.charCodeAt(0)
    return known ?? (code < 256 ? `\\x${hex(code, 2)}` : `\\u${hex(code, 4)}`)
  })
}

/** JSON without what a terminal would obey: `--json` may be printed there. */
export function jsonOf(value: unknown, indent?: number): string {
  return JSON.stringify(value, null, indent).replace(OBEYED, (character) =>
    character === '\n' ? character : `\\u${hex(character.charCodeAt(0), 4)}`,
  )
}

const hex = (code: number, digits: number) => code.toString(16).padStart(digits, '0')

// biome-ignore lint/suspicious/noControlCharactersInRegex: an escape sequence begins with one.
const STYLE = /\x1b\[[\d;]*m/g
/** Combining characters and joiners. */
const NARROWEST = /[\p{Mn}\p{Me}\p{Cf}]/u
/** East Asian wide characters, and emoji but the letters of flags. Source: Unicode Standard Annex #11. */
const WIDE =
  /(?![\u{1f1e6}-\u{1f1ff}])[\p{Emoji_Presentation}\u1100-\u115f\u2329\u232a\u2e80-\u303e\u3041-\u3247\u3250-\u4dbf\u4e00-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe10-\ufe19\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{16fe0}-\u{18dff}\u{1aff0}-\u{1b2ff}\u{1f200}-\u{1f265}\u{20000}-\u{3fffd}]/u

const widthOfCharacter = (character: string) => (NARROWEST.test(character) ? 0 : WIDE.test(character) ? 2 : 1)

/** How many columns `text` takes. It may be styled. */
export function widthOf(text: string): number {
  if (/^[\x20-\x7e]*$/.test(text)) return text.length
  let width = 0
  for (const character of text.replace(STYLE, '')) width += widthOfCharacter(character)
  return width
}

/** The beginning of `text`, which is not styled, that fits into `width` columns; `…` ends it if it is cut. */
export function fitted(text: string, width: number): string {
  if (widthOf(text) <= width) return text
  if (width < 1) return ''
  let [result, used] = ['', 0]
  for (const character of text) {
    const its = widthOfCharacter(character)
    if (used + its > width - 1) break
    result += character
    used += its
  }
  return `${result}…`
}

/** `text`, filled with blanks. */
export function padded(text: string, width: number, align: 'left' | 'right' = 'left'): string {
  const blanks = ' '.repeat(Math.max(0, width - widthOf(text)))
  return align === 'left' ? text + blanks : blanks + text
}

/** Lines of at most `width` columns, broken at blanks where possible. */
export function wrapped(text: string, width: number): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line !== '' && widthOf(line) + 1 + widthOf(word) > width) {
      lines.push(line)
      line = word
    } else {
      line = line === '' ? word : `${line} ${word}`
    }
  }
  return [...lines, line]
}
