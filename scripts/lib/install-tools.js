// Tools that one script alone needs have a package.json of their own, in the folder of that script: they are many times what the
// library needs, so `npm ci` in the root leaves them out.
import { existsSync, statSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { npm, root } from './run.js'
import { say } from './setup.js'

/**
 * Installs what the package-lock.json of a folder names, if it is not there yet.
 *
 * @param {string} folder
 */
export async function installTools(folder) {
  const installed = join(folder, 'node_modules/.package-lock.json')
  const isCurrent =
    existsSync(installed) && statSync(installed).mtimeMs > statSync(join(folder, 'package-lock.json')).mtimeMs
  if (isCurrent) return
  say(`Installing the tools (npm ci in ${relative(fileURLToPath(root), folder)})`)
  await npm('ci', '--prefix', folder, '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error')
}
