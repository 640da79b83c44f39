import { randomUUID } from 'node:crypto'
import { dirname, join } from 'node:path'
import { LockError } from '../../errors.js'
import { type Check, type Finding, resultOf } from './check.js'
import type { Machine } from './machine.js'

/** Whether the given paths can be locks: permissions, network and FUSE file systems. */
export const paths: Check = {
  name: 'paths',
  title: 'paths',
  run(machine) {
    const findings = machine.paths.flatMap((path): Finding[] => {
      try {
        tryPath(machine, path)
        return []
      } catch (error) {
        if (!(error instanceof LockError)) throw error
        return [{ text: error.message, remedy: `as the message says; more: ${error.help}` }]
      }
    })
    const { length } = machine.paths
    return resultOf(
      findings,
      length === 0 ? 'none given (--path FILE)' : `${length === 1 ? 'it' : 'each'} can be a lock`,
    )
  },
}

function tryPath(machine: Machine, path: string): void {
  if (machine.load().examine({ path }) !== null) return
  // There is no file yet: another one in its folder shows whether it can be a lock.
  const { RWLock } = require('../../rwlock.js') as typeof import('../../rwlock.js')
  const trial = { path: join(dirname(path), `.process-rwlock-doctor-${randomUUID()}`) }
  try {
    new RWLock(trial, { capacity: 1 }).close()
  } finally {
    RWLock.remove(trial)
  }
}
