// What a lock engine is. The API (engine-lock.ts, guard.ts, pending.ts) stands on it;
// src/shared-memory is one.
import type { Hold } from './guard.js'
import type { HoldEnd, Mode, READ, UPGRADABLE, WRITE } from './modes.js'
import type { Notice } from './notice.js'
import type { PendingRequest } from './pending.js'
import type { Acquisition } from './tracing.js'
import type { AcquireOptions, Awaitable, LockLocation, LockSnapshot } from './types.js'
import type { WaitGraph } from './wait-graph.js'

/** What an engine can do. */
export interface EngineCapabilities {
  /**
   * Its methods return values, never promises. Then an acquisition that need not wait costs no
   * request.
   */
  readonly sync: boolean
  /** It has upgradable holds. Without them `upgradable()` fails with `ERR_LOCK_UNSUPPORTED`. */
  readonly upgradable: boolean
  /** It reports a writer whose hold ended without release. */
  readonly ownerDied: boolean
  /**
   * Its locks have a value. Without it `guard.value` and `guard.setValue()` fail with
   * `ERR_LOCK_UNSUPPORTED`, and `inspect().value` is `null`.
   */
  readonly value: boolean
  /**
   * It can tell a holder that a request waits. Without it `contended` is `false`, and
   * `whenContended()` resolves only when the hold has ended.
   */
  readonly contention: boolean
  /**
   * It can steal: see {@link PendingRequest.steal}. Not part of the API of a lock; `steal.ts` is for
   * the interfaces that need it.
   */
  readonly steal: boolean
}

/**
 * One open lock of an engine. The API calls it with checked arguments; the engine grants, and it
 * owns a grant until a {@link Hold} or a {@link PendingRequest} has taken it. Where calls return
 * promises, those of one hold may overlap, and an engine makes their outcome that of calls which
 * come one after the other: an upgrade behind a `tryUpgrade()` finds a write hold.
 *
 * @typeParam Grant - What the engine keeps in each hold.
 */
export interface LockEngine<Grant = unknown> {
  readonly capabilities: EngineCapabilities
  readonly location: LockLocation
  /** The lock in messages, such as `lock 'jobs'`. */
  readonly text: string
  readonly closed: boolean
  /**
   * The same text for the same lock in every process that can open it, and another one for any
   * other lock of any engine. It begins with the kind of the lock. Locks that are acquired together
   * are acquired in the order of their identities.
   */
  readonly identity: string
  /** @throws `ERR_LOCK_CLOSED` */
  assertOpen(): void

  /**
   * Makes a hold if no wait is needed, else gives `null`. `lock` is the object that the hold keeps
   * reachable.
   */
  tryAcquire(lock: object, mode: Mode, label: string | undefined): Awaitable<Hold<Grant> | null>
  /**
   * Asks for the lock in `request.mode`, or for the upgrade of `request.upgrade`. If there is
   * `request.again`, a hold in that mode, it ends, and the place of the request in the queue is
   * that of the moment before: the engine sets `ended` when it begins with that. If it is a
   * `request.steal`, it is granted before all other requests but earlier steals, which keep their
   * order, and for it the engine ends the holds of locks that allow steals: it calls `hold.lose()`
   * from the event loop of the holder, and then releases the hold as failed. The engine later
   * calls one of `request.grant()`, `timeOut()` and `fail()`, perhaps before this returns; and
   * before that `request.waits()`, once it knows that the lock is not free. If this throws, the
   * request has ended.
   */
  request(request: PendingRequest<Grant>): void
  /** Withdraws a request that has not been settled. What it was granted meanwhile is returned. */
  cancel(request: PendingRequest<Grant>): void
  /** Called after one or more `cancel()`: grants what the cancelled requests kept out. */
  advance(): void
  /**
   * The hold of a grant, the hold that the grant upgraded, or the one that has it again. If this
   * throws, the engine still owns the grant.
   */
  granted(request: PendingRequest<Grant>, grant: Grant): Hold<Grant>

  /** Ends a hold. If this throws an error without a `code`, the hold has not ended. */
  release(hold: Hold<Grant>, end: HoldEnd): void | Promise<void>
  /** Makes a read or upgradable hold the write hold if no wait is needed. */
  tryUpgrade(hold: Hold<Grant>): Awaitable<boolean>
  /**
   * Changes the mode of a hold to a weaker one. If this throws an error with a `code`, the hold has
   * ended, except for `ERR_LOCK_BUSY`: the lock limits its readers, and there is no room for one
   * more, so the hold stays upgradable.
   */
  downgrade(hold: Hold<Grant>, to: typeof READ | typeof UPGRADABLE): void | Promise<void>
  /** Whether a request waits that the hold keeps out. A hint. */
  isContended(hold: Hold<Grant>): boolean
  /**
   * Calls `notice.settle()`, once, as soon as a request waits that a hold in `mode` keeps out,
   * perhaps before this returns. This does not keep the process alive. When the lock is closed, the
   * engine settles all notices.
   */
  notify(notice: Notice<Grant>, mode: Mode): void
  /** The notice is not wanted any more. */
  forget(notice: Notice<Grant>): void
  /**
   * What `guard.signal` is aborted by. The engine aborts these, with a `LockError`, when their holds
   * are lost: they ended without a release.
   */
  readonly losses: Set<AbortController>

  /** The fencing token of a hold. */
  tokenOf(grant: Grant): bigint

  /** The lock's value, for a hold. Called only with the capability `value`. */
  getValue(hold: Hold<Grant>): Awaitable<Uint8Array | null>
  /**
   * Replaces the lock's value as a whole, for a write hold: other processes see the old value or
   * the new one, whatever happens. `value` is not changed later. Called only with the capability
   * `value`.
   *
   * @throws `ERR_INVALID_ARG_VALUE` if it is longer than the engine stores.
   */
  setValue(hold: Hold<Grant>, value: Uint8Array | null): void | Promise<void>

  inspect(): Awaitable<LockSnapshot>
  /**
   * Where to look for what a request waits for; shared by all locks of the engine. Without it
   * there are no warnings of long waits and deadlocks.
   */
  readonly waitGraph?: WaitGraph | undefined
  /** Ends every request and hold of this lock. */
  close(): void | Promise<void>
}

/** An engine with the capability `sync` that can also wait by blocking its thread. */
export interface BlockingEngine<Grant = unknown> extends LockEngine<Grant> {
  /** @throws `ERR_LOCK_TIMEOUT`; `ERR_LOCK_DEADLOCK` if only this thread could release the lock */
  block(
    lock: object,
    mode: typeof READ | typeof WRITE,
    options: AcquireOptions | undefined,
    trace?: Acquisition,
  ): Hold<Grant>
  /** Makes an upgradable hold the write hold. @throws As `block`. */
  blockUpgrade(hold: Hold<Grant>, options: AcquireOptions | undefined): void
}
