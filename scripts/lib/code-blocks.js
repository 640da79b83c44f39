// The code blocks of documents, and the output that the blocks promise.
import { readFileSync } from 'node:fs'
import { root } from './run.js'

/**
 * The code blocks of a document, each with the mark in its fence, such as `run` in ```js run.
 *
 * @param {string} [file] relative to the root
 */
export function codeBlocks(file = 'README.md') {
  const text = readFileSync(new URL(file, root), 'utf8')
  return [...text.matchAll(/^```(?<language>json|js|ts) ?(?<mark>.*)\n(?<code>[\s\S]*?)^```$/gm)].map(
    ({ index, groups }) => {
      const { language, mark, code } = /** @type {Record<string, string>} */ (groups)
      return { line: text.slice(0, index).split('\n').length, language, mark, code }
    },
  )
}

/**
 * The first text after `console.log(…) //` in a program that is not in its output. `…` stands for
 * any text.
 *
 * @param {string} source
 * @param {string} printed
 */
export function notPrinted(source, printed) {
  const expected = [...source.matchAll(/console\.log\(.*\) \/\/ (.*)$/gm)].map(([, text = '']) => text)
  return expected.find((text) => !asPattern(text).test(printed))
}

/** @param {string} text */
function asPattern(text) {
  const parts = text.split('…').map((part) => part.trim().replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
  return new RegExp(`^${parts.join('.*')}$`, 'm')
}
