// npm run loom: the crate's code under the model checker loom, which tries the interleavings of two or three threads and,
// for every load, the values that its memory ordering allows (crates/rwlock/tests/orderings).
//
//   npm run loom -- --preemptions 4   switches of threads in the midst of things, 3 unless said; each costs about ten times
//   npm run loom -- --mutants [part]  weakens one ordering at a time, and shows which checks find it
//   npm run loom -- name              one check, or those whose names begin so
import { fileURLToPath } from 'node:url'
import { MUTANTS } from './loom-mutants.js'
import { showMutants } from './mutants.js'
import { attempt, root, run } from './run.js'

const args = process.argv.slice(2)

/** @param {string} option */
const take = (option) => {
  const place = args.indexOf(option)
  return place < 0 ? undefined : args.splice(place, 2)[1]
}

const preemptions = take('--preemptions')
if (preemptions) process.env.LOOM_MAX_PREEMPTIONS = preemptions

if (args[0] === '--mutants') {
  // Fewer find all the same, and in a tenth of the time.
  process.env.LOOM_MAX_PREEMPTIONS ??= '2'
  await showMutants(MUTANTS, failures, args[1])
} else {
  await run(...checks(root, args[0]))
}

/**
 * The command that runs the checks.
 *
 * @param {URL} tree
 * @returns {[string, string[], import('node:child_process').SpawnOptions]}
 */
function checks(tree, name = '') {
  const env = {
    ...process.env,
    RUSTFLAGS: `${process.env.RUSTFLAGS ?? ''} --cfg loom`,
    // Of its own, since the flags would have everything built anew each time.
    CARGO_TARGET_DIR: fileURLToPath(new URL('target/loom', root)),
    CARGO_PROFILE_DEV_OPT_LEVEL: '2',
    CARGO_PROFILE_TEST_OPT_LEVEL: '2',
  }
  const args = ['test', '--package', 'process-rwlock', '--lib', '--', `orderings::loom::${name}`]
  return ['cargo', args, { cwd: tree, env }]
}

/**
 * The checks that fail.
 *
 * @param {URL} tree
 */
async function failures(tree) {
  const [command, args, options] = checks(tree)
  let output = ''
  const end = await attempt(command, args, {
    ...options,
    stdio: ['ignore', 'pipe', 'ignore'],
    onOutput: (chunk) => {
      output += chunk
    },
  })
  if (end.signal) throw new Error(`stopped by ${end.signal}`)
  if (!/^running \d\d+ tests$/m.test(output)) throw new Error('the mutant does not compile')
  const failed = [...output.matchAll(/^test orderings::loom::(\w+) \.\.\. FAILED$/gm)].map(
    ([, name]) => name ?? '',
  )
  // A check may also bring the whole process down.
  return end.code === 0 || failed.length > 0 ? failed : ['the process ended']
}
