import type { Survey } from '../../shared-memory/survey.js'
import type { FoundLock } from '../source.js'
import { type Check, type Finding, resultOf } from './check.js'
import { counted, lockText } from './names.js'

/** How long a process takes, at most, to complete or remove a lock, in ms. */
const MOMENT = 100

/** Locks that dead processes left, and no process has open. Those that report a death: `owner-died.ts`. */
export const deadLocks: Check = {
  name: 'dead-locks',
  title: 'dead locks',
  async run(machine) {
    let found = leftIn(machine.survey())
    if (found.dead.length + found.unfinished.length > 0) {
      // A lock that is created or closed at this moment looks the same.
      await new Promise((resolve) => setTimeout(resolve, MOMENT))
      const now = leftIn(machine.load().survey())
      const before = new Set([...found.dead.map(({ file }) => file), ...found.unfinished])
      found = {
        dead: now.dead.filter(({ file }) => before.has(file)),
        unfinished: now.unfinished.filter((file) => before.has(file)),
      }
    }
    const { dead, unfinished } = found
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

function leftIn({ locks, unfinished }: Survey): { dead: FoundLock[]; unfinished: string[] } {
  const dead = locks.filter(
    ({ open, snapshot, error }) => !open && !snapshot?.ownerDied && error?.code !== 'ERR_LOCK_INCOMPATIBLE',
  )
  return { dead, unfinished }
}
