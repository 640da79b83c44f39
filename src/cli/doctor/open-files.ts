import { type Check, type Finding, resultOf, unknown } from './check.js'
import { processesOf, processText } from './names.js'

/** The part of its limit from which on a process is said to run short. */
const NEAR = 0.9

/** Whether a process that has locks open can open more: each takes a file descriptor. */
export const openFiles: Check = {
  name: 'open-files',
  title: 'open files',
  async run(machine) {
    if (machine.platform !== 'linux') return unknown('only Linux shows the limits of other processes')
    const all = (await machine.reports()).flatMap(({ attached }) => attached)
    const processes = processesOf(all)
    const findings = [...processes].flatMap(([pid, party]): Finding[] => {
      const limit = Number(/^Max open files +(\d+)/m.exec(machine.read(`proc/${pid}/limits`) ?? '')?.[1])
      const open = machine.folder(`proc/${pid}/fd`)?.length
      if (open === undefined || !(open >= NEAR * limit)) return []
      return [
        {
          text: `${processText(party)} has ${open} of at most ${limit} files open; each open lock takes one, and the next may fail with ERR_LOCK_ACCESS (EMFILE)`,
          remedy: `close locks that are not needed, or raise the limit: ulimit -n in a shell, LimitNOFILE= in a systemd unit, or now: prlimit --pid ${pid} --nofile=65536`,
        },
      ]
    })
    const count = processes.size
    return resultOf(
      findings,
      count === 1
        ? '1 process with locks, below its limit'
        : `${count} processes with locks, all below their limits`,
    )
  },
}
