// The ways to write a mutant. A place is named by what it is, a function or a crash point, never by its line or its file, so
// that a mutant outlives a rename of variables, a move to another file, and a formatter.
import { lex } from './lexer.js'
import { matches, statementAround } from './tree.js'

/**
 * @typedef {import('./tree.js').Span} Span
 * @typedef {import('./tree.js').Tree} Tree
 * @typedef {import('./lexer.js').Token} Token
 *
 * What stands somewhere in the sources, with what the pattern's variables stand for.
 * @typedef {Span & { at?: Span, from?: number, variables?: Record<string, string> }} Found
 *
 * @typedef {(tree: Tree) => Found} Place
 *
 * @typedef {Span & { text: string }} Edit
 *
 * @typedef {(tree: Tree) => Edit[]} Change
 */

// Places.

/**
 * The statement at a crash point.
 *
 * @param {string} label
 * @param {string} [selector] the function, for a label that occurs in several
 * @returns {Place}
 */
export function point(label, selector) {
  return (tree) => tree.crashPoint(label, selector)
}

/**
 * The statement in which a function calls another.
 *
 * @param {string} selector
 * @param {string} callee its name, or a method's
 * @param {number} [nth] which, where it does so several times
 * @returns {Place}
 */
export function call(selector, callee, nth) {
  return (tree) => {
    const { source, open, close } = tree.function(selector)
    const calls = range(open, close).filter(
      (at) => source.textOf(at) === callee && ['(', '!', ':'].includes(source.textOf(at + 1) ?? ''),
    )
    const [first, last] = statementAround(source, one(calls, nth, `call of ${callee} in ${selector}`))
    return source.span(first, last)
  }
}

/**
 * The condition of an `if`, of a `while` or of an arm of a `match`.
 *
 * @param {string} selector
 * @param {string} which what it contains, such as the name of a function
 * @param {number} [nth] which of those that contain it
 * @returns {Place}
 */
export function condition(selector, which, nth) {
  return (tree) => {
    const { source, open, close } = tree.function(selector)
    const conditions = conditionsOf(source, open, close)
    const found = conditions.filter(([first, last]) => occurrences(source, first, last, which).length > 0)
    const [first, last] = one(found, nth, `condition with \`${which}\` in ${selector}`)
    return source.span(first, last)
  }
}

/**
 * The condition of the innermost `if`, `while` or arm whose block a crash point is in.
 *
 * @param {string} label
 * @param {string} [selector] the function, for a label that occurs in several
 * @returns {Place}
 */
export function guard(label, selector) {
  return (tree) => {
    const { source, at, function: around } = tree.crashPoint(label, selector)
    const guards = conditionsOf(source, around?.open ?? 0, around?.close ?? 0).filter(([, last]) => {
      const open = last + 1
      return source.textOf(open) === '{' && source.span(open, source.partners.get(open) ?? open).end >= at.end
    })
    const [first, last] =
      guards.findLast(([, end]) => source.span(end, end).end < at.start) ?? missing(`guard of ${label}`)
    return source.span(first, last)
  }
}

/**
 * All that stands between the braces of a function.
 *
 * @param {string} selector
 * @returns {Place}
 */
export function body(selector) {
  return (tree) => {
    const { source, open, close } = tree.function(selector)
    return { source, start: source.span(open, open).end, end: source.span(close, close).start }
  }
}

/**
 * Code in a function: the last resort. White space, comments and a comma before a bracket do not count, and a word with `$`
 * stands for any word, such as the name of a variable.
 *
 * @param {string} selector
 * @param {string} pattern
 * @param {number} [nth] which, where it occurs several times
 * @returns {Place}
 */
export function code(selector, pattern, nth) {
  return (tree) => {
    const { source, open, close } = tree.function(selector)
    const found = occurrences(source, open + 1, close - 1, pattern)
    const { first, last, variables } = one(found, nth, `\`${pattern}\` in ${selector}`)
    return { ...source.span(first, last), variables }
  }
}

/**
 * What a macro of Promela's preprocessor stands for.
 *
 * @param {string} name
 * @returns {Place}
 */
export function macro(name) {
  return (tree) => {
    const found = [...tree.sources.values()].flatMap((source) =>
      source.asides.flatMap(({ kind, text, start, end }) => {
        const head =
          kind === 'directive' ? new RegExp(`^#define +${name}\\b(?:\\([^)]*\\))?\\s*`).exec(text) : null
        return head
          ? [{ source, start: start + head[0].length, end: start + text.trimEnd().length || end }]
          : []
      }),
    )
    return one(found, undefined, `macro ${name}`)
  }
}

// Changes.

/**
 * @param {Place} place
 * @param {string} text in which the variables of the place's pattern may occur
 * @returns {Change}
 */
export function becomes(place, text) {
  return (tree) => {
    const found = place(tree)
    return [{ ...spanOf(found), text: text.replace(/\$\w+/g, (name) => found.variables?.[name] ?? name) }]
  }
}

/**
 * A statement goes.
 *
 * @param {Place} place
 * @returns {Change}
 */
export function skips(place) {
  return (tree) => {
    const found = place(tree)
    const { source } = found
    if (source.language !== 'promela') return [{ ...spanOf(found), text: '' }]
    return [{ ...spanOf(found), text: source.text[found.end - 1] === ';' ? 'skip;' : 'skip' }]
  }
}

/**
 * Something is done before a statement; at a crash point, before the crash point.
 *
 * @param {Place} place
 * @param {string} text
 * @returns {Change}
 */
export function before(place, text) {
  return (tree) => {
    const found = place(tree)
    const rust = found.source.language !== 'promela'
    const start = rust ? (found.at?.start ?? found.start) : found.start
    return [{ source: found.source, start, end: start, text: `${text} ` }]
  }
}

/**
 * @param {Place} place
 * @param {string} text
 * @returns {Change}
 */
export function after(place, text) {
  return (tree) => {
    const { source, end } = place(tree)
    // A last statement of Promela has no semicolon.
    const separator = source.language === 'promela' && source.text[end - 1] !== ';' ? ';' : ''
    const behind = source.language === 'promela' && source.text[end - 1] === ';' ? ';' : ''
    return [{ source, start: end, end, text: `${separator} ${text}${behind}` }]
  }
}

/**
 * Two places change places; crash points stay before their statements.
 *
 * @param {Place} first
 * @param {Place} second
 * @returns {Change}
 */
export function swaps(first, second) {
  return (tree) => {
    const [one, other] = [whole(first(tree)), whole(second(tree))]
    const text = (/** @type {Span} */ { source, start, end }) => source.text.slice(start, end)
    return [
      { ...one, text: text(other) },
      { ...other, text: text(one) },
    ]
  }
}

/**
 * A function does nothing but give that.
 *
 * @param {string} selector
 * @param {string} expression
 * @returns {Change}
 */
export function returns(selector, expression) {
  return becomes(body(selector), ` ${expression} `)
}

/**
 * Text that occurs exactly once in a file that is no source: a workflow, a document, a built file.
 *
 * @param {string} file
 * @param {string} from
 * @param {string} to
 * @returns {Change}
 */
export function text(file, from, to) {
  return (tree) => {
    const source = tree.sources.get(file) ?? missing(file)
    const start = source.text.indexOf(from)
    if (start < 0 || source.text.includes(from, start + 1)) {
      throw new Error(`it does not occur exactly once in ${file}: ${from}`)
    }
    return [{ source, start, end: start + from.length, text: to }]
  }
}

/**
 * Something is done at the beginning of a function.
 *
 * @param {string} selector
 * @param {string} text
 * @returns {Change}
 */
export function begins(selector, text) {
  return (tree) => {
    const { source, start } = body(selector)(tree)
    return [{ source, start, end: start, text: ` ${text}` }]
  }
}

/**
 * A function does not call another.
 *
 * @param {string} selector
 * @param {string} callee
 * @param {number} [nth]
 * @returns {Change}
 */
export function omits(selector, callee, nth) {
  return skips(call(selector, callee, nth))
}

/**
 * A condition has a value whatever is the case.
 *
 * @param {Place} place
 * @param {'true' | 'false'} value
 * @returns {Change}
 */
export function forces(place, value) {
  return becomes(place, value)
}

/**
 * Code in a function becomes other code: see {@link code}.
 *
 * @param {string} selector
 * @param {string} pattern
 * @param {string} text
 * @param {number} [nth]
 * @returns {Change}
 */
export function replaces(selector, pattern, text, nth) {
  return becomes(code(selector, pattern, nth), text)
}

/**
 * The next sequentially consistent ordering at a crash point, or in a function, is weaker: after `nth` others, and as many as
 * `times`.
 *
 * @param {Weakened} place
 * @param {Order} order
 * @param {{ nth?: number, times?: number }} [options]
 * @returns {Change}
 *
 * @typedef {{ point: string, in?: string } | { function: string } | { access: string }} Weakened `access`: such as `removal.load`,
 *   the only one of that word in the sources
 * @typedef {'AcqRel' | 'Acquire' | 'Release' | 'Relaxed'} Order
 */
export function weakens(place, order, { nth = 0, times = 1 } = {}) {
  return (tree) => {
    const { source, first, last } = weakened(tree, place)
    const found = range(first, last).filter((at) => source.textOf(at) === 'SeqCst')
    const those = found.slice(nth, nth + times)
    if (those.length < times) throw new Error(`too few of SeqCst at ${JSON.stringify(place)}`)
    return those.map((at) => ({ ...source.span(at, at), text: `std::sync::atomic::Ordering::${order}` }))
  }
}

/**
 * Between which tokens the ordering is.
 *
 * @param {Tree} tree
 * @param {Weakened} place
 */
function weakened(tree, place) {
  if ('point' in place) {
    const { source, from, function: around } = tree.crashPoint(place.point, place.in)
    return { source, first: from, last: around.close }
  }
  if ('function' in place) {
    const { source, open, close } = tree.function(place.function)
    return { source, first: open, last: close }
  }
  const found = [...tree.sources.values()].flatMap((source) =>
    occurrences(source, 0, source.tokens.length - 1, `.${place.access}(`).map(({ first, last }) => ({
      source,
      first,
      last: source.partners.get(last) ?? last,
    })),
  )
  return one(found, undefined, `access ${place.access}`)
}

/**
 * The first and the last token of each condition.
 *
 * @param {import('./tree.js').Source} source
 * @param {number} open
 * @param {number} close
 * @returns {[number, number][]}
 */
function conditionsOf(source, open, close) {
  return range(open, close)
    .filter((at) => ['if', 'while'].includes(source.textOf(at) ?? ''))
    .map((at) =>
      source.language === 'javascript'
        ? [at + 2, (source.partners.get(at + 1) ?? at + 3) - 1]
        : [at + 1, conditionEnd(source, at + 1)],
    )
}

/** @param {number} open @param {number} close */
function range(open, close) {
  return Array.from({ length: Math.max(0, close - open) }, (_, number) => open + number)
}

/**
 * @template T
 * @param {T[]} found
 * @param {number | undefined} nth
 * @param {string} what
 * @returns {T}
 */
function one(found, nth, what) {
  const those = nth === undefined ? found : found.slice(nth, nth + 1)
  const [first] = those
  if (first === undefined) return missing(what)
  if (those.length > 1) throw new Error(`there are ${those.length} of: ${what}`)
  return first
}

/** @param {string} what @returns {never} */
function missing(what) {
  throw new Error(`there is no ${what}`)
}

/**
 * The last token of a condition: before its block, or before the arrow of an arm.
 *
 * @param {import('./tree.js').Source} source
 * @param {number} first
 */
function conditionEnd(source, first) {
  const { tokens, partners } = source
  for (let at = first; at < tokens.length; at++) {
    const text = tokens[at]?.text
    if (text === 'let') {
      // A pattern may have braces.
      while (!(tokens[at]?.text === '=' && tokens[at + 1]?.text !== '=')) at = (partners.get(at) ?? at) + 1
    } else if (text === '{' || matches(tokens, at, ['=', '>'])) return at - 1
    else if (text === '(' || text === '[') at = partners.get(at) ?? at
  }
  return first
}

/**
 * Where the tokens of a pattern occur.
 *
 * @param {import('./tree.js').Source} source
 * @param {number} first token
 * @param {number} last token
 * @param {string} pattern
 */
export function occurrences(source, first, last, pattern) {
  const wanted = withoutLastCommas(lex(pattern, source.language).tokens.map(({ text }) => text))
  /** @type {{ first: number, last: number, variables: Record<string, string> }[]} */
  const found = []
  for (let start = first; start <= last; start++) {
    /** @type {Record<string, string>} */
    const variables = {}
    let at = start
    let fits = true
    for (const text of wanted) {
      // A formatter that breaks lines adds it.
      if (')]}'.includes(text) && source.textOf(at) === ',') at++
      const token = at <= last ? source.tokens[at] : undefined
      fits = token !== undefined && equals(token, text, variables)
      if (!fits) break
      at++
    }
    if (fits) found.push({ first: start, last: at - 1, variables })
  }
  return found
}

/** @param {Token} token @param {string} text @param {Record<string, string>} variables */
function equals(token, text, variables) {
  if (!/^\$\w+$/.test(text)) return token.text === text
  if (token.kind !== 'word') return false
  variables[text] ??= token.text
  return variables[text] === token.text
}

/** @param {string[]} texts */
function withoutLastCommas(texts) {
  return texts.filter((text, number) => text !== ',' || !')]}'.includes(texts[number + 1] ?? ' '))
}

/** @param {Found} found @returns {Span} */
function spanOf({ source, start, end }) {
  return { source, start, end }
}

/** With the crash point before it. @param {Found} found @returns {Span} */
function whole({ source, start, end, at }) {
  return { source, start: Math.min(start, at?.start ?? start), end: Math.max(end, at?.end ?? end) }
}
