// Where the locks come from that the commands show.
import { examine, type Surveyed, survey } from '../shared-memory/survey.js'
import type { Awaitable, RWLockRef } from '../types.js'

/** A lock as a source finds it. */
export type FoundLock = Surveyed

export interface LockSource {
  /** All locks, also damaged ones. */
  list(): Awaitable<FoundLock[]>
  /** `null`: there is no such lock. It is not created. */
  inspect(ref: RWLockRef): Awaitable<FoundLock | null>
}

/** The named locks of this user on this machine; locks by path can be inspected, but not listed. */
export const thisMachine: LockSource = {
  list: () => survey().locks,
  inspect: examine,
}
