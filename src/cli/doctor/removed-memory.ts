import { realpathSync } from 'node:fs'
import { join } from 'node:path'
import { type Check, type Finding, resultOf, unknown } from './check.js'
import type { Machine } from './machine.js'

/** A process that closes a lock removes its memory a moment before it unmaps it, in ms. */
const MOMENT = 100

/**
 * Processes that use a named lock whose memory was removed under them: whoever opens that name now
 * has another lock. Source: proc_pid_maps(5).
 */
export const removedMemory: Check = {
  name: 'removed-memory',
  title: 'removed memory',
  async run(machine) {
    if (machine.platform !== 'linux') return unknown('only Linux shows it')
    const before = removedBy(machine)
    if (before.size === 0) return resultOf([], 'none')
    await new Promise((resolve) => setTimeout(resolve, MOMENT))
    const findings = [...removedBy(machine)].flatMap(([pid, files]): Finding[] => {
      const removed = files.filter((file) => before.get(pid)?.includes(file))
      if (removed.length === 0) return []
      const what =
        removed.length === 1
          ? 'a named lock whose memory was'
          : `${removed.length} named locks whose memory was`
      return [
        {
          text: `pid ${pid} uses ${what} removed meanwhile (${removed[0]}): processes that open the same name later have another lock, and do not exclude it`,
          remedy: `restart pid ${pid} and the other processes that had it open. Never delete the files of locks: use process-rwlock prune, or RWLock.remove()`,
        },
      ]
    })
    return resultOf(findings, 'none')
  },
}

/** The deleted memory of this user's locks that each process has mapped. */
function removedBy(machine: Machine): Map<string, string[]> {
  const { PROCESS_RWLOCK_DIR: directory } = machine.env
  const folder = directory ? join(real(directory), `process-rwlock-${machine.user}`, 'memory') : '/dev/shm'
  const found = new Map<string, string[]>()
  for (const pid of machine.folder('proc')?.filter((name) => /^\d+$/.test(name)) ?? []) {
    const maps = machine.read(`proc/${pid}/maps`) ?? ''
    const files = [...maps.matchAll(/ (\/.*) \(deleted\)$/gm)].flatMap(([, file = '']) => file)
    const removed = files.filter((file) => isMemory(file, folder, machine.user))
    if (removed.length > 0) found.set(pid, removed)
  }
  return found
}

/** The kernel names no links. */
function real(directory: string): string {
  try {
    return realpathSync(directory)
  } catch {
    return directory // it was removed, too
  }
}

function isMemory(file: string, folder: string, user: number): boolean {
  const name = file.startsWith(`${folder}/`) ? file.slice(folder.length + 1) : ''
  return name.startsWith(`process-rwlock-${user}-`) && !name.includes('/')
}
