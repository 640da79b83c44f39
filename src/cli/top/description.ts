import type { Command } from '../command.js'
import { options } from './options.js'

const command: Command<typeof options> = {
  name: 'top',
  summary: 'watch the locks: who holds them, who waits, and how often',
  usage: 'top [OPTION]... [NAME]...',
  description:
    'Shows all named locks of this user, or the locks that are given, those with the longest wait first. Press ? for the keys. If standard output is no terminal, it prints a frame at each interval.\n\n' +
    'WRITE/S counts the write holds that began, by the fencing tokens of the lock. WAIT/S counts the requests of any mode that were not granted at once, by their tickets. Reads that are granted at once leave no count: only HOLDS shows them. WAIT is the longest wait at this moment, and WORST the longest that was seen; a wait that begins and ends between two looks is not seen.\n\n' +
    'It opens no lock, and changes none. NO_COLOR switches colours off.',
  options,
  positionals: [
    {
      name: 'NAME',
      optional: true,
      multiple: true,
      description: 'the name of a lock, as in new RWLock(NAME)',
    },
  ],
  examples: [
    { command: 'process-rwlock top', text: 'Watch all locks' },
    { command: 'process-rwlock top my-app/cache', text: 'Look into one lock' },
    {
      command: 'process-rwlock top --json --frames 60 | jq -c .locks[0]',
      text: 'The lock with the longest wait, each second for a minute',
    },
  ],
  run(invocation) {
    return (require('./run.js') as typeof import('./run.js')).run(invocation)
  },
}

export default command
