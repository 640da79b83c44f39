// npm test: the crates' tests, then the ava suite on every supported Node.js.
//
//   npm test -- --node 20,22          on these versions only
//   npm test -- --only ava|cargo      one of the two
//   npm test -- __test__/x.test.js    what is not known here goes to ava, and ava runs alone
import { delimiter, dirname } from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import { MAJORS, nodeOf } from './lib/node-versions.js'
import { attempt, endLike, SIGNALS } from './lib/run.js'
import { setup } from './lib/setup.js'

const { majors, only, avaArgs } = parse(process.argv.slice(2))
const total = { passed: 0, failed: 0 }

await setup({ testkit: true })
if (only !== 'ava') await cargo()
if (only !== 'cargo') {
  for (const major of majors) await ava(major)
}
console.log(`\n${total.passed} passed, ${total.failed} failed`)
process.exitCode = total.failed > 0 ? 1 : 0

async function cargo() {
  const { code, output } = await suite('cargo test', 'cargo', ['test', '--workspace', '--no-fail-fast'])
  const results = [...output.matchAll(/^test result: \w+\. (\d+) passed; (\d+) failed/gm)]
  count(
    code,
    results.reduce((sum, [, passed]) => sum + Number(passed), 0),
    results.reduce((sum, [, , failed]) => sum + Number(failed), 0),
  )
}

/** @param {string} major */
async function ava(major) {
  const node = await nodeOf(major)
  // What a test starts as "node" is the version under test as well.
  const env = { ...process.env, PATH: dirname(node) + delimiter + process.env.PATH }
  const args = ['node_modules/ava/entrypoints/cli.mjs', '--tap', ...avaArgs]
  const { code, output } = await suite(`ava on Node.js ${major}`, node, args, { env })
  // Tests that never came to run are in the summary only, hooks that failed in the lines only.
  const notOk = [...output.matchAll(/^not ok \d+(?!.*# TODO$)/gm)].length
  const todo = [...output.matchAll(/^not ok \d+.*# TODO$/gm)].length
  count(code, summary(output, 'pass'), Math.max(summary(output, 'fail') - todo, notOk))
}

/**
 * Runs one suite, shows its output as it comes and returns it.
 *
 * @param {string} title
 * @param {string} command
 * @param {string[]} args
 * @param {import('node:child_process').SpawnOptions} [options]
 */
async function suite(title, command, args, options) {
  console.log(`\n# ${title}\n`)
  /** @type {Buffer[]} */
  const chunks = []
  const end = await attempt(command, args, {
    ...options,
    onOutput: (chunk) => {
      chunks.push(chunk)
      process.stdout.write(chunk)
    },
  })
  if (end.signal && SIGNALS.includes(end.signal)) await endLike(end)
  return { code: end.code, output: stripVTControlCharacters(Buffer.concat(chunks).toString()) }
}

/**
 * @param {number | null} code
 * @param {number} passed
 * @param {number} failed
 */
function count(code, passed, failed) {
  total.passed += passed
  // A suite that failed without a failed test (it did not compile, it crashed) is one failure.
  total.failed += code === 0 ? failed : Math.max(failed, 1)
}

/**
 * @param {string} tap
 * @param {'pass' | 'fail'} what
 */
function summary(tap, what) {
  return Number(new RegExp(`^# ${what} (\\d+)`, 'm').exec(tap)?.[1] ?? 0)
}

/** @param {string[]} args */
function parse(args) {
  const majors = []
  const avaArgs = []
  let only
  for (let i = 0; i < args.length; i++) {
    if (args[i] === '--node') majors.push(...(args[++i] ?? '').split(','))
    else if (args[i] === '--only') only = args[++i]
    else avaArgs.push(args[i])
  }
  const unknown = majors.find((major) => !MAJORS.includes(major))
  if (unknown !== undefined) usage(`--node takes some of ${MAJORS.join(', ')}, not "${unknown}".`)
  if (only !== undefined && only !== 'ava' && only !== 'cargo') usage('--only takes "ava" or "cargo".')
  if (avaArgs.length > 0) only ??= 'ava'
  return { majors: majors.length > 0 ? majors : MAJORS, only, avaArgs }
}

/** @param {string} message */
function usage(message) {
  console.error(message)
  process.exit(2)
}
