// The command line as a child process.
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { cleanUp } from '../helpers/cleanup.js'
import { timeoutFactor } from '../helpers/timeout-factor.js'

/** What npm links as `process-rwlock`. */
export const program = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))

const BOUND = 15_000 * timeoutFactor

/**
 * Starts the command line. It is killed after the test.
 *
 * @param {import('ava').ExecutionContext<any>} t
 * @param {string[]} args
 * @param {{ env?: Record<string, string | undefined>, cwd?: string, by?: string[] }} [options] `env` adds to this
 * process' environment; `by`: a command that starts it, with its arguments
 */
export function startCli(t, args, { env, by = [], ...options } = {}) {
  const [file, ...rest] = /** @type {[string, ...string[]]} */ ([...by, process.execPath, program, ...args])
  const child = spawn(file, rest, { ...options, env: { ...process.env, ...env } })
  const output = { stdout: '', stderr: '' }
  for (const name of /** @type {const} */ (['stdout', 'stderr'])) {
    child[name].setEncoding('utf8').on('data', (text) => {
      output[name] += text
    })
  }
  // The command may have ended before it has read its input.
  child.stdin.on('error', () => {})
  const exited = new Promise((resolve) => child.once('exit', resolve))
  /** How it ended, with its whole output. @type {Promise<{ code: number | null, signal: NodeJS.Signals | null, stdout: string, stderr: string }>} */
  const closed = new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error(`process-rwlock ${args.join(' ')} did not end within ${BOUND} ms`)),
      BOUND,
    )
    timer.unref()
    child.once('close', (code, signal) => {
      clearTimeout(timer)
      resolve({ code, signal, ...output })
    })
  })
  closed.catch(() => {}) // some tests do not wait for it
  cleanUp(t, 'processes', async () => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL')
      await exited
    }
    child.stdout.destroy()
    child.stderr.destroy()
  })
  return { child, pid: /** @type {number} */ (child.pid), output, closed }
}

/**
 * Runs the command line to its end.
 *
 * @param {import('ava').ExecutionContext<any>} t
 * @param {string[]} args
 * @param {{ env?: Record<string, string | undefined>, cwd?: string, by?: string[], input?: string }} [options]
 */
export function runCli(t, args, { input = '', ...options } = {}) {
  const { child, closed } = startCli(t, args, options)
  child.stdin.end(input)
  return closed
}
