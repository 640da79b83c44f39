// npm run packages: makes the tarballs of a release in packages/: one with the library, and one for
// each platform with its addon. The addons are those in the root, or in npm/<platform>.
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

/** Bytes. Every installation downloads it. */
const LARGEST_ADDON = 1_350_000

const HELP = `
npm run packages                packs the library, and each addon that was built
npm run packages -- --release   fails if a platform is missing, or has an addon that a release must not have
`

const checkout = fileURLToPath(root)

/** The platforms, as in the names of their packages. */
export const TARGETS = readdirSync(join(checkout, 'npm')).sort()

/**
 * Puts the files of each package into a folder with its name.
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
  // Compiled again, because dist/ may have files of earlier sources.
  buildLibrary(join(folder, 'dist'))

  const { scripts, devDependencies, napi, ...manifest } = readManifest(checkout)
  for (const file of manifest.files.filter((name) => name !== 'dist')) {
    copyFileSync(join(checkout, file), join(folder, file))
  }
  // Not in the checkout: before a release, `npm ci` would not find this version.
  manifest.optionalDependencies = Object.fromEntries(
    TARGETS.map((target) => [`process-rwlock-${target}`, manifest.version]),
  )
  writeManifest(folder, manifest)
}

/**
 * Puts the files of an addon's package into a folder, without the addon.
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
 * The problems of the staged packages.
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
      problems.push(`package.json: "${field}" does not match the entries; run: npm run build:ts`)
    }
  }
  for (const name of names) {
    const manifest = readManifest(join(staged, name))
    if (manifest.name !== name || manifest.version !== version) {
      problems.push(`${name}: its package.json has ${manifest.name} ${manifest.version}, not ${version}`)
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
 * Makes a tarball from each folder.
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
