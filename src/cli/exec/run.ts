import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import { RWLock } from '../../rwlock.js'
import type { AcquireOptions, Guard } from '../../types.js'
import type { Invocation } from '../command.js'
import { NOT_EXECUTABLE, NOT_FOUND } from '../exit-codes.js'
import { refOf } from '../ref.js'
import { UsageError } from '../usage-error.js'
import type { Values } from './options.js'
import { wishOf } from './wish.js'

/** Passed on to the command. A terminal sends SIGINT and SIGQUIT to it directly. */
const PASSED_ON: NodeJS.Signals[] = ['SIGTERM', 'SIGHUP', 'SIGUSR2']
const OF_TERMINAL: NodeJS.Signals[] = ['SIGINT', 'SIGQUIT']

export async function run({ values, positionals, rest, env, stderr }: Invocation): Promise<number> {
  const wish = wishOf(values as Values)
  const { ref } = refOf(values as Values, positionals)
  const [file, ...args] = rest ?? []
  if (file === undefined) throw new UsageError('which command? Give it after --')
  using lock = new RWLock(ref)
  let guard: Guard
  try {
    guard = await acquire(lock, wish)
  } catch (error) {
    const { code, message } = error as { code?: string; message: string }
    if (code !== 'ERR_LOCK_TIMEOUT') throw error
    if (!wish.quiet) stderr.write(`process-rwlock: ${message}\n`)
    return wish.conflictExitCode
  }
  using _ = guard
  return await runCommand(file, args, environmentOf(guard, env))
}

function acquire(lock: RWLock, { mode, options }: { mode: string; options: AcquireOptions }): Promise<Guard> {
  if (mode === 'read') return lock.acquireRead(options)
  return mode === 'write' ? lock.acquireWrite(options) : lock.acquireUpgradable(options)
}

function environmentOf({ token, ownerDied }: Guard, env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const { PROCESS_RWLOCK_OWNER_DIED: _, ...others } = env
  return {
    ...others,
    PROCESS_RWLOCK_TOKEN: `${token}`,
    ...(ownerDied && { PROCESS_RWLOCK_OWNER_DIED: `${ownerDied.pid}` }),
  }
}

async function runCommand(file: string, args: string[], env: NodeJS.ProcessEnv): Promise<number> {
  const child = spawn(file, args, { stdio: 'inherit', env })
  const passOn = (signal: NodeJS.Signals) => {
    if (!OF_TERMINAL.includes(signal) || !process.stdin.isTTY) child.kill(signal)
  }
  for (const signal of [...PASSED_ON, ...OF_TERMINAL]) process.on(signal, passOn)
  return new Promise((resolve) => {
    child.once('error', (error: NodeJS.ErrnoException) => {
      const code = error.code === 'ENOENT' ? NOT_FOUND : NOT_EXECUTABLE
      const what = code === NOT_FOUND ? 'not found' : `cannot be run (${error.code})`
      process.stderr.write(`process-rwlock: ${file}: ${what}\n`)
      resolve(code)
    })
    child.once('exit', (code, signal) => resolve(code ?? 128 + constants.signals[signal as NodeJS.Signals]))
  })
}
