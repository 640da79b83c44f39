// What the addon finds of locks, beyond their snapshots: damaged ones, those that nobody has open,
// and which threads have one open.
import type { Surveyed as Found } from '../../index.js'
import { LockError, type LockErrorCode } from '../errors.js'
import type { Holder, LockSnapshot, RWLockRef, Waiter } from '../types.js'
import type { SeenLock } from '../wait-graph.js'
import { binding } from './binding.js'
import { checkRef } from './options.js'
import { snapshotOf } from './snapshot.js'
import { translated, withSystemError } from './translate.js'

interface Foreign {
  /** The PID namespace of `pid`, if it is another one than that of this process; else `null`. */
  foreignNamespace: number | null
}

export type SurveyedHolder = Holder & Foreign

/** `skipped`: it did not come in its turn, so that others go first. */
export type SurveyedWaiter = Waiter & Foreign & { skipped: boolean }

/** A thread that has a lock open. */
export interface Attachment extends Foreign {
  pid: number
  threadId: number
  label: string
}

export type SurveyedSnapshot = Omit<LockSnapshot, 'holders' | 'waiters'> & {
  /** The number of requests so far that were not granted at once. */
  requests: bigint
  holders: SurveyedHolder[]
  waiters: SurveyedWaiter[]
}

/** A lock, as it is found. */
export interface Surveyed {
  /** Both are missing if the lock is damaged so that its name cannot be read. */
  name?: string
  path?: string
  /** The lock file. */
  file: string
  /** The identifier of its shared memory; `null`: it has none, or that is unknown. */
  memory: string | null
  /** The size of its memory; `null`: unknown. */
  bytes: number | null
  /** Whether a live process has it open. */
  open: boolean
  attached: Attachment[]
  /** `null` if it cannot be read: then `error` says why. */
  snapshot: SurveyedSnapshot | null
  error: LockError | null
  /** For the search for deadlocks. */
  seen: SeenLock | null
}

/** The named locks of this user. */
export interface Survey {
  locks: Surveyed[]
  /** The lock files of locks whose creators died before they were complete. */
  unfinished: string[]
}

/**
 * All named locks of this user, also those that cannot be read.
 *
 * @throws `ERR_LOCK_ACCESS` if the directory of the lock files cannot be read.
 */
export function survey(): Survey {
  const { locks, unfinished } = translated(() => binding.survey())
  return { locks: locks.map(surveyed), unfinished }
}

/**
 * One lock, which is neither created nor opened; `null` if there is none.
 *
 * @throws As `new RWLock()`.
 */
export function examine(ref: RWLockRef): Surveyed | null {
  const { name, path } = checkRef(ref)
  const found = translated(() => binding.examine(name, path))
  return found && surveyed(found)
}

/**
 * Creates a named lock that nobody knows, and removes it.
 *
 * @throws As `new RWLock()`.
 */
export function probe(): void {
  translated(() => binding.probe())
}

function surveyed({
  name,
  path,
  file,
  memory,
  bytes,
  open,
  attached,
  snapshot,
  seen,
  failure,
}: Found): Surveyed {
  const error =
    failure === undefined
      ? null
      : withSystemError(new LockError(failure.code as LockErrorCode, failure.message), failure.cause)
  return {
    ...(name !== undefined && { name }),
    ...(path !== undefined && { path }),
    file,
    memory: memory ?? null,
    bytes: bytes || null,
    open,
    attached: attached.map((one) => ({ ...one, foreignNamespace: one.foreignNamespace ?? null })),
    snapshot:
      snapshot === undefined
        ? null
        : joined(Object.assign(snapshotOf(snapshot), { requests: snapshot.requests }), seen),
    error,
    seen: (seen as SeenLock | undefined) ?? null,
  }
}

/** `seen` has the same holders and waiters, in the same order. */
function joined(snapshot: LockSnapshot & { requests: bigint }, seen: Found['seen']): SurveyedSnapshot {
  const holders = snapshot.holders.map((holder, index) => ({
    ...holder,
    foreignNamespace: seen?.holders[index]?.foreignNamespace ?? null,
  }))
  const waiters = snapshot.waiters.map((waiter, index) => ({
    ...waiter,
    foreignNamespace: seen?.waiters[index]?.foreignNamespace ?? null,
    skipped: seen?.waiters[index]?.skipped ?? false,
  }))
  return Object.assign(snapshot, { holders, waiters })
}
