// npm run check: what a pull request needs, in less than three minutes. `bash .ci/run` checks
// everything.
import { readFileSync } from 'node:fs'
import { readArguments } from './lib/arguments.js'
import { attempt, endLike, root, SIGNALS } from './lib/run.js'
import { installDependencies, requireLinker, requireRust, setup } from './lib/setup.js'

const HELP = `
npm run check   checks format, lints and types, the unit tests of the crates, and the quick tests of the package

npm run format  repairs what the formatters and linters can repair
`

/** The other tests wait for many processes, for time limits, or for a measurement. */
const QUICK_TESTS = [
  ...['contract', 'shared-memory', 'tools'].map((folder) => `__test__/${folder}/*.test.js`),
  '!__test__/shared-memory/leaks.test.js', // opens 100,000 locks
]

const TYPES = 'index.d.ts'
const TSC = 'node node_modules/typescript/bin/tsc'

readArguments(HELP, {})
requireRust()
await requireLinker()
await installDependencies()

/** @type {string[]} */
const failures = []
let passed = 0

await check('cargo fmt', 'cargo fmt --all --check')
await check('cargo fmt of the fuzzers', 'cargo fmt --manifest-path verify/fuzz/Cargo.toml --check')
await check('biome', 'node node_modules/@biomejs/biome/bin/biome check .')
await check('import circles', 'node scripts/import-circles.js')
await check(
  'cargo clippy',
  'cargo clippy --quiet --workspace --features process-rwlock/lock_api --all-targets -- -D warnings',
)
const typesBefore = readTypes()
await setup({ profile: 'dev', testkit: true })
report(`${TYPES} is current`, readTypes() === typesBefore)
await check('types of the library', `${TSC} -p tsconfig.json --noEmit`)
await check('types of the JavaScript', `${TSC} -p tsconfig.check.json`)
await check('each mutant applies', 'node verify/mutants/main.js --check')
await check('mutant engine', 'node --test verify/mutants')
await check('unit tests of the crates', 'cargo test --quiet --workspace --lib --bins')
await check('quick tests', `node node_modules/ava/entrypoints/cli.mjs ${QUICK_TESTS.join(' ')}`)

if (failures.length > 0) console.log(`\nFailed: ${failures.join(', ')}`)
console.log(`\n${passed} passed, ${failures.length} failed`)
process.exitCode = failures.length > 0 ? 1 : 0

/**
 * @param {string} title
 * @param {string} line the command and its arguments, none of which has a space
 */
async function check(title, line) {
  const [command = '', ...args] = line.split(' ')
  const start = performance.now()
  const end = await attempt(command === 'node' ? process.execPath : command, args)
  if (end.signal && SIGNALS.includes(end.signal)) await endLike(end)
  report(title, end.code === 0, performance.now() - start)
}

/**
 * @param {string} title
 * @param {boolean} isGood
 * @param {number} [ms] its duration
 */
function report(title, isGood, ms) {
  if (isGood) passed++
  else failures.push(title)
  console.log(
    `${isGood ? 'ok    ' : 'FAILED'} ${title}${ms === undefined ? '' : ` (${(ms / 1000).toFixed(1)} s)`}`,
  )
}

function readTypes() {
  return readFileSync(new URL(TYPES, root), 'utf8')
}
