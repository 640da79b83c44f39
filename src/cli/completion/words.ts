// What is completed, from the descriptions of the commands.
import { optionsOf } from '../arguments.js'
import type { Command, OptionDescription, PositionalDescription } from '../command.js'

/** What can stand for a value or an argument. */
export type Kind = 'file' | 'lock' | 'other' | readonly string[]

export function kindOfOption({ value, choices }: OptionDescription): Kind {
  return choices ?? (value === 'FILE' || value === 'DATA' ? 'file' : 'other')
}

export function kindOfArgument({ name, choices }: PositionalDescription): Kind {
  return choices ?? (name === 'NAME' ? 'lock' : 'other')
}

/** The kind of the arguments of a command; each command has only one. */
export function kindOfArguments({ positionals: [first] }: Command): Kind {
  return first === undefined ? 'other' : kindOfArgument(first)
}

/** The options with the words that a shell completes, the short one first. */
export function wordsOf(command: Command): { words: string[]; name: string; option: OptionDescription }[] {
  return Object.entries(optionsOf(command)).map(([name, option]) => ({
    name,
    option,
    words: [...(option.short === undefined ? [] : [`-${option.short}`]), `--${name}`],
  }))
}

/** In single quotes, for bash and zsh. */
export function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`
}
