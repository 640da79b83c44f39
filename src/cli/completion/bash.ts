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

# Completes a word by the lines of its input.
_process_rwlock_lines() {
  local line
  while IFS= read -r line; do COMPREPLY+=("$line"); done
}

_process_rwlock_files() {
  # The shell quotes them (bash 4 and newer), and completes words that are quoted.
  compopt -o filenames -o default 2>/dev/null
  _process_rwlock_lines < <(compgen -f -- "$word")
}

# Not by compgen -W, which runs commands that are part of a word. A colon would be a word to bash.
_process_rwlock_names() {
  local name quoted
  while IFS= read -r name; do
    printf -v quoted %q "$name"
    [[ $name == *:* || $quoted != "$word"* ]] || COMPREPLY+=("$quoted")
  done < <(process-rwlock completion names 2>/dev/null)
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
          _process_rwlock_files
          if ((i + 1 == COMP_CWORD)); then _process_rwlock_lines < <(compgen -c -- "$word"); fi
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
  if (kind === 'file') return '_process_rwlock_files'
  if (kind === 'lock') return '_process_rwlock_names'
  if (kind === 'other') return ':'
  return `COMPREPLY=($(compgen -W ${quoted(kind.join(' '))} -- "$word"))`
}
