import type { Command, ValuesOf } from '../command.js'

const options = {
  schema: { type: 'string', value: 'NAME', description: "the schema of the locks; 'rwlock' by default" },
} as const

export type Values = ValuesOf<typeof options>

const command: Command<typeof options> = {
  name: 'postgres',
  summary: 'print SQL for locks over PostgreSQL',
  usage: 'postgres (schema | grants ROLE) [--schema NAME]',
  description:
    'Prints the SQL that locks.migrate() of process-rwlock/postgres runs, for a database whose schema another role makes; or the SQL that gives a role what it needs to use the locks. Running either again changes nothing.',
  options,
  positionals: [
    { name: 'WHAT', choices: ['schema', 'grants'], description: 'what to print' },
    { name: 'ROLE', optional: true, description: 'the role that gets the privileges' },
  ],
  examples: [
    {
      command: 'process-rwlock postgres schema | psql -v ON_ERROR_STOP=1',
      text: 'Create or update the schema',
    },
    { command: 'process-rwlock postgres grants app | psql', text: 'Let the role app use the locks' },
  ],
  run(invocation) {
    return (require('./run.js') as typeof import('./run.js')).run(invocation)
  },
}

export default command
