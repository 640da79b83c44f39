// Runs the command on Windows. Node.js puts it into a job that ends with this process, and a
// console sends Ctrl-C to both.
import { spawn } from 'node:child_process'
import type { End, Variables } from './run-command.js'

export function runCommand([command = '', ...args]: string[], variables: Variables): Promise<End> {
  for (const signal of ['SIGINT', 'SIGBREAK'] as const) process.on(signal, () => {})
  const child = spawn(command, args, { stdio: 'inherit', env: { ...process.env, ...variables } })
  return new Promise((resolve) => {
    child.once('error', ({ code, message }: NodeJS.ErrnoException) => {
      const isMissing = code === 'ENOENT'
      // Node.js refuses these without a shell.
      const text = isMissing
        ? 'command not found; a script (.cmd, .bat) or a command of the shell needs: cmd /c'
        : message
      resolve({ error: { isMissing, text } })
    })
    child.once('exit', (code) => resolve({ code: code ?? 1 }))
  })
}
