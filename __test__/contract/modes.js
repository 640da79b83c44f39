// The three modes, and how to request each from a lock. All of it is asynchronous, because an
// engine may have to ask a server.

/**
 * @typedef {import('process-rwlock').AsyncRWLock} AsyncRWLock
 * @typedef {import('process-rwlock').AcquireOptions} AcquireOptions
 * @typedef {import('process-rwlock').AsyncGuard} AsyncGuard
 */

export const MODES = /** @type {const} */ (['read', 'write', 'upgradable'])

/** @type {Record<string, (lock: AsyncRWLock, options?: AcquireOptions) => Promise<AsyncGuard>>} */
export const acquire = {
  read: (lock, options) => lock.acquireRead(options),
  write: (lock, options) => lock.acquireWrite(options),
  upgradable: (lock, options) => lock.acquireUpgradable(options),
}

/** @type {Record<string, (lock: AsyncRWLock) => Promise<AsyncGuard | null>>} */
export const tryTo = {
  read: async (lock) => lock.tryRead(),
  write: async (lock) => lock.tryWrite(),
  upgradable: async (lock) => lock.tryUpgradable(),
}

/** The same as commands for another owner (`helpers/child.js`). */
export const ops = {
  read: { acquire: 'acquireRead', try: 'tryRead' },
  write: { acquire: 'acquireWrite', try: 'tryWrite' },
  upgradable: { acquire: 'acquireUpgradable', try: 'tryUpgradable' },
}

/** Whether a mode (inner) is granted while another is held (outer). */
export const TOGETHER = {
  read: { read: true, write: false, upgradable: true },
  write: { read: false, write: false, upgradable: false },
  upgradable: { read: true, write: false, upgradable: false },
}

/** Whether the lock has no holder. @param {AsyncRWLock} lock */
export async function isFree(lock) {
  const guard = await lock.tryWrite()
  await guard?.release()
  return guard !== null
}

/** A function that must not run. */
export function never() {
  throw new Error('it must not run')
}
