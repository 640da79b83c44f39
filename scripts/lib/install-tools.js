// Tools that only one command needs have a package.json of their own, in the folder of that
// command. They are far larger than the library's own development dependencies, so `npm ci` in the
// root does not install them.
import { relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { npm, root } from './run.js'
import { isInstalled, say } from './setup.js'

/**
 * Installs the packages of a folder's package-lock.json, unless they are installed.
 *
 * @param {string} folder
 */
export async function installTools(folder) {
  if (isInstalled(folder)) return
  say(`Installing the tools (npm ci in ${relative(fileURLToPath(root), folder)})`)
  await npm('ci', '--prefix', folder, '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error')
}
