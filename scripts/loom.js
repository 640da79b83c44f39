// npm run loom: the crate's code under the model checker loom, which tries the interleavings of two or three threads and,
// for every load, the values that its memory ordering allows (crates/rwlock/tests/orderings).
//
//   npm run loom -- --preemptions 4   thread switches in the middle of things, 3 unless said (each more costs about ten times)
//   npm run loom -- --mutants [part]  weakens one ordering at a time, and shows which checks find it
//   npm run loom -- name              one check, or those whose names begin so
import { run } from './run.js'

const args = process.argv.slice(2)

/** @param {string} option */
const take = (option) => {
  const place = args.indexOf(option)
  return place < 0 ? undefined : args.splice(place, 2)[1]
}

const preemptions = take('--preemptions')
if (preemptions) process.env.LOOM_MAX_PREEMPTIONS = preemptions

if (args[0] === '--mutants') {
  const { mutants } = await import('./loom-mutants.js')
  await mutants(checks(), args[1])
} else {
  await run(...checks(args[0]))
}

/**
 * The command that runs the checks.
 *
 * @returns {[string, string[], import('node:child_process').SpawnOptions]}
 */
function checks(name = '') {
  const env = {
    ...process.env,
    RUSTFLAGS: `${process.env.RUSTFLAGS ?? ''} --cfg loom`,
    // Of its own, since the flags would have everything built anew each time.
    CARGO_TARGET_DIR: 'target/loom',
    CARGO_PROFILE_DEV_OPT_LEVEL: '2',
    CARGO_PROFILE_TEST_OPT_LEVEL: '2',
  }
  return ['cargo', ['test', '--package', 'process-rwlock', '--lib', '--', `orderings::loom::${name}`], { env }]
}
