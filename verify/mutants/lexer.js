// Splits source text into tokens, so that a place can be found by its words: comments and white space do not count.

/**
 * @typedef {'rust' | 'promela' | 'javascript' | 'text'} Language `text` has no tokens
 *
 * @typedef {object} Token
 * @property {'word' | 'number' | 'string' | 'punctuation'} kind
 * @property {string} text
 * @property {number} start
 * @property {number} end
 *
 * A comment, or a directive of Promela's preprocessor.
 * @typedef {{ kind: 'comment' | 'directive', text: string, start: number, end: number }} Aside
 */

const WORD = /[\p{L}\p{Nl}_$][\p{L}\p{Nl}\p{Nd}\p{Mn}_$]*/uy
const NUMBER = /\d[\w]*(?:\.\d[\w]*)?/y
/** After these words of JavaScript a slash begins a regular expression, not a division. */
const BEFORE_REGEX = new Set(['return', 'typeof', 'case', 'in', 'of', 'do', 'else', 'void', 'await', 'yield'])

/**
 * @param {string} text
 * @param {Language} language
 * @returns {{ tokens: Token[], asides: Aside[] }}
 */
export function lex(text, language) {
  /** @type {Token[]} */
  const tokens = []
  /** @type {Aside[]} */
  const asides = []
  if (language === 'text') return { tokens, asides }
  let at = 0
  while (at < text.length) {
    const space = /\s+/y
    space.lastIndex = at
    if (space.test(text)) {
      at = space.lastIndex
      continue
    }
    const aside = asideAt(text, at, language)
    if (aside) {
      asides.push(aside)
      at = aside.end
      continue
    }
    const token = tokenAt(text, at, language, tokens.at(-1))
    tokens.push(token)
    at = token.end
  }
  return { tokens, asides }
}

/**
 * @param {string} text
 * @param {number} start
 * @param {Language} language
 * @returns {Aside | undefined}
 */
function asideAt(text, start, language) {
  const make = (/** @type {Aside['kind']} */ kind, /** @type {number} */ end) => ({
    kind,
    text: text.slice(start, end),
    start,
    end,
  })
  if (text.startsWith('//', start) && language !== 'promela') return make('comment', lineEnd(text, start))
  if (text.startsWith('/*', start)) return make('comment', commentEnd(text, start, language === 'rust'))
  if (language === 'promela' && text[start] === '#') {
    let end = lineEnd(text, start)
    while (text[end - 1] === '\\') end = lineEnd(text, end + 1)
    // A comment behind a directive is none of it.
    const comment = text.indexOf('/*', start)
    return make('directive', comment >= 0 && comment < end ? comment : end)
  }
  return undefined
}

/**
 * @param {string} text
 * @param {number} start
 * @param {Language} language
 * @param {Token | undefined} before
 * @returns {Token}
 */
function tokenAt(text, start, language, before) {
  const make = (/** @type {Token['kind']} */ kind, /** @type {number} */ end) => ({
    kind,
    text: text.slice(start, end),
    start,
    end,
  })
  const end = stringEnd(text, start, language, before)
  if (end !== undefined) return make('string', end)
  for (const [kind, pattern] of /** @type {const} */ ([
    ['word', WORD],
    ['number', NUMBER],
  ])) {
    pattern.lastIndex = start
    if (pattern.test(text)) return make(kind, pattern.lastIndex)
  }
  return make('punctuation', start + 1)
}

/**
 * Where the literal ends that begins at `start`, if one does.
 *
 * @param {string} text
 * @param {number} start
 * @param {Language} language
 * @param {Token | undefined} before
 */
function stringEnd(text, start, language, before) {
  const first = text[start]
  if (language === 'rust') {
    const raw = /[bc]?r(#*)"/y
    raw.lastIndex = start
    const hashes = raw.exec(text)?.[1]
    if (hashes !== undefined) return endOf(text, `"${hashes}`, raw.lastIndex)
    const prefixed = /[bc]?(?=")|b(?=')/y
    prefixed.lastIndex = start
    if (prefixed.test(text) && (first !== "'" || text[prefixed.lastIndex] === '"')) {
      return quotedEnd(text, prefixed.lastIndex)
    }
    if (first === "'") {
      const character = /'(?:\\[^']*|[^\\'])'/uy
      character.lastIndex = start
      if (character.test(text)) return character.lastIndex
      const lifetime = /'\w+/y
      lifetime.lastIndex = start
      if (lifetime.test(text)) return lifetime.lastIndex
    }
    return undefined
  }
  if (first === '"' || first === "'") return quotedEnd(text, start)
  if (language !== 'javascript') return undefined
  if (first === '`') return templateEnd(text, start)
  if (first !== '/') return undefined
  const divides =
    before &&
    (before.kind === 'number' ||
      before.kind === 'string' ||
      (before.kind === 'word' && !BEFORE_REGEX.has(before.text)) ||
      before.text === ')' ||
      before.text === ']')
  if (divides) return undefined
  const regex = /\/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\[\n])+\/\w*/y
  regex.lastIndex = start
  return regex.test(text) ? regex.lastIndex : undefined
}

/** @param {string} text @param {number} start of a quotation mark */
function quotedEnd(text, start) {
  for (let at = start + 1; at < text.length; at++) {
    if (text[at] === '\\') at++
    else if (text[at] === text[start]) return at + 1
  }
  return text.length
}

/** @param {string} text @param {number} start @returns {number} */
function templateEnd(text, start) {
  for (let at = start + 1; at < text.length; at++) {
    if (text[at] === '\\') at++
    else if (text[at] === '`') return at + 1
    else if (text.startsWith('${', at)) {
      let depth = 0
      for (at++; at < text.length; at++) {
        if (text[at] === '`') at = templateEnd(text, at) - 1
        else if (text[at] === "'" || text[at] === '"') at = quotedEnd(text, at) - 1
        else if (text[at] === '{') depth++
        else if (text[at] === '}' && --depth === 0) break
      }
    }
  }
  return text.length
}

/** @param {string} text @param {number} start @param {boolean} nests */
function commentEnd(text, start, nests) {
  let depth = 0
  for (let at = start; at < text.length; at++) {
    if (text.startsWith('/*', at) && (nests || depth === 0)) {
      depth++
      at++
    } else if (text.startsWith('*/', at)) {
      at++
      if (--depth === 0) return at + 1
    }
  }
  return text.length
}

/** @param {string} text @param {number} start */
function lineEnd(text, start) {
  return endOf(text, '\n', start, 0)
}

/** @param {string} text @param {string} what @param {number} start */
function endOf(text, what, start, length = what.length) {
  const found = text.indexOf(what, start)
  return found < 0 ? text.length : found + length
}
