import { basename } from 'node:path'

/** A process, as a trace shows it. `title` is its name, unless that says no more than `command`. */
export function nameOf(title: string, command: readonly string[]): string {
  const [program = '', script, ...rest] = command
  if (basename(title) !== basename(program)) return title
  return [basename(program), ...(script === undefined ? [] : [basename(script)]), ...rest].join(' ')
}
