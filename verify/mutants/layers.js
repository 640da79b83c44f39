// Every list of mutants, with the check that must find them.
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { npm, root } from '../../scripts/lib/run.js'
import { addonName } from '../../scripts/lib/setup.js'
import { mutate } from './mutate.js'
import { LOCK, tryOnCopy } from './run.js'
import { Tree } from './tree.js'

/**
 * @typedef {object} Layer
 * @property {() => Promise<{ name: string, change: unknown }[]>} mutants
 * @property {() => Promise<string[] | undefined>} problems why mutants do not apply; undefined if what they change is not built
 * @property {(part: string) => Promise<void>} run tries the mutants whose names have `part` in them
 * @property {() => Promise<Tree>} [tree] the sources that they change
 */

const MODEL = { folder: 'verify/model', language: /** @type {const} */ ('promela') }

/** @type {Record<string, Layer>} */
export const LAYERS = {
  model: onCopy(
    'model',
    () => import('./lists/model.js'),
    () => import('../model/check.js'),
    MODEL,
  ),
  loom: onCopy(
    'loom',
    () => import('./lists/loom.js'),
    () => import('../loom/check.js'),
  ),
  'machine-code': onCopy(
    'machine-code',
    () => import('./lists/machine-code.js'),
    () => import('../machine-code/check.js'),
  ),
  crash: onCopy(
    'crash',
    () => import('./lists/crash.js'),
    () => import('../crash/check.js'),
  ),
  stress: onCopy(
    'stress',
    () => import('./lists/stress.js'),
    () => import('../stress/check.js'),
  ),
  fuzz: onCopy(
    'fuzz',
    () => import('./lists/fuzz.js'),
    () => import('../fuzz/check.js'),
  ),
  sanitize: onCopy(
    'sanitize',
    () => import('./lists/sanitize.js'),
    () => import('../sanitize/check.js'),
  ),
  bench: byCommand(
    () => import('./lists/bench.js'),
    async () => readTree(LOCK),
    ['bench', '--', '--mutants'],
  ),
  workflows: byCommand(
    () => import('./lists/workflows.js'),
    async () => readTree({ folder: '.github', language: 'text' }),
    ['lint:workflows', '--', '--mutants'],
  ),
  docs: {
    mutants: async () => (await import('./lists/docs.js')).mutants,
    problems: docsProblems,
    run: () => npm('run', '--silent', 'docs', '--', '--mutants'),
  },
  packages: {
    mutants: async () => (await import('./lists/packages.js')).mutants,
    problems: packagesProblems,
    run: (part) => npm('run', '--silent', 'test:packages', '--', '--mutants', part),
  },
}

/**
 * A layer whose check runs on a copy of the lock.
 *
 * @param {string} check
 * @param {() => Promise<{ mutants: any[] }>} list
 * @param {() => Promise<any>} load the module of the check: see {@link tryOnCopy}
 * @returns {Layer}
 */
function onCopy(check, list, load, sources = /** @type {{ folder: string, language: any }} */ (LOCK)) {
  const mutants = async () => (await list()).mutants
  const tree = async () => readTree(sources)
  return {
    mutants,
    tree,
    problems: async () => problemsOf(await tree(), await mutants()),
    run: async (part) => {
      const { find, untouched, also, setUp } = await load()
      await setUp?.()
      await tryOnCopy({ check, mutants: await mutants(), part, sources, also, find, untouched })
    },
  }
}

/**
 * A layer whose check is a command of its own.
 *
 * @param {() => Promise<{ mutants: any[] }>} list
 * @param {() => Promise<Tree>} tree
 * @param {string[]} command of npm
 * @returns {Layer}
 */
function byCommand(list, tree, command) {
  const mutants = async () => (await list()).mutants
  return {
    mutants,
    tree,
    problems: async () => problemsOf(await tree(), await mutants()),
    run: (part) => npm('run', '--silent', ...command, part),
  }
}

/** @param {{ folder: string, language: import('./lexer.js').Language }} sources */
function readTree({ folder, language }) {
  return Tree.read(fileURLToPath(new URL(folder, root)), language)
}

/**
 * @param {Tree} tree
 * @param {import('./mutate.js').Mutant[]} mutants
 */
function problemsOf(tree, mutants) {
  return mutants.flatMap((mutant) => problemOf(() => mutate(tree, mutant)))
}

/** @param {() => void} apply @returns {string[]} */
function problemOf(apply) {
  try {
    apply()
    return []
  } catch (error) {
    return [error.message]
  }
}

/** The documents are sources; the site is not, and is checked by the command that builds it. */
async function docsProblems() {
  const { mutants } = await import('./lists/docs.js')
  const { documents } = await import('../../scripts/docs/documents.js')
  const texts = documents().map(
    (name) => /** @type {const} */ ([name, readFileSync(new URL(name, root), 'utf8')]),
  )
  return problemsOf(
    new Tree(new Map(texts), 'text'),
    mutants.filter(({ of }) => of === 'documents'),
  )
}

/** Applied to the packages as they are staged from this checkout, if its addon is built. */
async function packagesProblems() {
  if (!existsSync(new URL(addonName(), root))) return undefined
  const { mutants } = await import('./lists/packages.js')
  const { stage } = await import('../../scripts/release/pack.js')
  const folder = mkdtempSync(join(tmpdir(), 'process-rwlock-mutants-'))
  try {
    const [staged, copy] = [join(folder, 'staged'), join(folder, 'copy')]
    mkdirSync(staged)
    stage(staged)
    return mutants.flatMap(({ name, change }) => {
      rmSync(copy, { recursive: true, force: true })
      cpSync(staged, copy, { recursive: true })
      return problemOf(() => change(copy)).map((problem) => `mutant "${name}": ${problem}`)
    })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
