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
      const trial = join(dirname(path), `.process-rwlock-doctor-${randomUUID()}`)
      try {
        tryPath(machine, path, trial)
        return []
      } catch (error) {
        if (!(error instanceof LockError)) throw error
        const text = error.message.replaceAll(trial, path)
        return [{ text, remedy: `as the message says; more: ${error.help}` }]
      }
    })
    const { length } = machine.paths
    return resultOf(
      findings,
      length === 0 ? 'none given (--path FILE)' : `${length === 1 ? 'it' : 'each'} can be a lock`,
    )
  },
}

/** `trial`: a path in the same folder, which shows whether a file that does not exist yet can be a lock. */
function tryPath(machine: Machine, path: string, trial: string): void {
  if (machine.load().examine({ path }) !== null) return
  const { RWLock } = require('../../rwlock.js') as typeof import('../../rwlock.js')
  try {
    new RWLock({ path: trial }, { capacity: 1 }).close()
  } finally {
    RWLock.remove({ path: trial })
  }
}
