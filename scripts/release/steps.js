// The steps of a release, for .github/workflows/release.yml. Each step can be repeated.
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { readArguments, usageError } from '../lib/arguments.js'
import { capture, npm, root, run } from '../lib/run.js'
import { fail, say } from '../lib/setup.js'

const HELP = `
node scripts/release/steps.js check   fails unless tag, repository and changelog are those of this version
node scripts/release/steps.js npm     publishes the tarballs of packages/, the library last
node scripts/release/steps.js crate   publishes the crate
node scripts/release/steps.js notes   prints the section of this version in the changelog
`

const OLDEST_NPM = '11.5.1' // with trusted publishing

/** @param {string} file */
const read = (file) => readFileSync(new URL(file, root), 'utf8')

/**
 * The section of a version in the changelog.
 *
 * @param {string} changelog
 * @param {string} version
 */
export function section(changelog, version) {
  const [, ...sections] = changelog.split(/^## (?=\[)/m)
  const found = sections.find((text) => text.startsWith(`[${version}]`))
  return found?.replace(/^.*\n/, '').trim()
}

/**
 * The reasons why this cannot be released.
 *
 * @param {{ version: string, repository?: { url?: string } }} manifest
 * @param {string} changelog
 * @param {{ GITHUB_REF_NAME?: string, GITHUB_REPOSITORY?: string }} env
 */
export function obstacles({ version, repository }, changelog, { GITHUB_REF_NAME, GITHUB_REPOSITORY }) {
  const found = []
  if (GITHUB_REF_NAME !== `v${version}`) {
    found.push(`The tag is ${GITHUB_REF_NAME}, and package.json has version ${version}.`)
  }
  // npm compares it with the provenance.
  if (!repository?.url?.endsWith(`github.com/${GITHUB_REPOSITORY}.git`)) {
    found.push(`This is ${GITHUB_REPOSITORY}, and package.json has the repository ${repository?.url}.`)
  }
  if (!section(changelog, version)) found.push(`CHANGELOG.md has no section for version ${version}.`)
  return found
}

/**
 * Publishes the packages that are not published yet. The library is last, so that its addons exist.
 *
 * @param {string[]} files tarballs
 * @param {string} version
 * @param {(name: string) => Promise<boolean>} isPublished
 * @param {(file: string) => Promise<void>} publish
 */
export async function publishMissing(files, version, isPublished, publish) {
  const packages = files.map((file) => ({ file, name: file.replace(`-${version}.tgz`, '') }))
  for (const { file, name } of packages.sort((a, b) => b.name.length - a.name.length)) {
    if (await isPublished(name)) say(`${name}@${version} is published already`)
    else await publish(file)
  }
}

async function publishPackages() {
  const { output } = await capture('npm', ['--version'])
  const isOld = output.trim().localeCompare(OLDEST_NPM, 'en', { numeric: true }) < 0
  if (isOld) fail(`This step needs npm ${OLDEST_NPM} or newer, not ${output}`)
  await publishMissing(readdirSync(new URL('packages/', root)), version, isPublished, (file) =>
    npm('publish', `./packages/${file}`, '--provenance', '--access', 'public'),
  )
}

/** @param {string} name */
async function isPublished(name) {
  const { code, output } = await capture('npm', ['view', `${name}@${version}`, 'version', '--json'])
  if (code === 0) return output.includes(version)
  if (/\bE404\b/.test(output)) return false
  throw new Error(`npm does not tell whether ${name} is published:\n${output}`)
}

async function publishCrate() {
  const { code } = await capture('cargo', ['info', '--registry', 'crates-io', `process-rwlock@${version}`])
  if (code === 0) say(`process-rwlock ${version} is published already`)
  else await run('cargo', ['publish', '--package', 'process-rwlock', '--locked'])
}

const manifest = JSON.parse(read('package.json'))
const { version } = manifest

const steps = {
  check() {
    const found = obstacles(manifest, read('CHANGELOG.md'), process.env)
    if (found.length > 0) fail(found.join('\n'))
  },
  npm: publishPackages,
  crate: publishCrate,
  notes() {
    console.log(
      section(read('CHANGELOG.md'), version) ?? fail(`CHANGELOG.md has no section for version ${version}.`),
    )
  },
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { positionals } = readArguments(HELP, {}, { positionals: true })
  const step = steps[positionals[0] ?? ''] ?? usageError('Name one step.', HELP)
  await step()
}
