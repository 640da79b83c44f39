// A package from npm that depends on proper-lockfile runs unchanged over this one, which
// `overrides` puts in its place as docs/migrating/proper-lockfile.md says.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { codeBlocks } from '../lib/code-blocks.js'
import { output } from './output.js'
import { tools } from './tools.js'

const DOCUMENT = 'docs/migrating/proper-lockfile.md'
/** A database of JSON objects, whose only dependency is proper-lockfile. */
const CONSUMER = 'njodb'
/** What the blocks of the document contain that the user copies. */
const MARK = /"version"|module\.exports|"overrides"/

/**
 * @param {import('./user.js').User} user
 * @param {{ program: string }[]} nodes
 */
export async function dropIn(user, nodes) {
  const [manifest = '', index = '', setting = ''] = codeBlocks(DOCUMENT)
    .map(({ code }) => code)
    .filter((code) => MARK.test(code))
  await user.npm(['publish', join(tools, 'node_modules', CONSUMER), '--ignore-scripts'])
  const folder = user.newProject({
    name: 'drop-in',
    manifest: JSON.parse(setting),
    file: 'main.js',
    source: readFileSync(join(tools, 'programs/drop-in/main.cjs'), 'utf8'),
  })
  const replacement = join(folder, 'proper-lockfile')
  mkdirSync(replacement)
  writeFileSync(join(replacement, 'package.json'), manifest)
  writeFileSync(join(replacement, 'index.js'), index)
  await user.npm(['install', 'process-rwlock', CONSUMER, '--ignore-scripts'], folder)
  await user.npm(['ls', '--all'], folder)
  for (const { program } of nodes) {
    const printed = await output(program, ['main.js'], { cwd: folder, env: user.env })
    if (printed !== 'granted\n') throw new Error(`it printed\n${printed}`)
  }
}
