// The rules for the workflows of this project that no general linter knows.
import { existsSync, readFileSync } from 'node:fs'
import { MAJORS } from '../lib/node-versions.js'
import { root } from '../lib/run.js'

/** The machines of GitHub in use. */
export const RUNNERS = [
  'ubuntu-latest',
  'ubuntu-24.04-arm',
  'macos-latest',
  'macos-15-intel',
  'windows-latest',
  'windows-11-arm',
]

/** The workflows that publish something, or build what is published. */
const PUBLISHING = ['workflows/release.yml', 'workflows/platforms.yml', 'workflows/docs.yml']

/** The environment of GitHub in which a job may have an identity. @type {Record<string, string>} */
const ENVIRONMENTS = { 'workflows/release.yml': 'release', 'workflows/docs.yml': 'github-pages' }

const manifest = JSON.parse(readFileSync(new URL('package.json', root), 'utf8'))

/**
 * @param {Map<string, string>} files of .github
 * @param {(text: string) => any} parse YAML
 * @returns {string[]} the problems
 */
export function rules(files, parse) {
  return [...pins(files), ...commands(files), ...rights(files, parse), ...platforms(files, parse)]
}

/**
 * Every action is pinned by its commit, with the version in a comment, and the pin is the same
 * everywhere.
 */
function* pins(/** @type {Map<string, string>} */ files) {
  /** @type {Map<string, string>} */
  const pinned = new Map()
  for (const [name, text] of files) {
    for (const [, use = ''] of text.matchAll(/^\s*(?:- )?uses:\s*(.*)$/gm)) {
      if (use.startsWith('./')) continue
      const [, action, pin] = /^([\w-]+\/[\w/-]+)@([0-9a-f]{40} # v\d+\.\d+\.\d+)$/.exec(use) ?? []
      if (!action || !pin) yield `${name}: not pinned by a commit with its version: ${use}`
      else if ((pinned.get(action) ?? pin) !== pin) yield `${name}: pinned otherwise elsewhere: ${use}`
      else pinned.set(action, pin)
    }
  }
}

/** Every command and file that is run exists. */
function* commands(/** @type {Map<string, string>} */ files) {
  for (const [name, text] of files) {
    const code = text.replace(/^\s*#.*$/gm, '')
    for (const [, script = ''] of code.matchAll(/\bnpm run (?:--silent )?([\w:-]+)/g)) {
      if (!manifest.scripts[script]) yield `${name}: package.json has no script "${script}"`
    }
    for (const [, script] of code.matchAll(/\bbuild: ([\w:-]+)/g)) {
      if (!manifest.scripts[script ?? '']) yield `${name}: package.json has no script "${script}"`
    }
    for (const [file] of code.matchAll(/(?:\bscripts|\.github)\/[\w./-]+\.(?:js|sh|yml)/g)) {
      if (!existsSync(new URL(file, root))) yield `${name}: there is no ${file}`
    }
  }
}

/**
 * Jobs have no more rights and time than they need, and releases contain nothing that other
 * workflows could have written.
 */
function* rights(/** @type {Map<string, string>} */ files, /** @type {(text: string) => any} */ parse) {
  for (const [name, text] of files) {
    if (!name.startsWith('workflows/')) continue
    const { permissions, jobs } = parse(text)
    if (JSON.stringify(permissions) !== '{"contents":"read"}')
      yield `${name}: permissions are not "contents: read"`
    for (const [id, job] of Object.entries(jobs)) {
      const title = `${name}: ${id}`
      if (!job.uses && !job['timeout-minutes']) yield `${title}: no timeout-minutes`
      const environment = ENVIRONMENTS[name] ?? 'release'
      if (job.permissions?.['id-token'] && (job.environment?.name ?? job.environment) !== environment) {
        yield `${title}: an identity outside the environment "${environment}"`
      }
      if (job.permissions?.pages && job.if !== "github.event_name == 'push'") {
        yield `${title}: publishes the site from a pull request`
      }
      for (const { uses = '', with: options = {} } of job.steps ?? []) {
        if (uses.startsWith('actions/checkout@') && options['persist-credentials'] !== false) {
          yield `${title}: a checkout that keeps its credentials`
        }
        if (PUBLISHING.includes(name) && (/cache/.test(uses) || options.cache))
          yield `${title}: a cache in a release`
      }
    }
  }
}

/** The builds are those of package.json, and every target is tested on every Node.js. */
function* platforms(/** @type {Map<string, string>} */ files, /** @type {(text: string) => any} */ parse) {
  const name = 'workflows/platforms.yml'
  const { build, test, stress, smoke, packages } = parse(files.get(name) ?? '').jobs
  const built = build.strategy.matrix.include
  const targets = manifest.napi.targets.join()
  if (built.map(({ target }) => target).join() !== targets)
    yield `${name}: build: not the targets of package.json`
  const { matrix } = test.strategy
  if (matrix.target.join() !== targets) yield `${name}: test: not the targets of package.json`
  if (matrix.node.join() !== MAJORS.join())
    yield `${name}: test: not the versions of scripts/lib/node-versions.js`
  for (const [id, job] of Object.entries({ test, stress, smoke, packages })) {
    const { target: tested, include } = job.strategy.matrix
    for (const { target, runner, alpine } of include) {
      const its = built.find((each) => each.target === target)
      if (its?.runner !== runner || its?.alpine !== alpine)
        yield `${name}: ${id}: ${target} is built elsewhere`
    }
    if (tested && include.map(({ target }) => target).join() !== tested.join()) {
      yield `${name}: ${id}: a target without a runner`
    }
    if (job.env.PROCESS_RWLOCK_PREBUILT !== 1) yield `${name}: ${id}: builds anew what was built`
  }
}
