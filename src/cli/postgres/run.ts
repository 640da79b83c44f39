import { grantsOf, migrationOf } from '../../postgres/schema.js'
import type { Invocation } from '../command.js'
import { UsageError } from '../usage-error.js'
import type { Values } from './description.js'

export function run({ values, positionals, stdout }: Invocation & { values: Values }): number {
  const [what, role] = positionals
  const schema = values.schema ?? 'rwlock'
  if (what === 'grants') {
    if (role === undefined) throw new UsageError('grants needs a ROLE')
    stdout.write(grantsOf(schema, role))
    return 0
  }
  if (what !== 'schema') throw new UsageError(`unknown argument "${what}": schema or grants`)
  if (role !== undefined) throw new UsageError(`unexpected argument "${role}"`)
  stdout.write(migrationOf(schema))
  return 0
}
