import { RWLock } from '../../rwlock.js'
import type { Invocation } from '../command.js'
import { thisMachine } from '../machine-source.js'
import type { Values } from './description.js'

export async function run({ values, stdout }: Invocation & { values: Values }): Promise<number> {
  const removed = RWLock.prune({ ownerDied: values['owner-died'] })
  const left = await thisMachine.list()
  const reporting = left.filter(({ open, snapshot }) => !open && snapshot?.ownerDied).length
  if (values.json) {
    stdout.write(`${JSON.stringify({ removed, ownerDied: reporting })}\n`)
    return 0
  }
  const locks = (count: number) => `${count} ${count === 1 ? 'lock' : 'locks'}`
  stdout.write(`removed ${locks(removed)}\n`)
  if (reporting > 0) {
    stdout.write(
      `${locks(reporting)} that dead processes left ${reporting === 1 ? 'reports' : 'report'} a writer's death, and stay${reporting === 1 ? 's' : ''}: ` +
        '--owner-died removes also these\n',
    )
  }
  return 0
}
