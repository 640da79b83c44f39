// What the command line says on standard error.
import { writeSync } from 'node:fs'
import { harmless } from './width.js'

/** Lines of text. Names, paths and labels in them may be those of other programs. */
export function messageOf(...lines: string[]): string {
  return `process-rwlock: ${lines.map(harmless).join('\n')}\n`
}

/**
 * Writes to standard error, and not by `process.stderr`: for a pipe it changes the mode of the pipe,
 * which the command of `exec` shares. What cannot be written is lost; the exit code stands.
 */
export function say(text: string): void {
  try {
    writeSync(2, text)
  } catch {}
}
