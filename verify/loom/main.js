// npm run loom: the crate's code under the model checker loom, which tries the interleavings of two or three threads and,
// for every load, the values that its memory ordering allows (verify/loom/loom.rs).
//
//   npm run loom -- --preemptions 4   switches of threads in the midst of things, 3 unless said; each costs about ten times
//   npm run loom -- --mutants [part of a name]   weakens one ordering at a time: a check must find it
//   npm run loom -- name              one check, or those whose names begin so
import { fileURLToPath } from 'node:url'
import { capture, root, run } from '../../scripts/lib/run.js'
import { MUTANTS } from '../mutants/lists/loom.js'
import { showMutants, takeMutants } from '../mutants/run.js'

const args = process.argv.slice(2)

/** @param {string} option */
const take = (option) => {
  const place = args.indexOf(option)
  return place < 0 ? undefined : args.splice(place, 2)[1]
}

const preemptions = take('--preemptions')
if (preemptions) process.env.LOOM_MAX_PREEMPTIONS = preemptions

const part = takeMutants(args)
if (part !== undefined) {
  await showMutants({ check: 'loom', mutants: MUTANTS, part, find: failures })
} else {
  await run(...checks(root, args[0]))
}

/**
 * The command that runs the checks.
 *
 * @param {URL | string} tree
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
 * @param {string} tree
 */
async function failures(tree) {
  const { code, output } = await capture(...checks(tree))
  if (!/^running \d\d+ tests$/m.test(output)) throw new Error(`it does not compile:\n${output}`)
  if (code === 0) return undefined
  const failed = [...output.matchAll(/^test orderings::loom::(\w+) \.\.\. FAILED$/gm)].map(([, name]) => name)
  // A check may also bring the whole process down.
  return failed.join(', ') || 'the end of the process'
}
