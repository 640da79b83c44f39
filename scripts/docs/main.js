// npm run docs: builds the site from docs/ into .cache/site and checks its links, without access to
// the network.
import { copyFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { readArguments } from '../lib/arguments.js'
import { installTools } from '../lib/install-tools.js'
import { root, run } from '../lib/run.js'
import { fail, installDependencies, say } from '../lib/setup.js'
import { linkMutants, linkProblems } from './links.js'

const HELP = `
npm run docs                builds the site and checks every link, of the documents and of the pages
npm run docs -- --dev       serves the site while you write, without the check
npm run docs -- --mutants   also breaks one link at a time: the check must find each
`

const folder = fileURLToPath(new URL('scripts/docs/', root))
const site = fileURLToPath(new URL('.cache/site/', root))
const { values } = readArguments(HELP, { dev: { type: 'boolean' }, mutants: { type: 'boolean' } })

await installDependencies() // TypeDoc reads the types of Node.js
await installTools(folder)
await makeReference()
if (values.dev) {
  await vitepress('dev')
} else {
  rmSync(site, { recursive: true, force: true })
  await vitepress('build')
  copyFileSync(new URL('llms.txt', root), join(site, 'llms.txt'))

  const problems = linkProblems(site)
  if (problems.length > 0) fail(problems.join('\n'))
  console.log('Every link has a target.')
  if (values.mutants) await linkMutants(site)
}

async function makeReference() {
  say('Reading the API (TypeDoc)')
  rmSync(new URL('docs/reference/', root), { recursive: true, force: true })
  await run(process.execPath, [
    ...[join(folder, 'node_modules/typedoc/bin/typedoc'), '--options', join(folder, 'typedoc.json')],
  ])
}

/** @param {string} command */
function vitepress(command) {
  return run(process.execPath, [join(folder, 'node_modules/vitepress/bin/vitepress.js'), command, folder])
}
