import type { Command } from '../command.js'
import { options } from './options.js'

const command: Command<typeof options> = {
  name: 'exec',
  summary: 'run a command while a lock is held',
  usage: 'exec [OPTION]... (NAME | --path FILE | --file DATA) -- COMMAND [ARG]...',
  description:
    'Waits for the lock, runs COMMAND while it holds the lock, and exits like it: with its exit code, or by the same signal. Standard input, output, error and the terminal are those of COMMAND.',
  options,
  positionals: [
    { name: 'NAME', optional: true, description: 'the name of the lock, as in new RWLock(NAME)' },
  ],
  rest: { name: 'COMMAND', multiple: true, description: 'the command and its arguments' },
  examples: [
    { command: 'process-rwlock exec my-app/cache -- ./rebuild.sh', text: 'Rebuild, alone' },
    {
      command: 'process-rwlock exec --no-wait --quiet my-app/report -- node report.js',
      text: 'From cron: skip this run while the last one still runs',
    },
    {
      command: 'process-rwlock exec --timeout 5 --file data.json -- vi data.json',
      text: 'Edit a file that updateJSON() changes',
    },
  ],
  exitCodes: {
    1: 'the lock was not granted (changed by -E)',
    126: 'COMMAND is not executable',
    127: 'COMMAND was not found',
    else: 'the exit code of COMMAND',
  },
  run(invocation) {
    return (require('./run.js') as typeof import('./run.js')).run(invocation)
  },
}

export default command
