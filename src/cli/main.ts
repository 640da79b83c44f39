#!/usr/bin/env node
// `process-rwlock`, the command line. Everything but these few lines is loaded when it is needed:
// a short command must not take longer than Node.js itself.
import type { Arguments } from './arguments.js'
import type { Command } from './command.js'
import { COMMAND_NAMES, commandOf } from './commands.js'
import { UsageError } from './usage-error.js'

const HELP = ['help', '--help', '-h']

const STDERR = {
  write: (text: string) => (require('./text/message.js') as typeof import('./text/message.js')).say(text),
}

async function main([first, ...args]: string[]): Promise<number> {
  if (first === undefined) {
    STDERR.write(help().helpOfAll())
    return 64
  }
  if (first === '--version' || first === '-V') {
    process.stdout.write(`${(require('../../package.json') as { version: string }).version}\n`)
    return 0
  }
  if (HELP.includes(first)) return printHelp(args[0])
  const command = find(first)
  if (typeof command === 'number') return command
  try {
    const { readArguments } = require('./arguments.js') as typeof import('./arguments.js')
    const { help: isHelp, ...given } = readArguments(command, args)
    return isHelp ? printHelp(first) : await command.run(invocationOf(given))
  } catch (error) {
    return failed(error, command.name)
  }
}

function invocationOf({ values, positionals, rest }: Omit<Arguments, 'help'>) {
  return {
    values: values as Record<string, never>,
    positionals,
    rest,
    env: process.env,
    // Opening a stream takes time, and a command may not need it.
    get stdin() {
      return process.stdin
    },
    get stdout() {
      return process.stdout
    },
    stderr: STDERR,
  }
}

function find(name: string): Command | number {
  const command = commandOf(name)
  if (command !== undefined) return command
  const { nearest } = require('./nearest.js') as typeof import('./nearest.js')
  const found = nearest(name, [...COMMAND_NAMES, 'help', '--help', '--version'])
  const what = name.startsWith('-') ? 'option' : 'command'
  return wrongUsage(`unknown ${what} ${name}${found === undefined ? '' : `. Did you mean ${found}?`}`)
}

function printHelp(name: string | undefined): number {
  const command = name === undefined || HELP.includes(name) ? undefined : find(name)
  if (typeof command === 'number') return command
  process.stdout.write(command === undefined ? help().helpOfAll() : help().helpOf(command))
  return 0
}

function help() {
  return require('./help.js') as typeof import('./help.js')
}

/** Users see no stack, except that of a fault of this program. */
function failed(error: unknown, command: string): number {
  if (error instanceof UsageError) return wrongUsage(error.message, command)
  const { code, syscall, message, stack } = error as NodeJS.ErrnoException
  // As other programs in a pipe: `process-rwlock ls | head -1` ends silently.
  if (code === 'EPIPE' && syscall === 'write') return 0
  const { exitCodeOf, SOFTWARE } = require('./exit-codes.js') as typeof import('./exit-codes.js')
  const known = exitCodeOf(error)
  if (known === undefined) say(...(stack ?? String(error)).split('\n'))
  else say(message)
  return known ?? SOFTWARE
}

function wrongUsage(message: string, command?: string): number {
  say(message, `Try: process-rwlock ${command === undefined ? '--help' : `${command} --help`}`)
  return 64
}

function say(...lines: string[]): void {
  const { messageOf } = require('./text/message.js') as typeof import('./text/message.js')
  STDERR.write(messageOf(...lines))
}

// A stream reports an error so.
process.on('uncaughtException', (error) => process.exit(failed(error, '')))

main(process.argv.slice(2)).then((code) => {
  process.exitCode = code
})
