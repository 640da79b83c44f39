// README.md as its programs are run: its code blocks, and what they say that they print.
import { readFileSync } from 'node:fs'
import { root } from './run.js'

/** The code blocks of README.md, with their fence's mark, as `run` in ```js run. */
export function codeBlocks() {
  const readme = readFileSync(new URL('README.md', root), 'utf8')
  return [...readme.matchAll(/^```(?<language>js|ts) ?(?<mark>.*)\n(?<code>[\s\S]*?)^```$/gm)].map(
    ({ index, groups }) => {
      const { language, mark, code } = /** @type {Record<string, string>} */ (groups)
      return { line: readme.slice(0, index).split('\n').length, language, mark, code }
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
