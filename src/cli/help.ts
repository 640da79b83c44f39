// The text of --help.
import { optionsOf } from './arguments.js'
import type { Command, OptionDescription } from './command.js'
import { allCommands } from './commands.js'

const WIDTH = 80

/** The help of the program. */
export function helpOfAll(): string {
  const commands = allCommands().map(({ name, summary }) => [name, summary] as const)
  return `${[
    'Usage: process-rwlock COMMAND [OPTION]...',
    wrap('A reader-writer lock that every process of this machine can share.', 0),
    `Commands:\n${columns(commands)}`,
    `Options:\n${columns([
      ['-h, --help', 'print this help'],
      ['-V, --version', 'print the version'],
    ])}`,
    `Examples:\n  process-rwlock exec my-app/cache -- ./rebuild.sh\n  process-rwlock help exec`,
  ].join('\n\n')}\n`
}

/** The help of a command. */
export function helpOf(command: Command): string {
  const { usage, description, positionals, rest, examples, exitCodes } = command
  const parts = [
    `Usage: process-rwlock ${usage}`,
    ...description.split('\n\n').map((paragraph) => wrap(paragraph, 0)),
  ]
  const args = [...positionals, ...(rest ? [rest] : [])].map((each) => [each.name, each.description] as const)
  if (args.length > 0) parts.push(`Arguments:\n${columns(args)}`)
  const options = Object.entries(optionsOf(command)).map(
    ([name, option]) => [syntaxOf(name, option), option.description] as const,
  )
  parts.push(`Options:\n${columns(options)}`)
  parts.push(
    `Examples:\n${examples.map(({ command, text }) => `${wrap(`# ${text}`, 2)}\n  ${command}`).join('\n\n')}`,
  )
  if (exitCodes) parts.push(`Exit codes:\n${columns(Object.entries(exitCodes))}`)
  return `${parts.join('\n\n')}\n`
}

/** As in `-E, --conflict-exit-code N`. */
function syntaxOf(name: string, { short, value, type }: OptionDescription): string {
  const names = short === undefined ? `    --${name}` : `-${short}, --${name}`
  return type === 'boolean' ? names : `${names} ${value ?? 'VALUE'}`
}

function columns(rows: readonly (readonly [string, string])[]): string {
  const left = Math.min(28, Math.max(...rows.map(([name]) => name.length)))
  return rows
    .map(([name, text]) => {
      const lines = wrap(text, left + 4).trimStart()
      return name.length > left
        ? `  ${name}\n${' '.repeat(left + 4)}${lines}`
        : `  ${name.padEnd(left)}  ${lines}`
    })
    .join('\n')
}

function wrap(text: string, indent: number): string {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(/\s+/)) {
    if (line !== '' && indent + line.length + 1 + word.length > WIDTH) {
      lines.push(line)
      line = word
    } else {
      line = line === '' ? word : `${line} ${word}`
    }
  }
  return [...lines, line].map((each) => ' '.repeat(indent) + each).join('\n')
}
