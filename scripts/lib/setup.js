// Brings a checkout, however bare, to where the library can be imported: tools, dependencies, build.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, statSync, utimesSync } from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { targets } from '../../src/shared-memory/platform.js'
import { npm, root, run } from './run.js'

/** Where sanitizers run. Told to cargo as the target, so that build scripts and macros are built without them. */
export const HOST = 'x86_64-unknown-linux-gnu'

/** What was built elsewhere is taken as it is: where a build is tested is not where it was made. */
const PREBUILT = Boolean(process.env.PROCESS_RWLOCK_PREBUILT)

const XCODE = 'on macOS: xcode-select --install'

/** @param {{ testkit?: boolean, stress?: boolean, bench?: boolean }} [options] whether the tests' own addon, the stress test's worker, and the benchmarks' driver are wanted */
export async function setup({ testkit = false, stress = false, bench = false } = {}) {
  requireNode()
  if (!PREBUILT) {
    requireRust()
    await requireLinker()
  }

  await installDependencies()
  await build('build:native', addonName(), [
    'Cargo.toml',
    'Cargo.lock',
    'package.json',
    'crates/rwlock/Cargo.toml',
    'crates/rwlock/src',
    'crates/node',
  ])
  await build('build:ts', 'dist/index.js', ['src', 'tsconfig.json', 'index.d.ts', 'scripts/build-library.js'])
  if (testkit) {
    await build('build:testkit', '__test__/helpers/testkit.node', [
      'Cargo.toml',
      'Cargo.lock',
      'crates/testkit',
      'crates/stress',
    ])
  }
  if (bench) {
    await build('build:bench', program('process-rwlock-bench'), [
      'Cargo.toml',
      'Cargo.lock',
      'crates/rwlock/Cargo.toml',
      'crates/rwlock/src',
      'crates/bench',
    ])
  }
  if (stress) {
    await build('build:stress', program('process-rwlock-stress'), [
      'Cargo.toml',
      'Cargo.lock',
      'crates/rwlock/Cargo.toml',
      'crates/rwlock/src',
      'crates/stress',
    ])
  }
}

/** Installs the development dependencies, if they are missing or old. */
export async function installDependencies() {
  if (!isStale('node_modules/.package-lock.json', ['package-lock.json'])) return
  say('Installing the development dependencies (npm ci)')
  await npm('ci', '--no-audit', '--no-fund', '--loglevel=error')
}

/**
 * @param {string} script the npm script that makes the product
 * @param {string} product
 * @param {string[]} sources
 */
async function build(script, product, sources) {
  if (PREBUILT) {
    if (!existsSync(path(product))) fail(`PROCESS_RWLOCK_PREBUILT is set, and there is no ${product}.`)
    return
  }
  if (!isStale(product, sources)) return
  say(`Building ${product} (npm run ${script})`)
  await npm('run', '--silent', script)
  if (!existsSync(path(product))) fail(`npm run ${script} did not make ${product}.`)
  // A build that found nothing to do must count as newer than the sources all the same.
  utimesSync(path(product), new Date(), new Date())
}

/**
 * Whether a product is missing or older than one of its sources.
 *
 * @param {string} product
 * @param {string[]} sources
 */
function isStale(product, sources) {
  if (!existsSync(path(product))) return true
  const made = statSync(path(product)).mtimeMs
  return sources.some((source) => newest(path(source)) > made)
}

/**
 * When a file, or anything under a directory, last changed. A directory's own time tells of files removed.
 *
 * @param {string} file
 * @returns {number}
 */
function newest(file) {
  if (!existsSync(file)) return 0
  const { mtimeMs } = statSync(file)
  if (!statSync(file).isDirectory()) return mtimeMs
  return Math.max(mtimeMs, ...readdirSync(file).map((name) => newest(join(file, name))))
}

/** The file that the native build makes on this platform. */
export function addonName() {
  return `process-rwlock.${targets()[0]}.node`
}

/** @param {string} name of a program in Rust */
function program(name) {
  return `target/release/${name}${process.platform === 'win32' ? '.exe' : ''}`
}

function requireNode() {
  const wanted = JSON.parse(read('package.json')).engines.node.replace('>=', '')
  if (!isAtLeast(process.versions.node, wanted)) {
    fail(`Node.js ${wanted} or newer is needed, this is ${process.versions.node}: https://nodejs.org`)
  }
}

export function requireRust() {
  const wanted = /^rust-version = "(.*)"$/m.exec(read('Cargo.toml'))?.[1] ?? '0'
  // rustup changes the PATH of the shells to come only.
  process.env.PATH += delimiter + join(homedir(), '.cargo', 'bin')
  const found = /\d+\.\d+/.exec(versionOf('rustc') ?? '')?.[0]
  if (!found || !isAtLeast(found, wanted) || !versionOf('cargo')) {
    fail(
      `Rust ${wanted} or newer is needed to build the addon, ${found ? `this is ${found}` : 'and was not found'}. ` +
        'Install it from https://rustup.rs (a distribution\'s "cargo" package is often too old) and run this again.',
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
 * Installs packages of PyPI, as they were built, into a folder of their own.
 *
 * @param {string} folder
 * @param {string[]} packages each with its version
 * @param {string} why
 */
export async function installFromPyPI(folder, packages, why) {
  await requirePython(why)
  const pip = ['-m', 'pip', 'install', '--quiet', '--root-user-action=ignore', '--disable-pip-version-check']
  await run('python3', [...pip, '--only-binary=:all:', '--upgrade', '--target', folder, ...packages])
}

/** Spin makes a program in C of the model. */
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
 * @param {string} option by which it says its version
 * @param {string[]} packages that have it on Debian
 * @param {string} why
 * @param {string} elsewhere where and how it is had without apt-get
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
  fail(`${why} ("${program}"), and none was found. Install one (${how}) and run this again.`)
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
