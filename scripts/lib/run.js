// Runs other programs as if they were this one: same terminal, same signals, same end.
import { spawn } from 'node:child_process'

export const root = new URL('../../', import.meta.url)

/** By these somebody asks a program to end. @type {NodeJS.Signals[]} */
export const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP']

// How long output may still come after its program has ended. A leaked grandchild can hold the pipe for ever.
const OUTPUT_GRACE = 1000

/**
 * Runs a program to its end. A signal that arrives meanwhile is passed on, and then ends this process too.
 *
 * @param {string} command
 * @param {string[]} args
 * @param {import('node:child_process').SpawnOptions & { onOutput?: (chunk: Buffer) => void }} [options]
 * @returns {Promise<{ code: number | null, signal: NodeJS.Signals | null }>}
 */
export async function attempt(command, args, { onOutput, ...options } = {}) {
  const child = spawn(command, args, {
    cwd: root,
    stdio: ['inherit', onOutput ? 'pipe' : 'inherit', 'inherit'],
    ...options,
  })
  if (onOutput) for (const stream of [child.stdout, child.stderr]) stream?.on('data', onOutput)

  /** @type {NodeJS.Signals | undefined} */
  let received
  /** @param {NodeJS.Signals} signal */
  const passOn = (signal) => {
    received = signal
    // A terminal has already sent Ctrl-C to the child itself.
    if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal)
  }
  for (const signal of SIGNALS) process.on(signal, passOn)
  try {
    const end = await new Promise((resolve, reject) => {
      child.once('error', reject)
      child.once('exit', () => {
        const timer = setTimeout(() => {
          for (const stream of [child.stdout, child.stderr]) stream?.destroy()
        }, OUTPUT_GRACE)
        child.once('close', (code, signal) => {
          clearTimeout(timer)
          resolve({ code, signal })
        })
      })
    })
    if (received) end.signal = received
    return end
  } finally {
    for (const signal of SIGNALS) process.off(signal, passOn)
  }
}

/**
 * Runs a program to its end, and shows nothing of it.
 *
 * @param {string} command
 * @param {string[]} args
 * @param {import('node:child_process').SpawnOptions} [options]
 * @returns {Promise<{ code: number | null, output: string }>} with both its outputs, as they came
 */
export async function capture(command, args, options) {
  /** @type {Buffer[]} */
  const chunks = []
  const end = await attempt(command, args, {
    ...options,
    stdio: ['ignore', 'pipe', 'pipe'],
    onOutput: (chunk) => chunks.push(chunk),
  })
  return { code: end.code, output: Buffer.concat(chunks).toString() }
}

/**
 * Runs a program that has to succeed: if it does not, this process ends the way it did.
 *
 * @param {string} command
 * @param {string[]} args
 * @param {import('node:child_process').SpawnOptions} [options]
 */
export async function run(command, args, options) {
  const end = await attempt(command, args, options)
  if (end.code !== 0 || end.signal) await endLike(end)
}

/**
 * Ends this process with a child's exit code, or by the signal that ended the child.
 *
 * @param {{ code: number | null, signal: NodeJS.Signals | null }} end
 */
export async function endLike({ code, signal }) {
  if (signal) {
    process.kill(process.pid, signal)
    // The signal is delivered by the event loop, and nothing else may happen before it is.
    await new Promise((resolve) => setTimeout(resolve, 1000))
  }
  process.exit(code ?? 1)
}

/**
 * Runs npm: the one that runs this script, if there is one.
 *
 * @param {string[]} args
 */
export function npm(...args) {
  const { command, first, shell } = npmProgram()
  return run(command, [...first, ...args], { shell })
}

/** How npm is run: that which runs this script, if there is one. */
export function npmProgram() {
  const npmCli = process.env.npm_execpath
  return npmCli?.endsWith('npm-cli.js')
    ? { command: process.execPath, first: [npmCli], shell: false }
    : { command: 'npm', first: [], shell: process.platform === 'win32' }
}
