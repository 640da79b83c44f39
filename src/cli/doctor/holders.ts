// Holders that do not release their locks because their process does not run as it should.
import type { LockReport, ReportedHolder } from '../report.js'
import { duration } from '../text/duration.js'
import { type Check, type Finding, resultOf, unknown } from './check.js'
import { lockText, processText, waitText } from './names.js'

/** Holders that are stopped by a signal or a debugger, or frozen: a live process never loses its lock. */
export const stoppedHolders: Check = {
  name: 'stopped-holders',
  title: 'stopped holders',
  async run(machine) {
    if (machine.platform === 'win32') return unknown('Windows does not say whether a process is suspended')
    const reports = await machine.reports()
    return resultOf(
      [STOPPED, FROZEN].flatMap((fault) => findingsOf(reports, fault)),
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
    const limits = machine.platform === 'linux' ? '' : '; busy event loops are found on Linux only'
    return resultOf(
      [BUSY, STUCK].flatMap((fault) => findingsOf(reports, fault)),
      `none that can be seen${limits}`,
    )
  },
}

/** What can be wrong with the process of a holder. */
interface Fault {
  matches(holder: ReportedHolder): boolean
  /** Follows the name of the process. */
  readonly text: string
  remedy(holder: ReportedHolder): string
}

const STOPPED: Fault = {
  matches: ({ state }) => state === 'stopped',
  text: 'is stopped by a signal or a debugger',
  remedy: ({ pid }) =>
    `kill -CONT ${pid}, or its debugger, lets it continue; kill -KILL ${pid} ends it, and the lock is free at once`,
}

const FROZEN: Fault = {
  matches: ({ state }) => state === 'frozen',
  text: 'is frozen with its cgroup: its container is paused',
  remedy: ({ pid }) =>
    `let it continue: docker unpause, systemctl thaw, or echo 0 to cgroup.freeze of its cgroup (see /proc/${pid}/cgroup)`,
}

const BUSY: Fault = {
  matches: ({ busy }) => busy === true,
  text: 'has a busy event loop: its thread did not pause while it was watched, and may never release its locks',
  remedy: ({ pid, command }) => {
    const find = /\bnode\b/.test(command ?? '')
      ? `kill -USR1 ${pid} opens its debugger (chrome://inspect), which shows what it does`
      : 'find what it does with a profiler'
    return `${find}; kill -KILL ${pid} ends it, and the lock is free at once`
  },
}

const STUCK: Fault = {
  matches: ({ state }) => state === 'stuck',
  text: 'hangs in a system call that no signal ends',
  remedy: ({ pid }) =>
    `let the disk or network file system that it waits for answer again (cat /proc/${pid}/stack shows the call); only then can it end, and free the lock`,
}

function findingsOf(reports: readonly LockReport[], { matches, text, remedy }: Fault): Finding[] {
  return reports.flatMap((report) =>
    report.holders.filter(matches).map((holder) => ({
      text: `${processText(holder)} ${text}; it has held ${lockText(report)} for ${holder.mode} for ${duration(holder.ms)}${waitText(report)}`,
      remedy: remedy({ ...holder, pid: holder.localPid ?? holder.pid }),
    })),
  )
}
