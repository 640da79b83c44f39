import { type Command, JSON_OPTION, type ValuesOf } from '../command.js'
import { SOURCE_OPTIONS } from '../source.js'

const options = {
  path: {
    type: 'string',
    value: 'FILE',
    multiple: true,
    description: 'check also the lock that is this file, or whether it can be one; may be repeated',
  },
  ...SOURCE_OPTIONS,
  ...JSON_OPTION,
} as const

export type Values = ValuesOf<typeof options>

const command: Command<typeof options> = {
  name: 'doctor',
  summary: 'find what is wrong, and say what to do',
  usage: 'doctor [--path FILE]... [--postgres URL [--schema NAME]] [--json]',
  description:
    'Checks the addon, the shared memory and the limits of this system, and the named locks of this user: damaged ones, those that dead processes left, writers that died, holders that are stopped or hang, and deadlocks. Says for each problem what to do. Changes nothing.',
  options,
  positionals: [],
  examples: [
    { command: 'process-rwlock doctor', text: 'When something waits and should not' },
    {
      command: 'process-rwlock doctor --path /mnt/data/app.lock',
      text: 'Whether this file can be a lock: a network file system cannot hold one',
    },
  ],
  exitCodes: { 1: 'something is wrong' },
  run(invocation) {
    return (require('./run.js') as typeof import('./run.js')).run(invocation)
  },
}

export default command
