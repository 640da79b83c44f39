import { type Check, type Finding, resultOf, unknown } from './check.js'

/**
 * Processes that use a named lock whose memory was removed under them: whoever opens that name now
 * has another lock. Source: proc_pid_maps(5).
 */
export const removedMemory: Check = {
  name: 'removed-memory',
  title: 'removed memory',
  run(machine) {
    if (machine.platform !== 'linux') return unknown('only Linux shows it')
    const pids = machine.folder('proc')?.filter((name) => /^\d+$/.test(name)) ?? []
    const findings = pids.flatMap((pid): Finding[] => {
      const maps = machine.read(`proc/${pid}/maps`) ?? ''
      const removed = new Set(
        [...maps.matchAll(/ (\/\S*\/process-rwlock-\d+-[0-9a-f]{16}) \(deleted\)$/gm)].map(
          ([, file]) => file,
        ),
      )
      if (removed.size === 0) return []
      const what =
        removed.size === 1 ? 'a named lock whose memory was' : `${removed.size} named locks whose memory was`
      return [
        {
          text: `pid ${pid} uses ${what} removed meanwhile (${[...removed][0]}): processes that open the same name later have another lock, and do not exclude it`,
          remedy: `restart pid ${pid} and the other processes that had it open. Never delete the files of locks: use process-rwlock prune, or RWLock.remove()`,
        },
      ]
    })
    return resultOf(findings, 'none')
  },
}
