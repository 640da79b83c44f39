import type { Command } from '../command.js'
import { type Kind, kindOfArguments, kindOfOption, quoted, wordsOf } from './words.js'

export function bash(commands: readonly Command[]): string {
  const names = commands.map(({ name }) => name)
  return `# bash completion of process-rwlock. Made by: process-rwlock completion bash
_process_rwlock() {
  local word=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD - 1]} i
  COMPREPLY=()
  if ((COMP_CWORD == 1)); then
    COMPREPLY=($(compgen -W ${quoted([...names, 'help', '--help', '--version'].join(' '))} -- "$word"))
    return
  fi
  case \${COMP_WORDS[1]} in
    help) COMPREPLY=($(compgen -W ${quoted(names.join(' '))} -- "$word")) ;;
${commands.map(caseOf).join('\n')}
  esac
}

# A word with a space or a colon would be several words to bash.
_process_rwlock_names() {
  process-rwlock completion names 2>/dev/null | grep -v '[[:space:]:]'
}

complete -F _process_rwlock process-rwlock
`
}

function caseOf(command: Command): string {
  const options = wordsOf(command)
  const values = options
    .filter(({ option }) => option.type === 'string')
    .map(({ words, option }) => `        ${words.join('|')}) ${reply(kindOfOption(option))}; return ;;`)
  const ofRest = `      for ((i = 2; i < COMP_CWORD; i++)); do
        if [[ \${COMP_WORDS[i]} == -- ]]; then
          COMPREPLY=($(if ((i + 1 == COMP_CWORD)); then compgen -c -- "$word"; else compgen -f -- "$word"; fi))
          compopt -o filenames
          return
        fi
      done\n`
  const before = values.length === 0 ? '' : `      case $before in\n${values.join('\n')}\n      esac\n`
  const list = options.flatMap(({ words }) => words).join(' ')
  return `    ${command.name})
${command.rest === undefined ? '' : ofRest}${before}      if [[ $word == -* ]]; then COMPREPLY=($(compgen -W ${quoted(list)} -- "$word"))
      else ${reply(kindOfArguments(command))}; fi ;;`
}

function reply(kind: Kind): string {
  if (kind === 'file') return 'COMPREPLY=($(compgen -f -- "$word")); compopt -o filenames'
  if (kind === 'lock') return 'COMPREPLY=($(compgen -W "$(_process_rwlock_names)" -- "$word"))'
  if (kind === 'other') return ':'
  return `COMPREPLY=($(compgen -W ${quoted(kind.join(' '))} -- "$word"))`
}
