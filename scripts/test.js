// npm test: the tests of the crates, then the ava suite on every supported Node.js.
import { delimiter, dirname } from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import { readArguments, usageError } from './lib/arguments.js'
import { resultsOf } from './lib/ava-results.js'
import { MAJORS, nodeOf } from './lib/node-versions.js'
import { attempt, endLike, SIGNALS } from './lib/run.js'
import { requireLinker, requireRust, setup } from './lib/setup.js'

/** What depends on the version of Node.js more than the rest. */
const BETWEEN = ['contract', 'event-loop', 'loading', 'shared-memory']

const HELP = `
npm test                            all tests, on Node.js ${MAJORS.join(', ')}
npm test -- FILE…                   these files of __test__, on this Node.js, with an addon of the dev profile

  --node 20,22                      on these versions of Node.js
  --quick                           on the versions between the oldest and the newest, only ${BETWEEN.join(', ')}
  --only ava|cargo                  only the tests of the package, or only those of the crates
  --match TITLE                     only the tests with this title; * stands for any text
  --release                         an optimized addon also for single files
`

const { values, positionals: files } = readArguments(
  HELP,
  {
    node: { type: 'string' },
    only: { type: 'string' },
    match: { type: 'string', multiple: true, default: [] },
    release: { type: 'boolean', default: false },
    quick: { type: 'boolean', default: false },
  },
  { positionals: true },
)
const isPart = files.length > 0 || values.match.length > 0
const only = values.only ?? (isPart ? 'ava' : undefined)
if (only !== undefined && only !== 'ava' && only !== 'cargo') {
  usageError(`--only takes "ava" or "cargo", not "${only}".`, HELP)
}
if (isPart && only === 'cargo') usageError('Files and --match are for ava; for cargo: cargo test NAME', HELP)

const total = { passed: 0, failed: 0 }
/** What failed, in order: shown again at the end, where it is found without a search. @type {string[]} */
const failures = []
if (only !== 'ava') await cargo()
if (only !== 'cargo') {
  await setup({ testkit: true, profile: isPart && !values.release ? 'dev' : 'release' })
  for (const major of majors()) await ava(major)
}
for (const failure of failures) console.log(`\nfailed: ${failure}`)
console.log(`\n${total.passed} passed, ${total.failed} failed`)
process.exitCode = total.failed > 0 ? 1 : 0

function majors() {
  if (values.node !== undefined) {
    const majors = values.node.split(',')
    const unknown = majors.find((major) => !MAJORS.includes(major))
    if (unknown === undefined) return majors
    usageError(`--node takes some of ${MAJORS.join(', ')}, not "${unknown}".`, HELP)
  }
  const [own = ''] = process.versions.node.split('.')
  return isPart && MAJORS.includes(own) ? [own] : MAJORS
}

/** @param {string} major */
function isBetween(major) {
  return major !== MAJORS[0] && major !== MAJORS.at(-1)
}

/**
 * `cargo test` and not cargo-nextest: that would have to be compiled first, on each fresh machine, for longer than these tests
 * take, and it runs no tests of documentation. The counts come from the summaries: the JSON output
 * of libtest is unstable.
 */
async function cargo() {
  requireRust()
  await requireLinker()
  let output = ''
  const code = await suite(
    'cargo test',
    'cargo',
    ['test', '--workspace', '--features', 'process-rwlock/lock_api', '--no-fail-fast'],
    {
      onOutput: (chunk) => (output += chunk),
    },
  )
  const plain = stripVTControlCharacters(output)
  const summaries = plain.matchAll(/^test result: \w+\. (\d+) passed; (\d+) failed/gm)
  for (const [, name] of plain.matchAll(/^test (.+) \.\.\. FAILED$/gm)) failures.push(`cargo test: ${name}`)
  let passed = 0
  let failed = 0
  for (const [, itsPassed, itsFailed] of summaries) {
    passed += Number(itsPassed)
    failed += Number(itsFailed)
  }
  count('cargo test', code, passed, failed)
}

/** @param {string} major */
async function ava(major) {
  const title = `ava on Node.js ${major}`
  const node = await nodeOf(major)
  // Tests start "node", which has to be the version under test, too.
  const env = { ...process.env, PATH: dirname(node) + delimiter + process.env.PATH }
  const args = [
    ...['node_modules/ava/entrypoints/cli.mjs', '--tap'],
    ...values.match.flatMap((title) => ['--match', title]),
    ...(values.quick && isBetween(major)
      ? BETWEEN.map((folder) => `__test__/${folder}/**/*.test.js`)
      : files),
  ]
  const { Parser } = await import('tap-parser') // installed by setup()
  const parser = new Parser()
  /** @type {Promise<import('tap-parser').FinalResults>} */
  const finished = new Promise((resolve) => parser.once('complete', resolve))
  const code = await suite(title, node, args, {
    env,
    onOutput: (chunk) => parser.write(chunk.toString()),
  })
  parser.end()
  const { passed, failed, failures: its } = resultsOf(await finished)
  failures.push(...its.map((failure) => `${title}: ${failure}`))
  count(title, code, passed, failed)
}

/**
 * Runs one suite and shows its output as it arrives.
 *
 * @param {string} title
 * @param {string} command
 * @param {string[]} args
 * @param {import('node:child_process').SpawnOptions & { onOutput: (chunk: Buffer) => void }} options
 */
async function suite(title, command, args, { onOutput, ...options }) {
  console.log(`\n# ${title}\n`)
  const end = await attempt(command, args, {
    ...options,
    onOutput: (chunk) => {
      onOutput(chunk)
      process.stdout.write(chunk)
    },
  })
  if (end.signal && SIGNALS.includes(end.signal)) await endLike(end)
  return end.code
}

/**
 * @param {string} title
 * @param {number | null} code
 * @param {number} passed
 * @param {number} failed
 */
function count(title, code, passed, failed) {
  total.passed += passed
  // A suite that fails without a failed test (it did not compile, it crashed) counts as one
  // failure.
  total.failed += code === 0 ? failed : Math.max(failed, 1)
  if (code !== 0 && failed === 0) failures.push(`${title} ended with code ${code}`)
}
