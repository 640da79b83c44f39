/** How a lock is held. The numbers are those of the addon. */
export const READ = 1
export const UPGRADABLE = 2
export const WRITE = 3
export type Mode = typeof READ | typeof UPGRADABLE | typeof WRITE

export const MODE_NAMES = ['', 'read', 'upgradable', 'write'] as const
export type ModeName = 'read' | 'upgradable' | 'write'

/**
 * How an exclusive hold ends. The numbers are those of the addon. `CONSISTENT` as in POSIX'
 * `pthread_mutex_consistent`.
 */
export const CONSISTENT = 0
/** The function that held the lock threw: an earlier owner's death stays reported. */
export const FAILED = 1
export type HoldEnd = typeof CONSISTENT | typeof FAILED
