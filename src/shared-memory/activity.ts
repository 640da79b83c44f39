// The locks of this machine with the counters from which an observer computes rates.
import type { Snapshot } from '../../index.js'
import type { LockSnapshot, RWLockRef } from '../types.js'
import { binding } from './binding.js'
import { checkRef } from './options.js'
import { snapshotOf } from './snapshot.js'
import { translated } from './translate.js'

/** A lock, and what it has counted. Write holds are counted by `snapshot.token`. */
export interface Activity {
  snapshot: LockSnapshot
  /** The number of requests so far that were not granted at once. */
  requests: bigint
  /** When the lock was created, in ns of Unix time. A lock that is created again counts anew. */
  created: bigint
}

/**
 * All named locks of this user, as `RWLock.list()` returns them.
 *
 * @throws As `RWLock.list()`.
 */
export function listActivity(): Activity[] {
  return translated(() => binding.list()).map(activityOf)
}

/**
 * One lock, which is neither created nor opened; `null` if there is none.
 *
 * @throws As `lockInfo()`.
 */
export function activityOfRef(ref: RWLockRef): Activity | null {
  const { name, path } = checkRef(ref)
  const seen = translated(() => binding.look(name, path))
  return seen ? activityOf(seen) : null
}

function activityOf(seen: Snapshot): Activity {
  return { snapshot: snapshotOf(seen), requests: seen.requests, created: seen.created }
}
