import type { Lock, LockMode } from './lock.js'

/** Options of {@link LockManager.request}. */
export interface LockOptions {
  /** Default `'exclusive'`. */
  mode?: LockMode
  /** Calls the callback with `null` if the lock is not available at once. Default `false`. */
  ifAvailable?: boolean
  /**
   * Takes the lock from those who hold it, whose requests reject with an `AbortError`, and goes
   * before those who wait. Only for the mode `'exclusive'`. Default `false`.
   */
  steal?: boolean
  /** Aborts the request until the lock is granted; it then rejects with `signal.reason`. */
  signal?: AbortSignal
}

/** Called with the lock when it is granted, or with `null`. */
export type LockGrantedCallback<T> = (lock: Lock | null) => T

/** A lock that is held, or a request that waits. */
export interface LockInfo {
  name: string
  mode: LockMode
  /** The thread: its process ID, a hyphen, and its `threadId`. */
  clientId: string
}

/** The result of {@link LockManager.query}. */
export interface LockManagerSnapshot {
  held: LockInfo[]
  /** The requests for one name are in their order. */
  pending: LockInfo[]
}
