// The crate's own benchmark: what the lock costs without Node, beside the locks of the system.
import { fileURLToPath } from 'node:url'
import { attempt, root } from '../scripts/run.js'

/**
 * @param {{ quick: boolean }} options
 * @returns {Promise<import('./measure.js').Result[]>}
 */
export async function rust({ quick }) {
  /** @type {Buffer[]} */
  const output = []
  const args = ['run', '--release', '--quiet', '-p', 'process-rwlock-bench', '--', 'pairs', '--json']
  if (quick) args.push('--quick')
  const { code } = await attempt('cargo', args, {
    cwd: fileURLToPath(root),
    onOutput: (chunk) => output.push(chunk),
  })
  if (code !== 0) throw new Error(`cargo run ended with ${code}`)
  return JSON.parse(Buffer.concat(output).toString())
}
