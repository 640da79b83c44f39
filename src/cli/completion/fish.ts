import type { Command } from '../command.js'
import { type Kind, kindOfArguments, kindOfOption, wordsOf } from './words.js'

const AFTER_REST = '__process_rwlock_rest >/dev/null'

export function fish(commands: readonly Command[]): string {
  const described = commands.map(({ name, summary }) => [name, summary] as const)
  const lines = [...described, ['help', 'print the help of a command'] as const].map(
    ([name, summary]) =>
      `complete -c process-rwlock -n __fish_use_subcommand -a ${name} -d ${quoted(summary)}`,
  )
  return `# fish completion of process-rwlock. Made by: process-rwlock completion fish
function __process_rwlock_names
  process-rwlock completion names 2>/dev/null
end

# What follows "--", which another command completes.
function __process_rwlock_rest
  set -l tokens (commandline -opc) (commandline -ct)
  set -l end (contains -i -- -- $tokens[1..-2]); or return 1
  set -e tokens[1..$end]
  string escape -- $tokens[1..-2] | string join ' '
  printf '%s' $tokens[-1]
end

function __process_rwlock_complete_rest
  set -l parts (__process_rwlock_rest)
  complete -C (string join ' ' -- $parts)
end

complete -c process-rwlock -f
${lines.join('\n')}
complete -c process-rwlock -n '__fish_seen_subcommand_from help' -a ${quoted(commands.map(({ name }) => name).join(' '))}
${commands.flatMap(linesOf).join('\n')}
`
}

function linesOf(command: Command): string[] {
  const { name, rest } = command
  const own = `__fish_seen_subcommand_from ${name}`
  const before = quoted(rest === undefined ? own : `${own}; and not ${AFTER_REST}`)
  const prefix = `complete -c process-rwlock -n ${before}`
  const lines = wordsOf(command).map(({ name: long, option }) => {
    const short = option.short === undefined ? '' : ` -s ${option.short}`
    const value = option.type === 'boolean' ? '' : ` ${argument(kindOfOption(option), true)}`
    return `${prefix}${short} -l ${long}${value} -d ${quoted(option.description)}`
  })
  const kind = kindOfArguments(command)
  if (kind !== 'other') lines.push(`${prefix} ${argument(kind, false)}`)
  if (rest !== undefined) {
    lines.push(
      `complete -c process-rwlock -n ${quoted(`${own}; and ${AFTER_REST}`)} -a '(__process_rwlock_complete_rest)'`,
    )
  }
  return lines
}

function argument(kind: Kind, isRequired: boolean): string {
  const required = isRequired ? '-x ' : ''
  if (kind === 'file') return isRequired ? '-r -F' : '-F'
  if (kind === 'lock') return `${required}-a '(__process_rwlock_names)'`
  return kind === 'other' ? '-x' : `${required}-a ${quoted(kind.join(' '))}`
}

/** fish has its own rules within single quotes. */
function quoted(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
}
