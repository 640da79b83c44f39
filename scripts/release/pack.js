// npm run packages: makes the tarballs of a release in packages/, one of the library and one for the addon of each platform, from the
// addons that were built: in a checkout that of this machine, in a release those that `napi artifacts` has put into npm/.
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { buildLibrary, manifestOf } from '../build-library.js'
import { readArguments } from '../lib/arguments.js'
import { capture, npmProgram, root } from '../lib/run.js'
import { glibcOf, OLDEST_GLIBC, platformOf } from './addon.js'
import { contentsOf } from './tarball.js'
import { disagreements } from './version.js'

/** Bytes. Whoever installs the package downloads it. */
const LARGEST_ADDON = 1_250_000

const HELP = `
npm run packages                packs the library, and each addon that was built
npm run packages -- --release   fails if a platform is missing, or has an addon that a release must not have
`

const checkout = fileURLToPath(root)

/** The platforms that there are packages for, as they are named. */
export const TARGETS = readdirSync(join(checkout, 'npm')).sort()

/**
 * Puts what a release consists of into a folder for each package, with the name of the package.
 *
 * @param {string} staged
 */
export function stage(staged) {
  stageLibrary(join(staged, 'process-rwlock'))
  for (const target of TARGETS) {
    const addon = `process-rwlock.${target}.node`
    const source = [join(checkout, 'npm', target, addon), join(checkout, addon)].find(existsSync)
    if (source === undefined) continue
    const folder = join(staged, `process-rwlock-${target}`)
    stageAddon(folder, target)
    copyFileSync(source, join(folder, addon))
  }
}

/** @param {string} folder */
function stageLibrary(folder) {
  mkdirSync(folder)
  // Compiled here, since dist/ may hold what an earlier state of the sources left there.
  buildLibrary(join(folder, 'dist'))

  const { scripts, devDependencies, napi, ...manifest } = readManifest(checkout)
  for (const file of manifest.files.filter((name) => name !== 'dist')) {
    copyFileSync(join(checkout, file), join(folder, file))
  }
  // In the checkout they are not named: before a release, `npm ci` would not find that version of them.
  manifest.optionalDependencies = Object.fromEntries(
    TARGETS.map((target) => [`process-rwlock-${target}`, manifest.version]),
  )
  writeManifest(folder, manifest)
}

/**
 * The package of an addon, without the addon.
 *
 * @param {string} folder
 * @param {string} target
 */
export function stageAddon(folder, target) {
  mkdirSync(folder)
  for (const file of ['package.json', 'README.md']) {
    copyFileSync(join(checkout, 'npm', target, file), join(folder, file))
  }
  copyFileSync(join(checkout, 'LICENSE'), join(folder, 'LICENSE'))
}

/**
 * What is wrong with what was staged.
 *
 * @param {string} staged
 * @param {{ release?: boolean }} [options]
 * @returns {string[]}
 */
export function problemsOf(staged, { release = false } = {}) {
  const names = readdirSync(staged)
  const { version } = readManifest(join(staged, 'process-rwlock'))
  const problems = disagreements({ release })
  const manifest = readManifest(checkout)
  for (const [field, wanted] of Object.entries(manifestOf())) {
    if (JSON.stringify(manifest[field]) !== JSON.stringify(wanted)) {
      problems.push(`package.json: "${field}" is not that of the entries; run: npm run build:ts`)
    }
  }
  for (const name of names) {
    const manifest = readManifest(join(staged, name))
    if (manifest.name !== name || manifest.version !== version) {
      problems.push(`${name}: its package.json says ${manifest.name} ${manifest.version}, not ${version}`)
    }
  }
  for (const target of TARGETS) {
    const name = `process-rwlock-${target}`
    if (names.includes(name)) {
      const addon = readFileSync(join(staged, name, `process-rwlock.${target}.node`))
      problems.push(...problemsOfAddon(addon, target, release).map((problem) => `${name}: ${problem}`))
    } else if (release) {
      problems.push(`${name}: its addon was not built`)
    }
  }
  return problems
}

/** @param {Buffer} addon @param {string} target @param {boolean} release */
function problemsOfAddon(addon, target, release) {
  const problems = []
  const platform = platformOf(addon)
  if (platform !== target) problems.push(`its addon is for ${platform}`)
  if (addon.length > LARGEST_ADDON)
    problems.push(`its addon has ${addon.length} bytes, more than ${LARGEST_ADDON}`)
  const glibc = glibcOf(addon)
  if (release && glibc > OLDEST_GLIBC)
    problems.push(`its addon needs glibc 2.${glibc}, more than 2.${OLDEST_GLIBC}`)
  return problems
}

/**
 * Makes a tarball of each folder.
 *
 * @param {string} staged
 * @param {string} into
 * @returns {Promise<{ name: string, file: string, contents: import('./tarball.js').Contents }[]>}
 */
export async function tarballsOf(staged, into) {
  rmSync(into, { recursive: true, force: true })
  mkdirSync(into)
  const folders = readdirSync(staged).map((name) => join(staged, name))
  const { command, first, shell } = npmProgram()
  const args = [...first, 'pack', '--ignore-scripts', '--pack-destination', into, ...folders]
  const { code, output } = await capture(command, args, { shell })
  if (code !== 0) throw new Error(`npm pack failed\n${output}`)
  return readdirSync(into).map((filename) => {
    const file = join(into, filename)
    const contents = contentsOf(file)
    return { name: JSON.parse(String(contents.get('package.json'))).name, file, contents }
  })
}

/** @param {string} folder */
export function readManifest(folder) {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
}

/** @param {string} folder @param {object} manifest */
export function writeManifest(folder, manifest) {
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`)
}

async function main() {
  const { values } = readArguments(HELP, { release: { type: 'boolean', default: false } })
  const { release } = values
  const staged = mkdtempSync(join(tmpdir(), 'process-rwlock-pack-'))
  try {
    stage(staged)
    const problems = problemsOf(staged, { release })
    if (problems.length > 0) {
      console.error(problems.join('\n'))
      process.exitCode = 1
      return
    }
    for (const { file } of await tarballsOf(staged, join(checkout, 'packages'))) console.log(file)
  } finally {
    rmSync(staged, { recursive: true })
  }
}

if (process.argv[1] === import.meta.filename) await main()
