// The command line of the installed package: by npx, and as a global installation with its manual.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { npmProgram, root } from '../lib/run.js'
import { output } from './output.js'

const isWindows = process.platform === 'win32'
const SHOW_TOKEN = 'console.log(typeof process.env.PROCESS_RWLOCK_TOKEN)'

/** @param {import('./user.js').User} user */
export async function commandLine(user) {
  const { version } = JSON.parse(readFileSync(fileURLToPath(new URL('package.json', root)), 'utf8'))
  const folder = user.newProject(undefined)
  await user.npm(['install', 'process-rwlock', '--ignore-scripts'], folder)
  const { command, first, shell } = npmProgram()
  /** @param {string[]} args */
  const npx = (...args) =>
    output(command, [...first, 'exec', '--offline', '--', 'process-rwlock', ...args], {
      cwd: folder,
      env: user.env,
      shell,
    })
  expect(await npx('--version'), `${version}\n`)
  expect(await npx('exec', 'command-line-test', '--', process.execPath, '-e', SHOW_TOKEN), 'string\n')

  const prefix = join(folder, 'global')
  await user.npm(['install', '--global', '--prefix', prefix, 'process-rwlock', '--ignore-scripts'])
  const program = join(prefix, isWindows ? 'process-rwlock.cmd' : 'bin/process-rwlock')
  expect(await output(program, ['--version'], { env: user.env, shell: isWindows }), `${version}\n`)
  if (!isWindows && !existsSync(join(prefix, 'share/man/man1/process-rwlock.1'))) {
    throw new Error('the manual page is not installed')
  }
}

/** @param {string} printed @param {string} expected */
function expect(printed, expected) {
  if (printed !== expected) throw new Error(`it printed, instead of ${expected.trim()}:\n${printed}`)
}
