// Runs the command, and ends this process like it.
import { binding } from '../../shared-memory/binding.js'

/** How the command has ended: one of these. */
export interface End {
  code?: number
  /** Its number. */
  signal?: number
  /** It was not started. */
  error?: { isMissing: boolean; text: string }
}

export type Variables = Readonly<Record<string, string | undefined>>

/** Runs a command with the standard streams of this process. `variables` changes the environment. */
export function runCommand(args: string[], variables: Variables): End | Promise<End> {
  if (process.platform === 'win32') {
    return (require('./windows.js') as typeof import('./windows.js')).runCommand(args, variables)
  }
  const changes = Object.entries(variables).map(([name, value]) =>
    value === undefined ? name : `${name}=${value}`,
  )
  const { code, signal, errno } = binding.runCommand(args, changes)
  if (errno !== undefined) return { error: explained(errno, args[0] as string) }
  return signal === undefined ? { code: code as number } : { signal }
}

/** Ends this process like the command. */
export function finish({ code = 0, signal }: End): number {
  if (process.platform === 'win32') return code
  if (signal !== undefined) binding.exitBySignal(signal)
  else binding.exitWithCode(code)
  return code
}

function explained(errno: number, command: string): { isMissing: boolean; text: string } {
  const { getSystemErrorMap } = process.getBuiltinModule('node:util')
  const [name, text] = getSystemErrorMap().get(-errno) ?? ['', `error ${errno}`]
  if (name !== 'ENOENT') return { isMissing: false, text: `cannot be executed: ${text}` }
  // The system says the same of both.
  const exists = command.includes('/') && process.getBuiltinModule('node:fs').existsSync(command)
  return {
    isMissing: true,
    text: exists
      ? 'its interpreter was not found: the program in the first line of a script, or the loader of a binary'
      : 'command not found',
  }
}
