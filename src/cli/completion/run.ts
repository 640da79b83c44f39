import { RWLock } from '../../rwlock.js'
import type { Invocation } from '../command.js'
import { allCommands } from '../commands.js'
import { bash } from './bash.js'
import { fish } from './fish.js'
import { zsh } from './zsh.js'

const SCRIPTS = { bash, zsh, fish }

export function run({ positionals, stdout }: Invocation): number {
  const shell = positionals[0] as keyof typeof SCRIPTS | 'names'
  stdout.write(shell === 'names' ? names() : SCRIPTS[shell](allCommands()))
  return 0
}

function names(): string {
  // A name can have a line break, which no line can have.
  const found = RWLock.list().flatMap(({ name }) => (name === undefined || /[\r\n]/.test(name) ? [] : [name]))
  return found
    .toSorted()
    .map((name) => `${name}\n`)
    .join('')
}
