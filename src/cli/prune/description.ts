import { type Command, JSON_OPTION, type ValuesOf } from '../command.js'

const options = {
  'owner-died': {
    type: 'boolean',
    description: 'remove also the locks that report ownerDied, and with them the report',
  },
  ...JSON_OPTION,
} as const

export type Values = ValuesOf<typeof options>

const command: Command<typeof options> = {
  name: 'prune',
  summary: 'remove the locks that dead processes left',
  usage: 'prune [--owner-died] [--json]',
  description:
    'Removes the named locks of this user that no process has open. A lock whose writer died during its hold stays, so that the next process that opens it learns of it as guard.ownerDied. Locks in use are never touched. A process also does this, for at most 10 ms, when it opens its first lock.',
  options,
  positionals: [],
  examples: [
    { command: 'process-rwlock prune', text: 'After a crash' },
    {
      command: 'process-rwlock prune --owner-died',
      text: 'When the data of those locks was repaired, or is not needed',
    },
  ],
  run(invocation) {
    return (require('./run.js') as typeof import('./run.js')).run(invocation)
  },
}

export default command
