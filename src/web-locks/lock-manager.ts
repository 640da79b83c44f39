import { convertArguments } from './arguments.js'
import { invalidInvocation, notConstructible } from './errors.js'
import { describe, internal } from './lock.js'
import { takeSnapshot } from './query.js'
import { perform } from './request.js'
import type { LockGrantedCallback, LockManagerSnapshot, LockOptions } from './types.js'

/**
 * The interface `LockManager` of the [Web Locks API](https://www.w3.org/TR/web-locks/), over all
 * processes and worker threads of this user. Its one object is {@link locks}.
 */
export class LockManager {
  readonly #isManager = true

  /** @internal */
  constructor(key: unknown) {
    if (key !== internal) throw notConstructible()
  }

  static #check(manager: unknown): void {
    const isManager = typeof manager === 'object' && manager !== null && #isManager in manager
    if (!isManager) throw invalidInvocation()
  }

  /**
   * Requests the lock `name`, for any string that does not begin with `-`, and calls `callback`
   * while the lock is held: until the promise that it returns settles. Requests are granted
   * strictly in their order, over all processes.
   *
   * A holder that is killed, or whose thread ends, releases the lock.
   *
   * @returns What `callback` returned, after the release.
   * @throws The error of `callback`; `signal.reason`, if the signal aborted before the grant;
   * `TypeError` for arguments of a wrong type; a `DOMException` named `NotSupportedError` for names
   * and options that the standard refuses, or named `AbortError` if the lock was stolen: then
   * `callback` runs on, without the lock; a `LockError`, like `new RWLock()`, if the lock cannot
   * be opened.
   */
  request<T>(name: string, callback: LockGrantedCallback<T>): Promise<Awaited<T>>
  request<T>(name: string, options: LockOptions, callback: LockGrantedCallback<T>): Promise<Awaited<T>>
  request(...args: unknown[]): Promise<unknown> {
    try {
      LockManager.#check(this)
      return perform(convertArguments(args))
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /**
   * The locks that are held and the requests that wait, of all processes of this user. Those of one
   * name are as they were at one moment. If more than 256 requests wait for it, at least 256 of them
   * are listed, and the first three of each thread.
   *
   * @throws `ERR_LOCK_ACCESS` if one of them cannot be read.
   */
  query(): Promise<LockManagerSnapshot> {
    try {
      LockManager.#check(this)
      return Promise.resolve(takeSnapshot())
    } catch (error) {
      return Promise.reject(error)
    }
  }
}

describe(LockManager, ['request', 'query'])
Object.defineProperty(LockManager.prototype.request, 'length', { value: 2, configurable: true })

/** What `navigator.locks` is in a browser, over all processes and worker threads of this user. */
export const locks: LockManager = new LockManager(internal)
