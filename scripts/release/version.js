// Several files contain the version. `npm version X` writes it into package.json and its lock file,
// runs this script, which writes it into the others, then commits and tags. `npm run packages`
// reports files that disagree.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { readArguments } from '../lib/arguments.js'
import { npm, root, run } from '../lib/run.js'

const checkout = fileURLToPath(root)

/** @param {string} path */
const read = (path) => readFileSync(join(checkout, path), 'utf8')

const version = () => JSON.parse(read('package.json')).version

/**
 * All places with a version, and the version there.
 *
 * @returns {Generator<[string, string | undefined]>}
 */
function* places() {
  const lock = JSON.parse(read('package-lock.json'))
  yield ['package-lock.json', lock.version]
  yield ["package-lock.json, packages['']", lock.packages[''].version]
  for (const target of readdirSync(join(checkout, 'npm'))) {
    const path = `npm/${target}/package.json`
    yield [path, JSON.parse(read(path)).version]
  }
  yield ['Cargo.toml', WORKSPACE_VERSION.exec(read('Cargo.toml'))?.[2]]
  for (const path of ['Cargo.lock', 'verify/fuzz/Cargo.lock']) {
    for (const [, name, itsVersion] of read(path).matchAll(LOCKED_VERSION)) {
      if (name !== 'process-rwlock-fuzz') yield [`${path}, ${name}`, itsVersion]
    }
  }
}

const UNRELEASED = 'Unreleased'
const WORKSPACE_VERSION = /^(\[workspace\.package\]\nversion = ")(.*)(?=")/m
const LOCKED_VERSION = /^name = "(process-rwlock.*)"\nversion = "(.*)"$/gm

/**
 * The places whose version is not that of package.json.
 *
 * @param {{ release?: boolean }} [options] whether the changelog must have no unreleased section
 * @returns {string[]}
 */
export function disagreements({ release = false } = {}) {
  const newest = /^## \[(.+?)\]/m.exec(read('CHANGELOG.md'))?.[1]
  const changelog = release || newest !== UNRELEASED ? [['CHANGELOG.md', newest]] : []
  return [...places(), ...changelog]
    .filter(([, its]) => its !== version())
    .map(([place, its]) => `${place}: version ${its}, while package.json has ${version()}`)
}

async function main() {
  readArguments('npm version VERSION   runs this: it writes the version into every file that has it', {})
  writeFileSync(join(checkout, 'Cargo.toml'), read('Cargo.toml').replace(WORKSPACE_VERSION, `$1${version()}`))
  for (const manifest of ['Cargo.toml', 'verify/fuzz/Cargo.toml']) {
    await run('cargo', ['update', '--workspace', '--quiet', '--manifest-path', manifest])
  }
  await npm('exec', '--', 'napi', 'create-npm-dirs')
  const today = new Date().toISOString().slice(0, 10)
  writeFileSync(
    join(checkout, 'CHANGELOG.md'),
    read('CHANGELOG.md').replace(`## [${UNRELEASED}]`, `## [${version()}] - ${today}`),
  )
  const wrong = disagreements({ release: true })
  if (wrong.length > 0) throw new Error(wrong.join('\n'))
  await run('git', ['add', '--update'])
}

if (process.argv[1] === import.meta.filename) await main()
