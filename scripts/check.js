// npm run check: what a pull request needs, in less than three minutes. `bash .ci/run` checks everything.
import { readFileSync } from 'node:fs'
import { readArguments } from './lib/arguments.js'
import { attempt, endLike, root, SIGNALS } from './lib/run.js'
import { installDependencies, requireLinker, requireRust, setup } from './lib/setup.js'

const HELP = `
npm run check   formats, lints, types, the unit tests of the crates, and the quick tests of the package

npm run format  repairs what the formatters and linters can
`

/** The others wait for many processes, for deadlines, or for a measurement. */
const QUICK_TESTS = ['contract', 'shared-memory', 'tools'].map((folder) => `__test__/${folder}/*.test.js`)

readArguments(HELP, {})
requireRust()
await requireLinker()
await installDependencies()

/** @type {string[]} */
const failures = []
let passed = 0

const node = process.execPath
const typesBefore = readTypes()
await check('cargo fmt', 'cargo', 'fmt', '--all', '--check')
await check(
  'cargo fmt of the fuzzers',
  'cargo',
  'fmt',
  '--manifest-path',
  'verify/fuzz/Cargo.toml',
  '--check',
)
await check('biome', node, 'node_modules/@biomejs/biome/bin/biome', 'check', '.')
await check(
  'cargo clippy',
  'cargo',
  'clippy',
  '--quiet',
  '--workspace',
  '--all-targets',
  '--',
  '-D',
  'warnings',
)
await setup({ profile: 'dev', testkit: true })
report('index.d.ts is generated from crates/node', readTypes() === typesBefore, 0)
await check(
  'types of the library',
  node,
  'node_modules/typescript/bin/tsc',
  '-p',
  'tsconfig.json',
  '--noEmit',
)
await check('types of the JavaScript', node, 'node_modules/typescript/bin/tsc', '-p', 'tsconfig.check.json')
await check('each mutant applies', node, 'verify/mutants/main.js', '--check')
await check('how mutants are written', node, '--test', 'verify/mutants')
await check('unit tests of the crates', 'cargo', 'test', '--quiet', '--workspace', '--lib', '--bins')
await check('quick tests of the package', node, 'node_modules/ava/entrypoints/cli.mjs', ...QUICK_TESTS)

console.log(failures.length > 0 ? `\nFailed: ${failures.join(', ')}` : '')
console.log(`${passed} passed, ${failures.length} failed`)
process.exitCode = failures.length > 0 ? 1 : 0

/**
 * @param {string} title
 * @param {string} command
 * @param {...string} args
 */
async function check(title, command, ...args) {
  const start = performance.now()
  const end = await attempt(command, args)
  if (end.signal && SIGNALS.includes(end.signal)) await endLike(end)
  report(title, end.code === 0, performance.now() - start)
}

/** @param {string} title @param {boolean} isGood @param {number} ms */
function report(title, isGood, ms) {
  if (isGood) passed++
  else failures.push(title)
  console.log(`${isGood ? 'ok    ' : 'FAILED'} ${title} (${(ms / 1000).toFixed(1)} s)`)
}

function readTypes() {
  return readFileSync(new URL('index.d.ts', root), 'utf8')
}
