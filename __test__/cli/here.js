// A command in this process: a process for each call would take most of the time of the tests.
import { readArguments } from '../../dist/cli/arguments.js'
import { commandOf } from '../../dist/cli/commands.js'

/**
 * Runs a command to its end, with streams that are no terminal unless `columns` are given.
 *
 * @param {string[]} args
 * @param {{ env?: NodeJS.ProcessEnv, columns?: number }} [options]
 */
export async function runHere([name, ...args], { env = {}, columns } = {}) {
  const command = /** @type {import('../../src/cli/command.js').Command} */ (commandOf(name))
  const { values, positionals, rest } = readArguments(command, args)
  const output = { stdout: '', stderr: '' }
  const stream = (to) => ({
    isTTY: columns !== undefined,
    columns,
    hasColors: (_count, { NO_COLOR }) => columns !== undefined && NO_COLOR === undefined,
    write: (text) => {
      output[to] += text
      return true
    },
  })
  const code = await command.run(
    /** @type {any} */ ({
      values,
      positionals,
      rest,
      env,
      stdout: stream('stdout'),
      stderr: stream('stderr'),
    }),
  )
  return { code, ...output }
}
