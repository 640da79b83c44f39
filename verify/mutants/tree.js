// The sources that mutants change, and where their functions and crash points are.
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { lex } from './lexer.js'

/**
 * @typedef {import('./lexer.js').Language} Language
 * @typedef {import('./lexer.js').Token} Token
 *
 * A function, or an inline or a process of Promela. Its body is what stands between two braces, given as tokens' numbers.
 * @typedef {{ name: string, path: string[], source: Source, open: number, close: number }} Callable
 *
 * @typedef {{ source: Source, start: number, end: number }} Span
 */

const ENDINGS = { rust: '.rs', promela: '.pml', javascript: '.js', text: '' }
const PAIRS = { '(': ')', '[': ']', '{': '}' }
/** In Promela these words enclose, too. */
const WORD_PAIRS = { if: 'fi', do: 'od' }

/** A file. */
export class Source {
  /**
   * @param {string} file
   * @param {string} text
   * @param {Language} language
   */
  constructor(file, text, language) {
    this.file = file
    this.text = text
    this.language = language
    const { tokens, asides } = lex(text, language)
    this.tokens = tokens
    this.asides = asides
    /** The token that closes what a token opens, and the other way round, by their numbers. */
    /** @type {Callable[] | undefined} */
    this.found = undefined
    this.partners = partners(tokens, file, language === 'promela' ? { ...PAIRS, ...WORD_PAIRS } : PAIRS)
  }

  /** @param {number} first token @param {number} last token @returns {Span} */
  span(first, last) {
    return { source: this, start: this.#token(first).start, end: this.#token(last).end }
  }

  /** @param {number} number */
  textOf(number) {
    return this.tokens[number]?.text
  }

  /** @param {number} number */
  #token(number) {
    const token = this.tokens[number]
    if (!token) throw new Error(`${this.file} has no token ${number}`)
    return token
  }

  /** The function that a token is in, if it is in one. @param {number} token */
  functionAround(token) {
    return this.functions.findLast(({ open, close }) => open < token && token < close)
  }

  /** @returns {Callable[]} in the order of the file; one that is in another follows it */
  get functions() {
    this.found ??= this.language === 'rust' ? rustFunctions(this) : simpleFunctions(this)
    return this.found
  }
}

/** Sources of one language. */
export class Tree {
  /**
   * @param {Map<string, string>} files their texts, by their names
   * @param {Language} language
   */
  constructor(files, language) {
    this.language = language
    this.sources = new Map(
      [...files].map(([file, text]) => [file.replaceAll('\\', '/'), new Source(file, text, language)]),
    )
  }

  /**
   * @param {string} directory
   * @param {Language} language
   */
  static read(directory, language) {
    const names = statSync(directory).isDirectory()
      ? readdirSync(directory, { recursive: true, encoding: 'utf8' })
      : ['']
    const files = names.filter(
      (name) => (name || directory).endsWith(ENDINGS[language]) && statSync(join(directory, name)).isFile(),
    )
    return new Tree(
      new Map(files.map((name) => [name, readFileSync(join(directory, name), 'utf8')])),
      language,
    )
  }

  /**
   * The one function of that name. Words before it, such as `Gate::load` or `unix::delete`, are its type or modules of its
   * path, in their order; they are needed only where the name alone has two meanings. `#label` is the function around a
   * crash point.
   *
   * @param {string} selector
   * @returns {Callable}
   */
  function(selector) {
    if (selector.startsWith('#')) return this.crashPoint(selector.slice(1)).function
    const words = selector.split('::')
    const name = words.pop()
    const found = [...this.sources.values()]
      .flatMap(({ functions }) => functions)
      .filter((each) => each.name === name && containsInOrder(each.path, words))
    const [first, second] = found
    if (!first) throw new Error(`there is no function ${selector}`)
    if (second) {
      const those = found.map((each) => `${[...each.path, each.name].join('::')} in ${each.source.file}`)
      throw new Error(`${selector} may be ${those.join(', or ')}`)
    }
    return first
  }

  /**
   * The statement at a crash point: after `crash_point!(label);` in Rust, before the comment with the label in Promela.
   *
   * @param {string} label
   * @param {string} [selector] of the function, for a label that occurs in several
   * @returns {Span & { at: Span, from: number, function: Callable }} `at`: the crash point itself; `from`: the token after it
   */
  crashPoint(label, selector) {
    const found = [...this.sources.values()].flatMap((source) =>
      this.language === 'promela' ? promelaPoints(source, label) : rustPoints(source, label),
    )
    const within = selector === undefined ? undefined : this.function(selector)
    const fitting = within ? found.filter((each) => each.function === within) : found
    const [first, second] = fitting
    const where = selector ? ` in ${selector}` : ''
    if (!first) throw new Error(`there is no crash point ${label}${where}`)
    if (second) throw new Error(`crash point ${label} occurs ${fitting.length} times${where}`)
    return first
  }
}

/**
 * @param {Token[]} tokens
 * @param {string} file
 * @param {Record<string, string>} pairs
 */
function partners(tokens, file, pairs) {
  /** @type {Map<number, number>} */
  const found = new Map()
  /** @type {number[]} */
  const open = []
  const closing = new Set(Object.values(pairs))
  for (const [number, { kind, text }] of tokens.entries()) {
    if (kind !== 'punctuation' && kind !== 'word') continue
    if (Object.hasOwn(pairs, text)) open.push(number)
    else if (closing.has(text)) {
      const opener = open.pop()
      const expected = opener === undefined ? undefined : pairs[tokens[opener]?.text ?? '']
      if (opener === undefined || expected !== text) throw new Error(`${file}: "${text}" closes nothing`)
      found.set(opener, number)
      found.set(number, opener)
    }
  }
  if (open.length > 0) throw new Error(`${file}: "${tokens[open[0] ?? 0]?.text}" is never closed`)
  return found
}

/** @param {Source} source @returns {Callable[]} */
function rustFunctions(source) {
  const { tokens, partners } = source
  /** @type {Callable[]} */
  const found = []
  const modules = source.file
    .replace(/\.rs$/, '')
    .split('/')
    .filter((name) => name !== 'mod' && name !== 'lib')
  /** Blocks that name something: until which token, and what. @type {{ until: number, names: string[] }[]} */
  const blocks = []
  let skipped = -1 // code of tests ends there
  for (let at = 0; at < tokens.length; at++) {
    while (blocks.length > 0 && (blocks.at(-1)?.until ?? 0) < at) blocks.pop()
    if (at <= skipped) continue
    const word = tokens[at]?.kind === 'word' ? tokens[at]?.text : ''
    if (matches(tokens, at, ['#', '[', 'cfg', '(', 'test', ')', ']'])) {
      skipped = itemEnd(source, at + 7)
    } else if (word === 'impl' || word === 'trait' || word === 'mod') {
      const open = findAt(tokens, at, (text) => text === '{' || text === ';')
      if (tokens[open]?.text !== '{') continue
      const header = tokens.slice(at + 1, open).map(({ text }) => text)
      const name = word === 'impl' ? implemented(header) : header[0]
      blocks.push({ until: partners.get(open) ?? open, names: name ? [name] : [] })
      at = open
    } else if (word === 'fn' && tokens[at + 1]?.kind === 'word') {
      let open = at
      while (open < tokens.length && !['{', ';'].includes(tokens[open]?.text ?? '')) {
        open = ['(', '['].includes(tokens[open]?.text ?? '') ? (partners.get(open) ?? open) + 1 : open + 1
      }
      if (tokens[open]?.text !== '{') continue
      const name = tokens[at + 1]?.text ?? ''
      const path = [...modules, ...blocks.flatMap(({ names }) => names)]
      found.push({ name, path, source, open, close: partners.get(open) ?? open })
      at = open
    }
  }
  return found
}

/** The type that an `impl` block is of. @param {string[]} header */
function implemented(header) {
  let depth = 0
  /** @type {string[]} */
  let path = []
  for (const [number, text] of header.entries()) {
    if (text === '<') depth++
    else if (text === '>' && header[number - 1] !== '-') depth--
    else if (depth > 0) continue
    else if (text === 'where') break
    else if (text === 'for') path = []
    else if (/^\w+$/.test(text) && !['mut', 'dyn', 'const', 'unsafe'].includes(text)) path.push(text)
  }
  return path.at(-1)
}

/** The last token of the item that begins at `at`: its block, or its semicolon. @param {Source} source @param {number} at */
function itemEnd({ tokens, partners }, at) {
  const end = findAt(tokens, at, (text) => text === '{' || text === ';')
  return partners.get(end) ?? end
}

/**
 * `inline` and `proctype` of Promela; functions and methods of JavaScript that have a block.
 *
 * @param {Source} source
 * @returns {Callable[]}
 */
function simpleFunctions(source) {
  const { tokens, partners, language } = source
  /** @type {Callable[]} */
  const found = []
  const add = (/** @type {number} */ name, /** @type {number} */ open) => {
    const close = partners.get(open)
    if (tokens[open]?.text !== '{' || close === undefined) return
    found.push({ name: tokens[name]?.text ?? '', path: [], source, open, close })
  }
  for (const [at, { kind, text }] of tokens.entries()) {
    if (kind !== 'word' || tokens[at + 1]?.text === undefined) continue
    const behind = (/** @type {number} */ open) => (partners.get(open) ?? open) + 1
    if (language === 'promela') {
      if (text === 'inline' || text === 'proctype') add(at + 1, behind(at + 2))
    } else if (text === 'function') {
      add(at + 1, behind(at + 2))
    } else if (!CONTROL.has(text) && tokens[at + 1]?.text === '(' && tokens[at - 1]?.text !== 'function') {
      add(at, behind(at + 1))
    } else if (matches(tokens, at + 1, ['=', '(']) && matches(tokens, behind(at + 2), ['=', '>', '{'])) {
      add(at, behind(at + 2) + 2)
    }
  }
  return found
}

const CONTROL = new Set(['if', 'for', 'while', 'switch', 'catch', 'with', 'function'])

/** @param {Source} source @param {string} label */
function rustPoints(source, label) {
  const { tokens } = source
  const found = []
  for (let at = 0; at < tokens.length; at++) {
    if (!matches(tokens, at, ['crash_point', '!', '(', label, ')', ';'])) continue
    const inside = source.functionAround(at)
    if (!inside) continue
    const [first, last] = statementFrom(source, at + 6)
    found.push({
      ...source.span(first, last),
      at: source.span(at, at + 5),
      from: at + 6,
      function: inside,
    })
  }
  return found
}

/** @param {Source} source @param {string} label */
function promelaPoints(source, label) {
  const { tokens, asides } = source
  const found = []
  for (const aside of asides) {
    const labels = /^\/\* (?:crash point|step): ([\w, ]+) \*\/$/.exec(aside.text)?.[1]?.split(', ')
    if (aside.kind !== 'comment' || !labels?.includes(label)) continue
    const next = tokens.findIndex(({ start }) => start > aside.start)
    // A comment behind `do` or `{` is about what follows.
    const before = tokens[next - 1]?.text ?? ''
    const [first, last] = ['do', 'if', '{'].includes(before)
      ? statementAround(source, next)
      : statementAround(source, tokens[next - 1]?.text === ';' ? next - 2 : next - 1)
    const at = { source, start: aside.start, end: aside.end }
    const inside = source.functionAround(first)
    if (inside) found.push({ ...source.span(first, last), at, from: first, function: inside })
  }
  return found
}

/**
 * The first and the last token of the statement that begins at `first`, its semicolon included.
 *
 * @param {Source} source
 * @param {number} first
 * @returns {[number, number]}
 */
export function statementFrom(source, first) {
  const { tokens, partners } = source
  let at = first
  while (at < tokens.length) {
    const text = tokens[at]?.text ?? ''
    if (text === ';') return [first, at]
    if (['}', ')', ']', ...(source.language === 'promela' ? ['fi', 'od'] : [])].includes(text))
      return [first, at - 1]
    if (source.language === 'promela' && text === ':' && tokens[at + 1]?.text === ':') return [first, at - 1]
    const partner = partners.get(at)
    if (partner === undefined) {
      at++
      continue
    }
    at = partner + 1
    if (text === '{' && source.language === 'rust' && !continues(tokens[at]?.text)) return [first, at - 1]
  }
  return [first, at - 1]
}

/**
 * The first and the last token of the statement that a token is in.
 *
 * @param {Source} source
 * @param {number} token
 * @returns {[number, number]}
 */
export function statementAround(source, token) {
  const { tokens, partners } = source
  // What closes a block belongs to the statement with the block.
  const partner = partners.get(token)
  const inside = partner !== undefined && partner < token ? partner : token
  const enclose = source.language === 'promela' ? ['{', 'if', 'do'] : ['{']
  let open = inside - 1
  while (open >= 0 && !(enclose.includes(tokens[open]?.text ?? '') && (partners.get(open) ?? 0) >= inside)) {
    const partner = partners.get(open)
    open = partner !== undefined && partner < open ? partner - 1 : open - 1
  }
  let first = open + 1
  for (;;) {
    if (source.language === 'promela') first = promelaStart(source, first, inside)
    const [, last] = statementFrom(source, first)
    if (last < first) throw new Error(`no statement around ${tokens[token]?.text} in ${source.file}`)
    if (last >= inside) {
      return source.language === 'rust' ? armOf(source, first, last, inside) : [first, last]
    }
    first = last + 1
  }
}

/**
 * Where, between `first` and `token`, the last alternative or guard of Promela ends.
 *
 * @param {Source} source
 * @param {number} first
 * @param {number} token
 */
function promelaStart({ tokens, partners }, first, token) {
  let start = first
  for (let at = first; at < token; at++) {
    const text = tokens[at]?.text
    if ((text === ':' || text === '-') && tokens[at + 1]?.text === (text === ':' ? ':' : '>')) {
      if (at + 2 <= token) start = at + 2
      at++
    } else if ((partners.get(at) ?? 0) > at && (partners.get(at) ?? 0) < token) at = partners.get(at) ?? at
    else if (text === ';') break
  }
  return start
}

/**
 * The arm of a `match` that a token is in, within a statement; or the statement.
 *
 * @param {Source} source
 * @param {number} first
 * @param {number} last
 * @param {number} token
 * @returns {[number, number]}
 */
function armOf({ tokens, partners }, first, last, token) {
  let start = first
  for (let at = first; at <= last; at++) {
    const isArrow = tokens[at]?.text === '=' && tokens[at + 1]?.text === '>'
    if (isArrow && at + 1 < token) start = at + 2
    else if (tokens[at]?.text === ',' && at >= token && start > first) return [start, at]
    const partner = partners.get(at)
    if (partner !== undefined && partner > at && (partner < token || at >= token)) at = partner
  }
  return [start, last]
}

/** Whether an expression goes on behind a block of it. @param {string | undefined} next */
function continues(next) {
  return next !== undefined && ['.', '?', 'else', ',', ')', ']', ';', '=', '&', '|', '<', '>'].includes(next)
}

/** @param {Token[]} tokens @param {number} at @param {string[]} texts */
export function matches(tokens, at, texts) {
  return texts.every((text, number) => tokens[at + number]?.text === text)
}

/** @param {Token[]} tokens @param {number} at @param {(text: string) => boolean} is */
function findAt(tokens, at, is) {
  const found = tokens.findIndex(
    (token, number) => number >= at && token.kind === 'punctuation' && is(token.text),
  )
  return found < 0 ? tokens.length - 1 : found
}

/** @param {string[]} all @param {string[]} some */
function containsInOrder(all, some) {
  let next = 0
  for (const each of all) if (each === some[next]) next++
  return next === some.length
}
