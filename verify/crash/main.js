// npm run crash: kills, stops and ends processes at every step of the lock (verify/crash).
//
//   npm run crash                 every label in every scenario once, each way; what CI runs
//   npm run crash -- --full       and every step up to the third time and the last
//   npm run crash -- --only write-timeout:publish:1:kill    one scenario; one label; one time; one action
//   npm run crash -- --mutants [part of a name]    shows that it can fail: breaks a copy of the lock, one way after the other
import { fileURLToPath } from 'node:url'
import { capture, root, run } from '../../scripts/lib/run.js'
import { MUTANTS } from '../mutants/lists/crash.js'
import { showMutants, takeMutants } from '../mutants/run.js'

const CRASH = ['--package', 'process-rwlock', '--features', 'crash-injection', '--test', 'crash']

const args = process.argv.slice(2)
const part = takeMutants(args)
if (part !== undefined) await showMutants({ check: 'crash', mutants: MUTANTS, part, find, untouched: find })
else await run('cargo', ['test', '--quiet', ...CRASH, '--', ...args])

/** @param {string} copy */
async function find(copy) {
  const options = {
    cwd: copy,
    env: { ...process.env, CARGO_TARGET_DIR: fileURLToPath(new URL('target/', root)) },
  }
  const build = await capture('cargo', ['test', '--quiet', ...CRASH, '--no-run'], options)
  if (build.code !== 0) throw new Error(`it does not compile:\n${build.output}`)
  const { code, output } = await capture('cargo', ['test', '--quiet', ...CRASH, '--', '--mutant'], options)
  return code === 0 ? undefined : (/^FAILED (.*)\n +(.*)$/m.exec(output)?.slice(1).join(': ') ?? output)
}
