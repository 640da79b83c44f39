import { type Command, JSON_OPTION, type ValuesOf } from '../command.js'
import { REF_OPTIONS } from '../ref-options.js'
import { SOURCE_OPTIONS } from '../source.js'

const options = { ...REF_OPTIONS, ...SOURCE_OPTIONS, ...JSON_OPTION } as const

export type Values = ValuesOf<typeof options>

const command: Command<typeof options> = {
  name: 'show',
  summary: 'show everything about one lock',
  usage: 'show [--postgres URL [--schema NAME]] [--json] (NAME | --path FILE | --file DATA)',
  description:
    'Prints who holds the lock and who waits for it, in the order of the queue, with their command lines; its value; its token; whether a writer died; which processes have it open; its limits and its files. The lock is neither created nor opened.',
  options,
  positionals: [
    { name: 'NAME', optional: true, description: 'the name of the lock, as in new RWLock(NAME)' },
  ],
  examples: [
    { command: 'process-rwlock show my-app/cache', text: 'Who keeps my-app/cache' },
    { command: 'process-rwlock show --file data.json', text: 'The lock of updateJSON("data.json")' },
    {
      command: "process-rwlock show --json my-dev-server | jq -r '.value | @base64d'",
      text: 'The value of a lock, for example the address of a server',
    },
  ],
  exitCodes: { 1: 'there is no such lock' },
  run(invocation) {
    return (require('./run.js') as typeof import('./run.js')).run(invocation)
  },
}

export default command
