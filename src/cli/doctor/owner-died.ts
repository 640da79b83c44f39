import { deathText } from '../report.js'
import { type Check, resultOf } from './check.js'
import { lockText, processText } from './names.js'

/** Locks whose last writer died, so that what they protect may be half-written. */
export const ownerDied: Check = {
  name: 'owner-died',
  title: 'dead writers',
  async run(machine) {
    const reports = await machine.reports()
    const findings = reports.flatMap(({ ownerDied, status, ...lock }) => {
      if (ownerDied === null) return []
      const discard =
        status === 'dead' && lock.path === null
          ? '. If the data is not needed: process-rwlock prune --owner-died removes the lock and the report'
          : ''
      return [
        {
          text: `${lockText(lock)}: ${deathText(ownerDied, processText)}`,
          remedy: `check the data in a write hold, and repair it: the report ends when a write hold ends normally (guard.ownerDied)${discard}`,
        },
      ]
    })
    return resultOf(findings, 'none')
  },
}
