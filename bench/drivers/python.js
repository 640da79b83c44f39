// Installs the competitors in Python from PyPI, into their own environment.
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { attempt, root } from '../../scripts/lib/run.js'
import { fail, requireProgram, say } from '../../scripts/lib/setup.js'

const REQUIREMENTS = fileURLToPath(new URL('requirements.txt', import.meta.url))
const PLACE = fileURLToPath(new URL('.cache/bench/python', root))
const PYTHON = `${PLACE}/bin/python`
/** The installed packages. Written last. */
const INSTALLED = `${PLACE}/requirements.txt`

/** @returns {Promise<string>} the path of a Python that can import them */
export async function python() {
  const wanted = readFileSync(REQUIREMENTS, 'utf8')
  if (existsSync(INSTALLED) && readFileSync(INSTALLED, 'utf8') === wanted && works(PYTHON)) return PYTHON
  await requireProgram(
    'python3',
    '-cimport ensurepip; print(ensurepip.version())',
    ['python3', 'python3-venv'],
    'The competitors in Python need Python 3.10 or newer with venv',
    'elsewhere: https://www.python.org/downloads',
  )
  if (!works('python3')) fail('The competitors in Python need Python 3.10 or newer ("python3").')
  say(`Installing ${wanted.trim().replaceAll('\n', ', ')} (pip, in ${PLACE})`)
  await succeed('python3', ['-m', 'venv', '--clear', PLACE])
  const pip = ['-m', 'pip', 'install', '-q', '--disable-pip-version-check', '-r', REQUIREMENTS]
  await succeed(PYTHON, pip)
  writeFileSync(INSTALLED, wanted)
  return PYTHON
}

/** @param {string} python */
function works(python) {
  return spawnSync(python, ['-c', 'import sys; sys.exit(sys.version_info < (3, 10))']).status === 0
}

/**
 * @param {string} command
 * @param {string[]} args
 */
async function succeed(command, args) {
  // Its output goes to standard error, because standard output is the result of the benchmark.
  const { code } = await attempt(command, args, { stdio: ['ignore', process.stderr, 'inherit'] })
  if (code !== 0) {
    fail(`The competitors in Python could not be installed: ${command} ${args.join(' ')} ended with ${code}.`)
  }
}
