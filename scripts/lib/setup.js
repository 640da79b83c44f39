// Prepares a checkout, even a fresh clone, so that the library can be imported: tools,
// dependencies, builds.
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { targets } from '../../src/shared-memory/platform.js'
import { npm, root, run } from './run.js'

/**
 * The target of the sanitizers. cargo gets it explicitly, so that it builds build scripts and
 * macros without them.
 */
export const HOST = 'x86_64-unknown-linux-gnu'

/** Nothing is built: CI tests a build on other machines than the one that made it. */
const PREBUILT = Boolean(process.env.PROCESS_RWLOCK_PREBUILT)

const TESTKIT = '__test__/helpers/testkit.node'

const XCODE = 'on macOS: xcode-select --install'

/**
 * Installs and builds what a command needs. cargo and tsc decide what is stale, so this is fast
 * when nothing changed.
 *
 * @param {object} [options]
 * @param {'release' | 'dev'} [options.profile] of the addon; `dev` compiles several times faster
 * @param {boolean} [options.testkit] the addon of the tests
 * @param {boolean} [options.stress] the worker of the stress test
 * @param {boolean} [options.bench] the native driver of the benchmarks
 */
export async function setup({ profile = 'release', testkit = false, stress = false, bench = false } = {}) {
  requireNode()
  if (!PREBUILT) {
    requireRust()
    await requireLinker()
  }

  await installDependencies()
  await build(profile === 'dev' ? 'build:debug' : 'build:native', addonName())
  await build('build:ts', 'dist/index.js')
  if (testkit) await build('build:testkit', TESTKIT)
  if (bench) await build('build:bench', program('process-rwlock-bench'))
  if (stress) await build('build:stress', program('process-rwlock-stress'))
}

/** Installs the development dependencies, unless they are those of package-lock.json already. */
export async function installDependencies() {
  if (isInstalled(fileURLToPath(root))) return
  say('Installing the development dependencies (npm ci)')
  await npm('ci', '--no-audit', '--no-fund', '--loglevel=error')
}

/**
 * Whether node_modules has every package that package-lock.json names. Optional ones may be for
 * another platform.
 *
 * @param {string} folder
 */
export function isInstalled(folder) {
  const installed = join(folder, 'node_modules/.package-lock.json')
  if (!existsSync(installed)) return false
  const packages = (/** @type {string} */ file) => JSON.parse(readFileSync(file, 'utf8')).packages
  const found = packages(installed)
  return Object.entries(packages(join(folder, 'package-lock.json'))).every(
    ([path, { version, optional }]) =>
      path === '' || found[path]?.version === version || (optional && !found[path]),
  )
}

/**
 * @param {string} script the npm script that builds the product
 * @param {string} product
 */
async function build(script, product) {
  if (!PREBUILT) await npm('run', '--silent', script)
  if (existsSync(path(product))) return
  fail(
    PREBUILT
      ? `PROCESS_RWLOCK_PREBUILT is set, but ${product} does not exist.`
      : `npm run ${script} did not create ${product}.`,
  )
}

/** The file name of the addon for this platform. */
export function addonName() {
  return `process-rwlock.${targets()[0]}.node`
}

/** The path of a Rust program. @param {string} name */
function program(name) {
  return `target/release/${name}${process.platform === 'win32' ? '.exe' : ''}`
}

function requireNode() {
  const wanted = JSON.parse(read('package.json')).engines.node.replace('>=', '')
  if (!isAtLeast(process.versions.node, wanted)) {
    fail(`This command needs Node.js ${wanted} or newer, not ${process.versions.node}: https://nodejs.org`)
  }
}

export function requireRust() {
  const wanted = /^rust-version = "(.*)"$/m.exec(read('Cargo.toml'))?.[1] ?? '0'
  // rustup changes the PATH only of shells that start later.
  process.env.PATH += delimiter + join(homedir(), '.cargo', 'bin')
  const found = /\d+\.\d+/.exec(versionOf('rustc') ?? '')?.[0]
  if (!found || !isAtLeast(found, wanted) || !versionOf('cargo')) {
    fail(
      `The addon needs Rust ${wanted} or newer, ${found ? `not ${found}` : 'which was not found'}. ` +
        'Install it from https://rustup.rs (the "cargo" package of a distribution is often too old), then repeat the command.',
    )
  }
}

export async function requireLinker() {
  if (process.platform !== 'win32') await requireC('Rust needs a C linker')
}

/** @param {string} why */
export function requireCpp(why) {
  return requireProgram('c++', '--version', ['g++'], why, XCODE)
}

/** @param {string} why */
export function requirePython(why) {
  return requireProgram('python3', '--version', ['python3'], why, 'elsewhere: https://www.python.org')
}

/**
 * Installs prebuilt packages of PyPI into a folder.
 *
 * @param {string} folder
 * @param {string[]} packages with their versions
 * @param {string} why
 */
export async function installFromPyPI(folder, packages, why) {
  await requirePython(why)
  const pip = ['-m', 'pip', 'install', '--quiet', '--root-user-action=ignore', '--disable-pip-version-check']
  await run('python3', [...pip, '--only-binary=:all:', '--upgrade', '--target', folder, ...packages])
}

/** Spin compiles the model to C. */
export async function requireSpin() {
  await requireProgram('spin', '-V', ['spin'], 'The model needs Spin', 'elsewhere: https://spinroot.com')
  await requireC('Spin needs a C compiler')
}

/** @param {string} why */
function requireC(why) {
  return requireProgram('cc', '--version', ['gcc', 'libc6-dev'], why, XCODE)
}

/**
 * @param {string} program
 * @param {string} option that prints its version
 * @param {string[]} packages of Debian that contain it
 * @param {string} why
 * @param {string} elsewhere how to install it without apt-get
 */
export async function requireProgram(program, option, packages, why, elsewhere) {
  if (versionOf(program, option)) return
  if (process.getuid?.() === 0 && existsSync('/usr/bin/apt-get')) {
    say(`Installing ${packages.join(' ')} (apt-get)`)
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
    await run('apt-get', ['update', '-q'], { env })
    await run('apt-get', ['install', '-qy', '--no-install-recommends', ...packages], { env })
    return
  }
  const how = `on Debian: apt-get install ${packages.join(' ')}; ${elsewhere}`
  fail(`${why}, but "${program}" was not found. Install it (${how}), then repeat the command.`)
}

/**
 * @param {string} tool
 * @param {string} [option]
 */
function versionOf(tool, option = '--version') {
  const { status, stdout } = spawnSync(tool, [option], { cwd: root, encoding: 'utf8' })
  return status === 0 ? stdout : undefined
}

/**
 * @param {string} version
 * @param {string} wanted
 */
function isAtLeast(version, wanted) {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const [wantedMajor = 0, wantedMinor = 0] = wanted.split('.').map(Number)
  return major > wantedMajor || (major === wantedMajor && minor >= wantedMinor)
}

/** @param {string} file relative to the root */
function path(file) {
  return fileURLToPath(new URL(file, root))
}

/** @param {string} file */
function read(file) {
  return readFileSync(path(file), 'utf8')
}

/** @param {string} message */
export function say(message) {
  console.error(`> ${message}`)
}

/**
 * @param {string} message
 * @returns {never}
 */
export function fail(message) {
  console.error(message)
  process.exit(1)
}
