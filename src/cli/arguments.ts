import { parseArgs } from 'node:util'
import type { Command, OptionDescription } from './command.js'
import { UsageError } from './usage-error.js'

export interface Arguments {
  help: boolean
  values: Record<string, string | boolean | string[]>
  positionals: string[]
  /** What follows `--`, if the command takes it. */
  rest: string[] | undefined
}

const HELP: OptionDescription = { type: 'boolean', short: 'h', description: 'print this help' }

/** The options of a command, and those that every command has. */
export function optionsOf(command: Command): Record<string, OptionDescription> {
  return { ...command.options, help: HELP }
}

/** @throws {@link UsageError} */
export function readArguments(command: Command, args: string[]): Arguments {
  const options = optionsOf(command)
  const parsed: Arguments = { help: false, values: {}, positionals: [], rest: undefined }
  // Not strict: its errors do not say which option was probably meant.
  const { tokens } = parseArgs({ args, options, strict: false, allowPositionals: true, tokens: true })
  for (const token of tokens) {
    if (token.kind === 'option-terminator') {
      if (command.rest === undefined) continue
      parsed.rest = args.slice(token.index + 1)
      break
    }
    if (token.kind === 'positional') {
      parsed.positionals.push(token.value)
      // Before the options that follow it, which are probably those of its command.
      if (command.rest !== undefined) checkMost(command, parsed.positionals)
      continue
    }
    const { name, rawName, value, inlineValue } = token
    const option = Object.hasOwn(options, name) ? options[name] : undefined
    if (option === undefined) throw new UsageError(unknownOption(rawName, name, options))
    if (option === HELP) return { ...parsed, help: true }
    parsed.values[name] = readValue(option, rawName, value, inlineValue, parsed.values[name])
  }
  checkPositionals(command, parsed.positionals)
  return parsed
}

function readValue(
  option: OptionDescription,
  rawName: string,
  value: string | undefined,
  isInline: boolean | undefined,
  before: string | boolean | string[] | undefined,
): string | boolean | string[] {
  if (option.type === 'boolean') {
    if (value !== undefined) throw new UsageError(`${rawName} takes no value, but got "${value}"`)
    return true
  }
  const shown = option.value ?? 'VALUE'
  if (value === undefined) throw new UsageError(`${rawName} needs a value: ${rawName} ${shown}`)
  if (!isInline && value.length > 1 && value.startsWith('-')) {
    const inline = rawName.startsWith('--') ? `${rawName}=${value}` : `${rawName}${value}`
    throw new UsageError(`${rawName} needs a value before "${value}"; if that is the value: ${inline}`)
  }
  if (option.choices !== undefined && !option.choices.includes(value)) {
    throw new UsageError(`${rawName} must be one of ${option.choices.join(', ')}, not "${value}"`)
  }
  if (!option.multiple) return value
  return [...((before as string[] | undefined) ?? []), value]
}

function unknownOption(rawName: string, name: string, options: Record<string, OptionDescription>): string {
  const { nearest } = require('./nearest.js') as typeof import('./nearest.js')
  const found = rawName.startsWith('--') ? nearest(name, Object.keys(options)) : undefined
  return `unknown option ${rawName}${found === undefined ? '' : `. Did you mean --${found}?`}`
}

function checkPositionals(command: Command, given: string[]): void {
  let at = 0
  for (const { name, optional, multiple, choices } of command.positionals) {
    const own = multiple ? given.slice(at) : given.slice(at, at + 1)
    if (own.length === 0 && !optional) throw new UsageError(`${name} is missing`)
    for (const value of own) {
      if (choices !== undefined && !choices.includes(value)) {
        throw new UsageError(`${name} must be one of ${choices.join(', ')}, not "${value}"`)
      }
    }
    at += own.length
  }
  checkMost(command, given)
}

function checkMost({ positionals, rest }: Command, given: string[]): void {
  if (positionals.some(({ multiple }) => multiple)) return
  const extra = given[positionals.length]
  if (extra === undefined) return
  throw new UsageError(
    `unexpected argument "${extra}"${rest === undefined ? '' : `: put -- before the ${rest.name.toLowerCase()}`}`,
  )
}
