// The checks under loom as a command, and how they are tried on a mutant.
import { fileURLToPath } from 'node:url'
import { capture, root } from '../../scripts/lib/run.js'
import { targetOf } from '../mutants/run.js'

// Its own directory, because the flags would cause a complete rebuild each time.
const TARGET = fileURLToPath(new URL('target/loom', root))

/**
 * The command that runs the checks.
 *
 * @param {URL | string} tree
 * @param {string} [name] of one check, or with what some begin
 * @param {string} [target] where cargo builds them
 * @returns {[string, string[], import('node:child_process').SpawnOptions]}
 */
export function checks(tree, name = '', target = TARGET) {
  const env = {
    ...process.env,
    RUSTFLAGS: `${process.env.RUSTFLAGS ?? ''} --cfg loom`,
    CARGO_TARGET_DIR: target,
    CARGO_PROFILE_DEV_OPT_LEVEL: '2',
    CARGO_PROFILE_TEST_OPT_LEVEL: '2',
  }
  const args = ['test', '--package', 'process-rwlock', '--lib', '--', `orderings::loom::${name}`]
  return ['cargo', args, { cwd: tree, env }]
}

/**
 * The checks that fail, if any.
 *
 * @param {string} tree
 */
export async function find(tree) {
  const { code, output } = await capture(...checks(tree, '', targetOf('loom')))
  if (!/^running \d\d+ tests$/m.test(output)) throw new Error(`it does not compile:\n${output}`)
  if (code === 0) return undefined
  const failed = [...output.matchAll(/^test orderings::loom::(\w+) \.\.\. FAILED$/gm)].map(([, name]) => name)
  // A check may also bring the whole process down.
  return failed.join(', ') || 'a crash of the test process'
}
