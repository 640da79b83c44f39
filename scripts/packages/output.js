import { basename } from 'node:path'
import { attempt } from '../lib/run.js'

const TIME_LIMIT = 180_000 // ms for one program; a build of Next.js takes 15 s on an idle machine

/**
 * Runs a program and returns its output. Throws if it fails, or takes too long.
 *
 * @param {string} command
 * @param {string[]} args
 * @param {import('node:child_process').SpawnOptions} [options]
 */
export async function output(command, args, options) {
  /** @type {Buffer[]} */
  const chunks = []
  const { code, signal } = await attempt(command, args, {
    timeout: TIME_LIMIT,
    killSignal: 'SIGKILL',
    ...options,
    stdio: ['ignore', 'pipe', 'pipe'],
    onOutput: (chunk) => chunks.push(chunk),
  })
  const printed = Buffer.concat(chunks).toString()
  if (code !== 0) throw new Error(`${basename(args[0] ?? command)} ended with ${signal ?? code}\n${printed}`)
  return printed
}
