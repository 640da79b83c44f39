// The three modes, and how to request each from a lock. All of it is asynchronous, because an
// engine may have to ask a server.

/**
 * @typedef {import('process-rwlock').AsyncRWLock} AsyncRWLock
 * @typedef {import('process-rwlock').AcquireOptions} AcquireOptions
 * @typedef {import('process-rwlock').AsyncGuard} AsyncGuard
 */

export { MODES, never, ops, TOGETHER } from '../helpers/modes.js'

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

/** Whether the lock has no holder. @param {AsyncRWLock} lock */
export async function isFree(lock) {
  const guard = await lock.tryWrite()
  await guard?.release()
  return guard !== null
}
