import { type Command, JSON_OPTION, type ValuesOf } from '../command.js'
import { SOURCE_OPTIONS } from '../source.js'

const options = { ...SOURCE_OPTIONS, ...JSON_OPTION } as const

export type Values = ValuesOf<typeof options>

const command: Command<typeof options> = {
  name: 'ls',
  summary: 'list the named locks of this user',
  usage: 'ls [--postgres URL [--schema NAME]] [--json]',
  description:
    'Prints a row for each named lock: its mode, who holds it (PID and label) and for how long, how many requests wait and the longest wait, and what is wrong. Locks by path are not listed: see "process-rwlock show --path FILE".\n\n' +
    'Notes: "stopped" (by a signal or a debugger), "frozen" (its container is paused), "stuck" (in the kernel) and "busy" (its event loop runs without a pause; Linux only) are said of holders; "owner died": a writer died during its hold; "dead": no process has the lock open, so "process-rwlock prune" removes it (with --owner-died if a writer died); "damaged", "unreadable": see "process-rwlock doctor".',
  options,
  positionals: [],
  examples: [
    { command: 'process-rwlock ls', text: 'Who holds what' },
    {
      command: "process-rwlock ls --json | jq -r '.[] | select(.contended) | .name'",
      text: 'The names of the locks that somebody waits for',
    },
    { command: 'process-rwlock ls --postgres postgres://db.example/app', text: 'The locks in a database' },
  ],
  run(invocation) {
    return (require('./run.js') as typeof import('./run.js')).run(invocation)
  },
}

export default command
