// Projects as users create them. The program of each is the first example of README.md.
import { codeBlocks } from '../lib/code-blocks.js'

const example = codeBlocks().find(({ mark }) => mark === 'run')?.code ?? ''

/** The example as a script, without `import` and top-level `await`. */
const script = inFunction(example.replace(/^import (.*) from ('.*')$/gm, 'const $1 = require($2)'))

/**
 * @typedef {object} Project
 * @property {string} name
 * @property {object} manifest its package.json
 * @property {string} file the program
 * @property {string} source
 * @property {string[]} [compile] the options of TypeScript that compile it to main.js
 */

/** @type {Project[]} */
export const projects = [
  { name: 'ESM', manifest: { type: 'module' }, file: 'main.js', source: example },
  { name: 'CommonJS', manifest: {}, file: 'main.js', source: script },
  {
    name: 'TypeScript, nodenext, ESM',
    manifest: { type: 'module' },
    file: 'main.ts',
    source: example,
    compile: ['--module', 'nodenext'],
  },
  {
    name: 'TypeScript, nodenext, CommonJS',
    manifest: { type: 'commonjs' },
    file: 'main.ts',
    source: inFunction(example),
    compile: ['--module', 'nodenext'],
  },
  {
    name: 'TypeScript, bundler',
    manifest: { type: 'module' },
    file: 'main.ts',
    source: example,
    compile: ['--module', 'esnext', '--moduleResolution', 'bundler'],
  },
]

/** @param {string} code */
function inFunction(code) {
  const end = code.search(/^(?!import |const \{.*require|$)/m)
  return `${code.slice(0, end)}async function main() {\n${code.slice(end)}}\n\nmain()\n`
}
