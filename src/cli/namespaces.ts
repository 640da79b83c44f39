// PIDs of other PID namespaces: those of containers, seen from the host.
import { readdirSync, readFileSync, statSync } from 'node:fs'

export interface ForeignPid {
  readonly pid: number
  /** The number of its PID namespace. */
  readonly namespace: number
}

/**
 * The PIDs that processes of other PID namespaces have in this one, by {@link keyOf}. Those that
 * cannot be seen from here are missing: of a namespace that is not within this one, or of another
 * user. Source: proc_pid_status(5), namespaces(7).
 */
export function localPids(foreign: Iterable<ForeignPid>): Map<string, number> {
  const wanted = new Set([...foreign].map(keyOf))
  const found = new Map<string, number>()
  if (wanted.size === 0 || process.platform !== 'linux') return found
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    try {
      const namespace = statSync(`/proc/${name}/ns/pid`).ino
      const pids = /^NSpid:\t(.*)$/m.exec(readFileSync(`/proc/${name}/status`, 'utf8'))?.[1]?.split('\t')
      const key = keyOf({ pid: Number(pids?.at(-1)), namespace })
      if (wanted.has(key)) found.set(key, Number(name))
    } catch {} // it has ended, or may not be seen
  }
  return found
}

export const keyOf = ({ pid, namespace }: ForeignPid) => `${namespace}:${pid}`
