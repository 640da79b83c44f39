// The crash test as a command, and how it is tried on a mutant.
import { capture, run } from '../../scripts/lib/run.js'
import { targetOf } from '../mutants/run.js'

const CRASH = ['--package', 'process-rwlock', '--features', 'crash-injection', '--test', 'crash']

/** @param {string[]} args */
export function crash(args) {
  return run('cargo', ['test', '--quiet', ...CRASH, '--', ...args])
}

/** What the crash test finds in a copy of the lock, if anything. @param {string} copy */
export async function find(copy) {
  const options = {
    cwd: copy,
    env: { ...process.env, CARGO_TARGET_DIR: targetOf('crash') },
  }
  const build = await capture('cargo', ['test', '--quiet', ...CRASH, '--no-run'], options)
  if (build.code !== 0) throw new Error(`it does not compile:\n${build.output}`)
  const { code, output } = await capture('cargo', ['test', '--quiet', ...CRASH, '--', '--mutant'], options)
  return code === 0 ? undefined : (/^FAILED (.*)\n +(.*)$/m.exec(output)?.slice(1).join(': ') ?? output)
}

export { find as untouched }
