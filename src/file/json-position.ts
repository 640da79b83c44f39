// Finds the first error in a JSON text. `JSON.parse` reports positions only in some runtimes, and
// only for some errors.

const SPACE = /[ \t\n\r]*/y
const LITERAL = /true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y
const PLAIN = /[ !#-[\]-\uFFFF]*/y // no quote, no backslash, no control character
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y

/**
 * The offset of the first character that makes the text invalid, or its length if the text only
 * ends too early.
 */
export function invalidOffset(text: string): number {
  /** The closing characters of the containers that are open. */
  const closers: string[] = []
  let at = 0

  /** Moves past what `pattern` matches, if it does. */
  const skip = (pattern: RegExp): boolean => {
    pattern.lastIndex = at
    const matches = pattern.test(text)
    if (matches) at = pattern.lastIndex
    return matches
  }
  const skipChar = (char: string): boolean => {
    if (text[at] !== char) return false
    at++
    return true
  }
  const skipString = (): boolean => {
    if (!skipChar('"')) return false
    do skip(PLAIN)
    while (skip(ESCAPE))
    return skipChar('"')
  }
  const skipKey = (): boolean => {
    skip(SPACE)
    if (!skipString()) return false
    skip(SPACE)
    return skipChar(':')
  }

  for (;;) {
    skip(SPACE)
    // A value, or the beginning of one.
    const isArray = text[at] === '['
    if (isArray || text[at] === '{') {
      at++
      skip(SPACE)
      const closer = isArray ? ']' : '}'
      if (!skipChar(closer)) {
        closers.push(closer)
        if (isArray || skipKey()) continue
        return at
      }
    } else if (text[at] === '"') {
      if (!skipString()) return at
    } else if (!skip(LITERAL)) {
      return at
    }
    // After a value: the ends of containers, then the next element.
    for (;;) {
      skip(SPACE)
      const closer = closers.at(-1)
      if (closer === undefined || !skipChar(closer)) break
      closers.pop()
    }
    if (closers.length === 0 || !skipChar(',')) return at
    if (closers.at(-1) === '}' && !skipKey()) return at
  }
}
