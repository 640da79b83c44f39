// The Node.js versions that the tests run on, each as a program on this machine.
import { spawnSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { npm, root } from './run.js'

/** Every major version that is supported: the tests run on all of them unless told otherwise. */
export const MAJORS = ['20', '22', '24', '26']

// Beside node_modules: npm ci empties that, and these are 200 MB each.
const cache = fileURLToPath(new URL('.cache/', root))

/**
 * The path of a Node.js of this major version: the running one if it is, otherwise one from npm.
 *
 * @param {string} major
 */
export async function nodeOf(major) {
  if (isNode(process.execPath, major)) return process.execPath
  const platform = process.platform === 'win32' ? 'win' : process.platform
  const packageName = `node-${platform}-${process.arch}`
  const prefix = join(cache, `node-${major}`)
  const node = join(prefix, 'node_modules', packageName, 'bin', platform === 'win' ? 'node.exe' : 'node')
  // Asking the program itself finds a download that was cut off, too.
  if (!isNode(node, major)) {
    mkdirSync(prefix, { recursive: true })
    await npm(
      ...['install', '--prefix', prefix, '--no-save', '--no-package-lock', '--ignore-scripts'],
      ...['--no-audit', '--no-fund', '--loglevel=error', `${packageName}@${major}`],
    )
  }
  if (!isNode(node, major)) throw new Error(`${packageName}@${major} holds no working Node.js ${major}`)
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
