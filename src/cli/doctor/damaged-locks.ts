import { type Check, resultOf } from './check.js'

/** Locks in use that cannot be read: damaged, of another version, or without permission. */
export const damagedLocks: Check = {
  name: 'damaged-locks',
  title: 'damaged locks',
  run(machine) {
    const found = machine.survey().locks
    const findings = found.flatMap(({ open, error, ...lock }) => {
      if (error === null || (!open && error.code !== 'ERR_LOCK_INCOMPATIBLE')) return []
      const remedy =
        error.code === 'ERR_LOCK_CORRUPT'
          ? `stop the processes that have it open; then the next process that opens it creates it again, and process-rwlock prune removes ${lock.file}`
          : error.code === 'ERR_LOCK_INCOMPATIBLE'
            ? `use one version of process-rwlock in every process; ${open ? 'it is open now' : 'no process has it open: process-rwlock of its version removes it'}`
            : `as the message says; more: ${error.help}`
      return [
        {
          text: lock.name === undefined ? `${lock.file}: ${error.message}` : error.message,
          remedy,
        },
      ]
    })
    return resultOf(findings, `none of ${found.length}`)
  },
}
