import { basename } from 'node:path'
import type { Invocation } from '../command.js'
import { NOT_EXECUTABLE, NOT_FOUND } from '../exit-codes.js'
import { refOf } from '../ref.js'
import { UsageError } from '../usage-error.js'
import type { CommandHold } from './hold.js'
import type { Values } from './options.js'
import { finish, runCommand } from './run-command.js'
import { tryHold } from './try-hold.js'
import { wishOf } from './wish.js'

export async function run({ values, positionals, rest, env, stderr }: Invocation): Promise<number> {
  const { mode, timeout, label, quiet, conflictExitCode } = wishOf(values as Values)
  const { ref, text } = refOf(values as Values, positionals)
  const [command, ...args] = rest ?? []
  if (command === undefined) throw new UsageError('which command? Give it after --')

  const wanted = { ref, mode, label: label ?? basename(command) }
  let hold: CommandHold
  try {
    // Only RWLock records what it does.
    const { PROCESS_RWLOCK_TRACE } = env
    const tried = PROCESS_RWLOCK_TRACE ? null : tryHold(wanted)
    hold = tried ?? (await waiting().waitForHold(wanted, text, { timeout, quiet }))
  } catch (error) {
    const { code, message } = error as { code?: string; message: string }
    if (code !== 'ERR_LOCK_TIMEOUT') throw error
    if (!quiet) stderr.write(messageOf(message))
    return conflictExitCode
  }

  const end = await runCommand([command, ...args], variablesOf(hold))
  if (end.error !== undefined) {
    hold.end(true)
    stderr.write(messageOf(`${command}: ${end.error.text}`))
    return end.error.isMissing ? NOT_FOUND : NOT_EXECUTABLE
  }
  // A command that a signal ended may have left its work half done. This process ends by the same
  // signal, within its hold, so that the next holder learns of it.
  if (end.signal === undefined) hold.end(end.code !== 0)
  return finish(end)
}

/** Loaded only if the lock is not free, or recorded. */
function waiting() {
  return require('./wait-for-hold.js') as typeof import('./wait-for-hold.js')
}

/** Loaded only if there is something to say. */
function messageOf(line: string): string {
  return (require('../text/message.js') as typeof import('../text/message.js')).messageOf(line)
}

/** Changes to the environment: `undefined` removes a variable, which may be that of an outer `exec`. */
function variablesOf({ token, ownerDied }: CommandHold): Record<string, string | undefined> {
  return {
    PROCESS_RWLOCK_TOKEN: `${token}`,
    PROCESS_RWLOCK_OWNER_DIED: ownerDied === undefined ? undefined : `${ownerDied}`,
  }
}
