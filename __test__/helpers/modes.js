// The three modes, and how to request each.

/**
 * @typedef {import('process-rwlock').RWLock} RWLock
 * @typedef {import('process-rwlock').AcquireOptions} AcquireOptions
 */

export const MODES = /** @type {const} */ (['read', 'write', 'upgradable'])

/** @type {Record<string, (lock: RWLock, options?: AcquireOptions) => Promise<import('process-rwlock').Guard>>} */
export const acquire = {
  read: (lock, options) => lock.acquireRead(options),
  write: (lock, options) => lock.acquireWrite(options),
  upgradable: (lock, options) => lock.acquireUpgradable(options),
}

/** @type {Record<string, (lock: RWLock) => import('process-rwlock').Guard | null>} */
export const tryTo = {
  read: (lock) => lock.tryRead(),
  write: (lock) => lock.tryWrite(),
  upgradable: (lock) => lock.tryUpgradable(),
}

/** The commands of a child (`child.js`). */
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

/** Whether the lock has no holder. @param {RWLock} lock */
export function isFree(lock) {
  const guard = lock.tryWrite()
  guard?.release()
  return guard !== null
}

/** A function that must not run. */
export function never() {
  throw new Error('it must not run')
}
