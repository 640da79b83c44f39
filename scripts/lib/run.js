// Runs other programs in place of this one: with the same terminal, the same signals and the same
// exit.
import { spawn } from 'node:child_process'

export const root = new URL('../../', import.meta.url)

/** The signals that ask a program to end. @type {NodeJS.Signals[]} */
export const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP']

// ms; output may arrive until then after its program has ended. A grandchild that is still running
// could keep the pipe open forever.
const OUTPUT_GRACE = 1000

/**
 * Runs a program to its end, and passes signals on to it.
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
    // After Ctrl-C, a terminal sends SIGINT to the child, too.
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
 * Runs a program to its end, without showing its output.
 *
 * @param {string} command
 * @param {string[]} args
 * @param {import('node:child_process').SpawnOptions} [options]
 * @returns {Promise<{ code: number | null, output: string }>} with standard output and standard error
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
 * Runs a program. If it fails, this process ends with the same code or signal.
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
 * Ends this process with the exit code of a child, or by the signal that ended the child.
 *
 * @param {{ code: number | null, signal: NodeJS.Signals | null }} end
 */
export async function endLike({ code, signal }) {
  if (signal) {
    process.kill(process.pid, signal)
    // The event loop delivers the signal. Nothing else may happen before.
    await new Promise((resolve) => setTimeout(resolve, 1000))
  }
  process.exit(code ?? 1)
}

/**
 * Runs npm: the same npm that runs this script, if any.
 *
 * @param {string[]} args
 */
export function npm(...args) {
  const { command, first, shell } = npmProgram()
  return run(command, [...first, ...args], { shell })
}

/** The command of npm: the same npm that runs this script, if any. */
export function npmProgram() {
  const npmCli = process.env.npm_execpath
  return npmCli?.endsWith('npm-cli.js')
    ? { command: process.execPath, first: [npmCli], shell: false }
    : { command: 'npm', first: [], shell: process.platform === 'win32' }
}
