import { writable } from '../inspect.js'
import { binding } from '../shared-memory/binding.js'
import { checkRef } from '../shared-memory/options.js'
import { snapshotOf } from '../shared-memory/snapshot.js'
import { translated } from '../shared-memory/translate.js'
import type { Holder, LockSnapshot, RWLockRef } from '../types.js'

/** Who leads, or runs: see {@link lockInfo}. */
export interface LockInfo {
  /** Process id, relative to the PID namespace of that process. */
  pid: number
  /** `worker_threads.threadId`: 0 is the main thread. */
  threadId: number
  label: string
  /** When it began, by the clock of this process. */
  since: Date
  /**
   * What it has set as its value; `null` if it has set none, or not yet. `JSON.stringify` writes it
   * in base64.
   */
  value: Uint8Array | null
}

/**
 * Who holds the lock of {@link lead} or {@link tryInstance}, since when, and its value. `null` if
 * nobody does.
 *
 * ```ts
 * const info = lockInfo('my-dev-server')
 * if (info?.value) console.log(`already running at ${new TextDecoder().decode(info.value)}`)
 * ```
 *
 * The value is that of this holder, never that of an earlier one. The lock is neither created nor
 * kept open.
 *
 * @throws `ERR_LOCK_ACCESS` if the lock cannot be read; `ERR_LOCK_CORRUPT`, `ERR_LOCK_INCOMPATIBLE`
 * for what a process has open that this version cannot read, or a file that is not a lock;
 * `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`.
 */
export function lockInfo(ref: RWLockRef): LockInfo | null {
  const { name, path } = checkRef(ref)
  const snapshot = translated(() => binding.look(name, path))
  const leader = snapshot && leaderOf(snapshotOf(snapshot))
  if (!leader) return null
  const { pid, threadId, label, ms } = leader.holder
  return writable({ pid, threadId, label, since: new Date(Date.now() - ms), value: leader.value })
}

/** The holder that matters most, with its own value. */
export function leaderOf(snapshot: LockSnapshot): { holder: Holder; value: Uint8Array | null } | null {
  const { holders, token, value, valueToken } = snapshot
  const writer = holders.find(({ mode }) => mode === 'write')
  if (writer !== undefined) return { holder: writer, value: valueToken === token ? value : null }
  const holder = holders.find(({ mode }) => mode === 'upgradable') ?? holders[0]
  return holder === undefined ? null : { holder, value: null }
}
