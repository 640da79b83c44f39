import { type Check, type Finding, resultOf } from './check.js'
import { counted, lockText } from './names.js'

/** Locks that dead processes left, and no process has open. Those that report a death: `owner-died.ts`. */
export const deadLocks: Check = {
  name: 'dead-locks',
  title: 'dead locks',
  run(machine) {
    const { locks, unfinished } = machine.survey()
    const dead = locks.filter(
      ({ open, snapshot, error }) => !open && !snapshot?.ownerDied && error?.code !== 'ERR_LOCK_INCOMPATIBLE',
    )
    const remedy =
      'process-rwlock prune removes them. They do no harm: a process removes some of them when it opens its first lock'
    const findings: Finding[] = []
    if (dead.length > 0) {
      const names = dead.slice(0, 3).map(lockText).join(', ')
      const others = dead.length > 3 ? ` and ${dead.length - 3} more` : ''
      const bytes = dead.reduce((sum, { bytes }) => sum + (bytes ?? 0), 0)
      findings.push({
        text: `dead processes left ${counted(dead.length, 'lock')} that no process has open (${bytes} bytes): ${names}${others}`,
        remedy,
      })
    }
    if (unfinished.length > 0) {
      findings.push({
        text: `processes died while they created ${counted(unfinished.length, 'lock')}: ${unfinished.slice(0, 3).join(', ')}`,
        remedy,
      })
    }
    return resultOf(findings, 'none')
  },
}
