// Inspects the packages before their installation.
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { dirname, join, posix } from 'node:path'
import { fileURLToPath } from 'node:url'
import { root } from '../lib/run.js'
import { output } from './output.js'
import { programs } from './tools.js'

const checkout = fileURLToPath(root)

/** Checks that npm/ is what napi generates from package.json. */
export async function foldersAreGenerated() {
  const name = `npm-${process.pid}` // napi resolves it in the checkout
  const made = join(checkout, 'target', name)
  try {
    mkdirSync(dirname(made), { recursive: true })
    const napi = join(checkout, 'node_modules/@napi-rs/cli/dist/cli.js')
    await output(process.execPath, [napi, 'create-npm-dirs', '--npm-dir', join('target', name)], {
      cwd: checkout,
    })
    const [ours, its] = [join(checkout, 'npm'), made].map((folder) =>
      readdirSync(folder)
        .sort()
        .flatMap((target) =>
          ['package.json', 'README.md'].map((file) => [
            target,
            readFileSync(join(folder, target, file), 'utf8'),
          ]),
        ),
    )
    if (JSON.stringify(ours) !== JSON.stringify(its)) throw new Error('run: npx napi create-npm-dirs')
  } finally {
    rmSync(made, { recursive: true, force: true })
  }
}

/** The files of the library, besides package.json, README.md and LICENSE. */
const LIBRARY_FILES =
  /^(CHANGELOG\.md|dist\/(package\.json|man\/process-rwlock\.1|([a-z-]+\/)*[a-z-]+\.(m?js|d\.m?ts)))$/
const SCRIPTS_AT_INSTALL = ['preinstall', 'install', 'postinstall', 'prepare']

/**
 * @param {string} name
 * @param {string} file
 * @param {import('../release/tarball.js').Contents} contents
 */
export function files(name, file, contents) {
  const manifest = JSON.parse(String(contents.get('package.json')))
  const isLibrary = name === 'process-rwlock'
  const main = posix.normalize(manifest.main ?? 'main')
  const problems = []
  for (const path of ['package.json', 'README.md', 'LICENSE', main, ...(isLibrary ? ['CHANGELOG.md'] : [])]) {
    if (!contents.has(path)) problems.push(`${path} is missing`)
  }
  const isAllowed = (/** @type {string} */ path) =>
    ['package.json', 'README.md', 'LICENSE', main].includes(path) || (isLibrary && LIBRARY_FILES.test(path))
  problems.push(
    ...[...contents.keys()]
      .filter((path) => !isAllowed(path))
      .map((path) => `${path} must not be in the package`),
  )
  for (const script of SCRIPTS_AT_INSTALL) {
    if (manifest.scripts?.[script]) problems.push(`it has a script "${script}"`)
  }
  for (const addon of Object.keys(manifest.optionalDependencies ?? {})) {
    for (const path of ['dist/shared-memory/binding.js', 'dist/addons.mjs']) {
      if (!contents.get(path)?.includes(`require('${addon}')`))
        problems.push(`${path} does not require ${addon}`)
    }
  }
  if (manifest.gypfile || contents.has('binding.gyp')) problems.push('npm would compile it')
  if (problems.length > 0) throw new Error(problems.join('\n'))

  const sizes = [...contents].map(([, { length }]) => length)
  const unpacked = sizes.reduce((sum, size) => sum + size, 0)
  const addon = isLibrary ? undefined : contents.get(main)
  return `${sizes.length} files, ${kB(statSync(file).size)} packed, ${kB(unpacked)} unpacked${addon ? `, the addon ${kB(addon.length)}` : ''}`
}

/** @param {number} bytes */
function kB(bytes) {
  return `${(bytes / 1000).toFixed(0)} kB`
}

/** @param {string} name @param {string} file */
export async function publint(name, file) {
  // It suggests a "type" even for a package without JavaScript.
  const level = name === 'process-rwlock' ? 'suggestion' : 'warning'
  await output(process.execPath, [programs.publint, 'run', file, '--strict', '--level', level])
}

/** @param {string} file */
export async function attw(file) {
  await output(process.execPath, [programs.attw, file])
}
