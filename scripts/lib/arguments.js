// The arguments of every command: `node:util` parses them, and `--help` prints what the command
// says of itself.
import { parseArgs } from 'node:util'

/**
 * Parses the arguments of a command. An option that the command does not have ends the process with
 * code 2.
 *
 * @template {NonNullable<import('node:util').ParseArgsConfig['options']>} Options
 * @param {string} help what `--help` prints
 * @param {Options} options as `parseArgs` takes them
 * @param {{ positionals?: boolean, args?: string[] }} [more] `positionals`: whether the command takes any
 */
export function readArguments(help, options, { positionals = false, args = process.argv.slice(2) } = {}) {
  const parsed = tryParse(help, () =>
    parseArgs({
      args,
      allowPositionals: positionals,
      options: { ...options, help: { type: /** @type {const} */ ('boolean'), short: 'h' } },
    }),
  )
  if (/** @type {{ help?: boolean }} */ (parsed.values).help) {
    console.log(help.trim())
    process.exit(0)
  }
  return { values: parsed.values, positionals: /** @type {string[]} */ (parsed.positionals) }
}

/**
 * @template T
 * @param {string} help
 * @param {() => T} parse
 * @returns {T}
 */
function tryParse(help, parse) {
  try {
    return parse()
  } catch (error) {
    return usageError(/** @type {Error} */ (error).message, help)
  }
}

/**
 * Ends the process: the command cannot do what its arguments ask for.
 *
 * @param {string} message
 * @param {string} help
 * @returns {never}
 */
export function usageError(message, help) {
  console.error(`${message}\n\n${help.trim()}`)
  process.exit(2)
}
