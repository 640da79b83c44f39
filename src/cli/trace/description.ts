import type { Command, ValuesOf } from '../command.js'
import { REF_OPTIONS } from '../ref-options.js'

const options = {
  path: { ...REF_OPTIONS.path, multiple: true },
  file: { ...REF_OPTIONS.file, multiple: true },
  out: {
    type: 'string',
    short: 'o',
    value: 'FILE',
    description: 'where the trace goes, instead of rwlock-trace.json',
  },
  seconds: {
    type: 'string',
    value: 'N',
    description: 'end after N seconds, instead of at Ctrl-C; decimals are allowed',
  },
  interval: {
    type: 'string',
    value: 'MS',
    description: 'look at the locks every MS milliseconds, instead of 10; 1 or more',
  },
} as const

export type Values = ValuesOf<typeof options>

const command: Command<typeof options> = {
  name: 'trace',
  summary: 'record who holds a lock and who waits, for Perfetto or Chrome',
  usage: 'trace [OPTION]... (NAME | --path FILE | --file DATA)...',
  description:
    'Looks at the locks many times a second, until Ctrl-C, and writes a trace: a row for each process and thread, a span for each hold and each wait. Open the file at https://ui.perfetto.dev or in Chrome at chrome://tracing. The processes are not disturbed, and need no preparation. The locks are neither created nor opened; they need not exist yet.\n\nHolds and waits that begin and end between two looks are counted, not drawn. PROCESS_RWLOCK_TRACE=FILE in the environment of the programs records each of them.',
  options,
  positionals: [
    {
      name: 'NAME',
      optional: true,
      multiple: true,
      description: 'the name of the lock, as in new RWLock(NAME)',
    },
  ],
  examples: [
    { command: 'process-rwlock trace my-app/cache', text: 'Until Ctrl-C' },
    {
      command: 'process-rwlock trace --seconds 10 --out slow.json my-app/cache my-app/report',
      text: 'Two locks, for ten seconds',
    },
  ],
  run(invocation) {
    return (require('./run.js') as typeof import('./run.js')).run(invocation)
  },
}

export default command
