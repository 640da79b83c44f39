// What the commands say of a lock. This is also the JSON that they print, which docs/cli.md
// documents: fields may be added, and none changes or goes.
import { hostname } from 'node:os'
import type { ModeName } from '../modes.js'
import type { OwnerDied } from '../types.js'
import { keyOf, localPids } from './namespaces.js'
import { busyThreads, type ProcessInfo, type ProcessState, processInfo, stillStuck } from './process-info.js'
import type { FoundLock, FoundThread } from './source.js'
import { harmless } from './text/width.js'

/**
 * - `held`, `free`: live processes have it open.
 * - `dead`: no process has it open; dead ones left it.
 * - `damaged`: another program wrote into its memory or its file.
 * - `unreadable`: of another version of this package, or without permission.
 */
export type LockStatus = 'held' | 'free' | 'dead' | 'damaged' | 'unreadable'

export interface ReportedProcess {
  pid: number
  threadId: number
  label: string
  /** Whether the PID is that of another PID namespace, such as that of a container. */
  foreign: boolean
  /** The name of its machine; `null` for a lock of one machine. */
  host: string | null
  /** Its PID as this process sees it; `null` if it is not seen from here: then the rest is unknown. */
  localPid: number | null
  command: string | null
  state: ProcessState | null
  /** When the process began, as an ISO 8601 date. */
  started: string | null
}

export interface ReportedHolder extends ReportedProcess {
  mode: ModeName
  count: number
  /** How long it has held or waited. */
  ms: number
  /**
   * Whether its thread was busy all the time that it was watched; of a worker thread, whether one of
   * the process' threads was, except the main one. `null`: not watched. Only holders for which a
   * request waits are, after a second.
   */
  busy: boolean | null
}

export interface ReportedWaiter extends Omit<ReportedHolder, 'busy'> {
  /** Further requests of the same thread, which have no row. */
  more: number
  /** Whether it did not come in its turn: its process is stopped, or its event loop is busy. */
  skipped: boolean
}

export interface ReportedDeath {
  pid: number
  threadId: number
  label: string
  token: string
  host: string | null
  /** The server was replaced by a standby that may lack the last changes: perhaps nobody died. */
  failover: boolean
}

export interface LockReport {
  name: string | null
  path: string | null
  status: LockStatus
  /** The strongest mode in which it is held. */
  mode: ModeName | null
  holders: ReportedHolder[]
  /** In the order of the queue. */
  waiters: ReportedWaiter[]
  contended: boolean
  token: string | null
  ownerDied: ReportedDeath | null
  capacity: number | null
  maxReaders: number | null
  /** In base64. */
  value: string | null
  valueToken: string | null
  /** The threads that have it open. */
  attached: ReportedProcess[]
  /** The lock file. */
  file: string | null
  memory: string | null
  bytes: number | null
  error: { code: string; message: string } | null
}

/** How long holders that seem busy or stuck are watched, in ms. */
const WATCHED = 200
/** Holds that are younger are not suspicious. */
const SUSPICIOUS = 1000

export async function reportsOf(locks: readonly FoundLock[]): Promise<LockReport[]> {
  const parties = locks.flatMap(partiesOf)
  const foreign = localPids(
    parties.flatMap(({ pid, foreignNamespace: namespace }) =>
      namespace === null ? [] : [{ pid, namespace }],
    ),
  )
  const own = hostname()
  const localOf: LocalOf = ({ pid, foreignNamespace: namespace, host }) => {
    if (host !== undefined && host !== own) return null
    return namespace === null ? pid : (foreign.get(keyOf({ pid, namespace })) ?? null)
  }
  const processes = await watched(processInfo(parties.flatMap((party) => localOf(party) ?? [])))
  const reports = locks.map((lock) => reportOf(lock, localOf, processes))
  await markBusy(reports)
  return reports
}

/** The PID of a process as this process sees it. */
type LocalOf = (thread: FoundThread) => number | null

function partiesOf({ snapshot, attached }: FoundLock): FoundThread[] {
  return [...(snapshot?.holders ?? []), ...(snapshot?.waiters ?? []), ...attached]
}

function reportOf(
  lock: FoundLock,
  localOf: LocalOf,
  processes: ReadonlyMap<number, ProcessInfo>,
): LockReport {
  const { name = null, path = null, snapshot, attached, file, memory, bytes, error } = lock
  const known = (party: FoundThread): ReportedProcess => {
    const { pid, threadId, label, foreignNamespace, host = null } = party
    const localPid = localOf(party)
    const {
      command = null,
      state = null,
      started = null,
    } = localPid === null ? {} : (processes.get(localPid) ?? {})
    return {
      pid,
      threadId,
      label,
      foreign: foreignNamespace !== null,
      host,
      localPid,
      command,
      state,
      started: started?.toISOString() ?? null,
    }
  }
  const holders = snapshot?.holders.map((holder) => {
    const { mode, count, ms } = holder
    return { ...known(holder), mode, count, ms, busy: null }
  })
  const waiters = snapshot?.waiters.map((waiter) => {
    const { mode, count, ms, more, skipped } = waiter
    return { ...known(waiter), mode, count, ms, more, skipped }
  })
  const { ownerDied = null, value = null, valueToken = null } = snapshot ?? {}
  return {
    name,
    path,
    status: statusOf(lock),
    mode:
      (['write', 'upgradable', 'read'] as const).find((mode) => holders?.some((it) => it.mode === mode)) ??
      null,
    holders: holders ?? [],
    waiters: waiters ?? [],
    contended: snapshot?.contended ?? false,
    token: snapshot ? String(snapshot.token) : null,
    ownerDied: ownerDied && deathOf(ownerDied),
    // A database has no limit.
    capacity: snapshot && Number.isFinite(snapshot.capacity) ? snapshot.capacity : null,
    maxReaders: snapshot?.maxReaders ?? null,
    value: value && Buffer.from(value).toString('base64'),
    valueToken: valueToken === null ? null : String(valueToken),
    attached: attached.map(known),
    file,
    memory,
    bytes,
    error: error && { code: error.code, message: error.message },
  }
}

export function deathOf({ pid, threadId, label, token, host, failover }: OwnerDied): ReportedDeath {
  return { pid, threadId, label, token: String(token), host: host ?? null, failover: failover ?? false }
}

function statusOf({ snapshot, open, error }: FoundLock): LockStatus {
  // What nobody has open is removed as a whole, whatever is wrong with it.
  if (!open && error?.code !== 'ERR_LOCK_INCOMPATIBLE') return 'dead'
  if (snapshot === null) return error?.code === 'ERR_LOCK_CORRUPT' ? 'damaged' : 'unreadable'
  return snapshot.holders.length > 0 ? 'held' : 'free'
}

/** Watches those that seem stuck. It takes time only if there are any. */
async function watched(processes: Map<number, ProcessInfo>): Promise<Map<number, ProcessInfo>> {
  const suspects = [...processes].filter(([, { state }]) => state === 'stuck')
  if (suspects.length === 0) return processes
  const pids = suspects.map(([pid]) => pid)
  const stuck = await stillStuck(pids, WATCHED)
  for (const [pid, info] of suspects) if (!stuck.has(pid)) processes.set(pid, { ...info, state: 'sleeping' })
  return processes
}

/** Watches the holders that look as if they never came to an end. It takes time only if there are any. */
async function markBusy(reports: readonly LockReport[]): Promise<void> {
  const suspects = reports
    .filter(({ contended }) => contended)
    .flatMap(({ holders }) => holders)
    .flatMap((holder) => {
      const { localPid, threadId, ms } = holder
      return localPid === null || ms < SUSPICIOUS ? [] : [{ holder, pid: localPid, isWorker: threadId !== 0 }]
    })
  const busy = await busyThreads(suspects, WATCHED)
  for (const suspect of suspects) suspect.holder.busy = busy?.has(suspect) ?? null
}

/** What is conspicuous about a process that holds or waits, in one or two words. */
export function marksOf(party: ReportedHolder | ReportedWaiter): string[] {
  const marks: string[] = []
  const { state } = party
  if (state === 'stopped' || state === 'frozen' || state === 'stuck') marks.push(state)
  else if ('busy' in party && party.busy) marks.push('busy')
  else if ('skipped' in party && party.skipped) marks.push('does not respond')
  return marks
}

/** What is known of a writer's death, without a full stop. `by`: how the text names a process. */
export function deathText(died: ReportedDeath, by: (died: ReportedDeath) => string): string {
  return died.failover
    ? 'its database was replaced by a standby that may lack the last changes, perhaps the end of a write hold; what the lock protects may be half-written'
    : `${by(died)} died while it held the lock for write; what the lock protects may be half-written`
}

/** Such as `pid 4711`; `pid 4711 (1 in its PID namespace)` in a container; `pid 4711 on db1`. */
export function pidText(party: Partial<ReportedProcess> & { pid: number }): string {
  const { pid, foreign, localPid, host } = party
  if (host && !localPid) return `pid ${pid} on ${harmless(host)}`
  if (!foreign) return `pid ${pid}`
  return localPid ? `pid ${localPid} (${pid} in its PID namespace)` : `pid ${pid} in another PID namespace`
}
