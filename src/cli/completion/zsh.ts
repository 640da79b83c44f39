import type { Command } from '../command.js'
import { type Kind, kindOfArgument, kindOfOption, quoted, wordsOf } from './words.js'

export function zsh(commands: readonly Command[]): string {
  const described = commands.map(({ name, summary }) => `    ${quoted(`${name}:${summary}`)}`)
  return `#compdef process-rwlock
# zsh completion of process-rwlock. Made by: process-rwlock completion zsh
_process_rwlock() {
  local -a subcommands=(
${described.join('\n')}
    'help:print the help of a command'
  )
  if (( CURRENT == 2 )); then
    _describe command subcommands
    return
  fi
  local name=$words[2]
  shift words
  (( CURRENT-- ))
  case $name in
    help) _arguments "1:command:(\${subcommands%%:*})" ;;
${commands.map(caseOf).join('\n')}
  esac
}

_process_rwlock_names() {
  local -a names=(\${(f)"$(process-rwlock completion names 2>/dev/null)"})
  compadd -a names
}

if [[ $zsh_eval_context[-1] == loadautofunc ]]; then _process_rwlock "$@"; else compdef _process_rwlock process-rwlock; fi
`
}

function caseOf(command: Command): string {
  const { name, positionals, rest } = command
  const specs = wordsOf(command).map(({ words, option }) => {
    const excluded = option.multiple ? '*' : `(${words.join(' ')})`
    const value =
      option.type === 'boolean' ? '' : `:${option.value ?? 'value'}:${action(kindOfOption(option))}`
    const text = `[${option.description.replaceAll(/[[\]]/g, '\\$&').replaceAll(':', '\\:')}]${value}`
    return words.length === 1
      ? quoted(`${option.multiple ? '*' : ''}${words[0]}${text}`)
      : `${quoted(excluded)}{${words.join(',')}}${quoted(text)}`
  })
  for (const positional of positionals) {
    const { multiple, optional } = positional
    const place = multiple ? '*:' : optional ? '1::' : '1:'
    specs.push(quoted(`${place}${positional.name}:${action(kindOfArgument(positional))}`))
  }
  const ofRest = `      local -i end=$words[(ie)--]
      if (( end < CURRENT )); then
        shift $end words
        (( CURRENT -= end ))
        _normal
        return
      fi\n`
  return `    ${name})
${rest === undefined ? '' : ofRest}      _arguments ${specs.join(' \\\n        ')} ;;`
}

function action(kind: Kind): string {
  if (kind === 'file') return '_files'
  if (kind === 'lock') return '_process_rwlock_names'
  return kind === 'other' ? ' ' : `(${kind.join(' ')})`
}
