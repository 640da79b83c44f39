// Holders that do not release their locks because their process does not run as it should.
import type { LockReport, ReportedHolder } from '../report.js'
import { duration } from '../text/duration.js'
import { type Check, type Finding, resultOf, unknown } from './check.js'
import { lockText, processText, waitText } from './names.js'

/** Holders that are stopped by a signal or a debugger: a live process never loses its lock. */
export const stoppedHolders: Check = {
  name: 'stopped-holders',
  title: 'stopped holders',
  async run(machine) {
    if (machine.platform === 'win32') return unknown('Windows does not say whether a process is suspended')
    const isStopped = ({ state }: ReportedHolder) => state === 'stopped'
    return resultOf(
      findingsOf(await machine.reports(), isStopped, (text, { pid }) => ({
        text: `${text}, which is stopped by a signal or a debugger`,
        remedy: `kill -CONT ${pid} lets it continue; kill -KILL ${pid} ends it, and the lock is free at once`,
      })),
      'none',
    )
  },
}

/** Holders whose event loop is busy all the time, or that hang in the kernel. */
export const hungHolders: Check = {
  name: 'hung-holders',
  title: 'hung holders',
  async run(machine) {
    if (machine.platform === 'win32') return unknown('Windows does not say it')
    const reports = await machine.reports()
    const busy = findingsOf(
      reports,
      ({ busy }) => busy === true,
      (text, { pid, command }) => ({
        text: `${text}, whose event loop is busy: its main thread did not pause while it was watched, so it may never release the lock`,
        remedy: /\bnode\b/.test(command ?? '')
          ? `find what it does: kill -USR1 ${pid} opens its debugger (chrome://inspect); or end it with kill -KILL ${pid}, and the lock is free at once`
          : `find what it does with a profiler; or end it with kill -KILL ${pid}, and the lock is free at once`,
      }),
    )
    const stuck = findingsOf(
      reports,
      ({ state }) => state === 'stuck',
      (text, { pid }) => ({
        text: `${text}, which hangs in a system call that no signal ends`,
        remedy: `let the disk or network file system that it waits for answer again (cat /proc/${pid}/stack shows the call); it ends, and frees the lock, only then`,
      }),
    )
    const limits = machine.platform === 'linux' ? '' : '; busy event loops are found on Linux only'
    return resultOf([...busy, ...stuck], `none that can be seen${limits}`)
  },
}

function findingsOf(
  reports: readonly LockReport[],
  matches: (holder: ReportedHolder) => boolean,
  find: (text: string, holder: ReportedHolder) => Finding,
): Finding[] {
  return reports.flatMap((report) =>
    report.holders.filter(matches).map((holder) => {
      const held = `${lockText(report)} is held for ${holder.mode} by ${processText(holder)} for ${duration(holder.ms)}`
      return find(`${held}${waitText(report)}`.replace(/; (\d+ requests? waits?)$/, ' while $1'), holder)
    }),
  )
}
