import { RWLock } from '../../rwlock.js'
import type { Invocation } from '../command.js'
import { allCommands } from '../commands.js'
import { harmless } from '../text/width.js'
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
  return RWLock.list()
    .flatMap(({ name }) => name ?? [])
    .filter(isPrintable)
    .toSorted()
    .map((name) => `${name}\n`)
    .join('')
}

/** A name can have a line break, which no line can have, and what a terminal would obey. */
const isPrintable = (name: string) => harmless(name) === name
