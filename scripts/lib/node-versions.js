// The supported versions of Node.js, each installed on this machine.
import { spawnSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { npm, root } from './run.js'

/** The supported major versions. */
export const MAJORS = ['20', '22', '24', '26']

// Not in node_modules, because npm ci removes that, and each version has 200 MB.
const cache = fileURLToPath(new URL('.cache/', root))

/**
 * The path of a Node.js of this major version: the running one if possible, otherwise one from npm.
 *
 * @param {string} major
 */
export async function nodeOf(major) {
  if (isNode(process.execPath, major)) return process.execPath
  const platform = process.platform === 'win32' ? 'win' : process.platform
  const packageName = `node-${platform}-${process.arch}`
  const prefix = join(cache, `node-${major}`)
  const node = join(prefix, 'node_modules', packageName, 'bin', platform === 'win' ? 'node.exe' : 'node')
  // Running the program also detects an incomplete download.
  if (!isNode(node, major)) {
    mkdirSync(prefix, { recursive: true })
    await npm(
      ...['install', '--prefix', prefix, '--no-save', '--no-package-lock', '--ignore-scripts'],
      ...['--no-audit', '--no-fund', '--loglevel=error', `${packageName}@${major}`],
    )
  }
  if (!isNode(node, major)) throw new Error(`${packageName}@${major} contains no working Node.js ${major}`)
  return node
}

/**
 * @param {string} program
 * @param {string} major
 */
function isNode(program, major) {
  const { stdout } = spawnSync(program, ['--version'], { encoding: 'utf8' })
  return stdout?.startsWith(`v${major}.`) ?? false
}
