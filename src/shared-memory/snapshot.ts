import type { Snapshot } from '../../index.js'
import { writable } from '../inspect.js'
import type { LockSnapshot } from '../types.js'

/** What the addon says of a lock, as the API returns it: without its counters. */
export function snapshotOf(snapshot: Snapshot): LockSnapshot {
  const {
    maxReaders = null,
    ownerDied = null,
    value = null,
    valueToken = null,
    requests: _requests,
    created: _created,
    ...rest
  } = snapshot
  if (ownerDied !== null) writable(ownerDied)
  return writable({ ...rest, maxReaders, ownerDied, value, valueToken } as LockSnapshot)
}
