// What the command line says on standard error.
import { harmless } from './width.js'

/** Lines of text. Names, paths and labels in them may be those of other programs. */
export function messageOf(...lines: string[]): string {
  return `process-rwlock: ${lines.map(harmless).join('\n')}\n`
}
