// Documents as programs: their code blocks, and what the blocks say that they print.
import { readFileSync } from 'node:fs'
import { root } from './run.js'

/**
 * The code blocks of a document, with the mark of each fence, as `run` in ```js run.
 *
 * @param {string} [file] relative to the root
 */
export function codeBlocks(file = 'README.md') {
  const text = readFileSync(new URL(file, root), 'utf8')
  return [...text.matchAll(/^```(?<language>js|ts) ?(?<mark>.*)\n(?<code>[\s\S]*?)^```$/gm)].map(
    ({ index, groups }) => {
      const { language, mark, code } = /** @type {Record<string, string>} */ (groups)
      return { line: text.slice(0, index).split('\n').length, language, mark, code }
    },
  )
}

/**
 * The first thing that a program says it prints, after `console.log(…) //`, and did not. `…` stands for anything.
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
