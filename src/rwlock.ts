import { randomUUID } from 'node:crypto'
import { threadId } from 'node:worker_threads'
import type { Seen } from '../index.js'
import { binding } from './binding.js'
import { type Holder, invalidValue, LockError, translated, type Waiter } from './errors.js'
import { type Guard, Hold, type OwnerDied } from './guard.js'
import { ABANDONED, FAILED, Handle, type Mode, READ, UPGRADABLE, WRITE } from './handle.js'
import { tryRead, tryWrite } from './hot.js'
import {
  type AcquireOptions,
  checkAcquireOptions,
  checkFunction,
  checkOpenOptions,
  checkRef,
  type RWLockOptions,
  type RWLockRef,
} from './options.js'
import { settle, timeoutError, Wait } from './waits.js'

/** A lock at one moment; old when it arrives. */
export interface LockSnapshot {
  /** The lock's name, if it was opened by name. */
  name?: string
  /** Its path, if it was opened by path. */
  path?: string
  /** Who holds it. */
  holders: Holder[]
  /** Who waits for it, longest first. */
  waiters: Waiter[]
  /** The last fencing token handed out. */
  token: bigint
  /** See {@link Guard.ownerDied}. */
  ownerDied: OwnerDied | null
  /** Attachments it can hold. */
  capacity: number
}

/** ms that a waiter may be overtaken: long enough to spare most contended acquisitions a context switch. */
const DEFAULT_FAIRNESS = 1

/** A promise for the next tick, which need not be made each time. */
const tick = Promise.resolve()

/** As `await` does it: not what a promise may have in its place. */
const { then } = Promise.prototype

/** Closes what nobody can close any more. A write hold that is still there was never released. */
const collected = new FinalizationRegistry<Handle>((handle) => handle.close(ABANDONED))

/**
 * A reader-writer lock that every process on the machine can share.
 *
 * ```ts
 * const lock = new RWLock('my-app/cache')
 * await lock.read(async () => { … })            // many at once
 * await lock.write(async (guard) => { … })      // alone
 * ```
 *
 * Opening the same lock twice in one thread gives two handles of one attachment.
 */
export class RWLock implements Disposable {
  readonly #handle: Handle

  /**
   * Opens the lock, making it if there is none. Without `ref` it gets a random name, which `toJSON()` tells.
   *
   * @throws `ERR_LOCK_FULL`, `ERR_LOCK_CORRUPT`, `ERR_LOCK_INCOMPATIBLE`, `ERR_LOCK_ACCESS`; `ERR_LOCK_BUSY` if another
   * process stopped in the middle of opening it; `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`.
   */
  constructor(ref?: RWLockRef, options?: RWLockOptions) {
    const place = ref === undefined ? { name: `anonymous-${randomUUID()}` } : checkRef(ref)
    const { capacity, fairness = DEFAULT_FAIRNESS, label } = checkOpenOptions(options)
    const opened = translated(() =>
      binding.open(place.name, place.path, capacity, label ?? process.title, threadId),
    )
    if (label !== undefined) binding.setLabel(opened.attachment, label, 0)
    this.#handle = new Handle(place, opened.attachment, opened.tokenBase, fairness)
    collected.register(this, this.#handle, this.#handle)
  }

  // ---- with a function

  /**
   * Runs `fn` while the lock is held for reading, and releases it when `fn` has returned or its promise has settled.
   * `fn` never runs before this has returned.
   *
   * Rejects with what `fn` throws; `ERR_LOCK_TIMEOUT`, `signal.reason`, `ERR_LOCK_CLOSED`, `ERR_LOCK_CORRUPT`.
   */
  read<T>(fn: (guard: Guard) => T | PromiseLike<T>, options?: AcquireOptions): Promise<T> {
    return this.#scoped(READ, fn, options)
  }

  /** As {@link RWLock.read}, alone; `guard.token` is the fencing token. */
  write<T>(fn: (guard: Guard) => T | PromiseLike<T>, options?: AcquireOptions): Promise<T> {
    return this.#scoped(WRITE, fn, options)
  }

  /** As {@link RWLock.read}, beside readers but alone among those who may become the writer with `guard.upgrade()`. */
  upgradable<T>(fn: (guard: Guard) => T | PromiseLike<T>, options?: AcquireOptions): Promise<T> {
    return this.#scoped(UPGRADABLE, fn, options)
  }

  // ---- with a guard

  /** Waits for a read hold. Release it, or let `using` do so. Rejects as {@link RWLock.read}. */
  async acquireRead(options?: AcquireOptions): Promise<Guard> {
    return this.#now(READ, options) ?? (await this.#wait(READ, options))
  }

  /** Waits for the write hold. As {@link RWLock.acquireRead}. */
  async acquireWrite(options?: AcquireOptions): Promise<Guard> {
    return this.#now(WRITE, options) ?? (await this.#wait(WRITE, options))
  }

  /** Waits for the upgradable hold. As {@link RWLock.acquireRead}. */
  async acquireUpgradable(options?: AcquireOptions): Promise<Guard> {
    return this.#now(UPGRADABLE, options) ?? (await this.#wait(UPGRADABLE, options))
  }

  // ---- without waiting

  /** A read hold if that needs no waiting, else `null`. @throws `ERR_LOCK_CLOSED` */
  tryRead(): Guard | null {
    return this.#try(READ)
  }

  /** The write hold if that needs no waiting, else `null`. @throws `ERR_LOCK_CLOSED` */
  tryWrite(): Guard | null {
    return this.#try(WRITE)
  }

  /** The upgradable hold if that needs no waiting, else `null`. @throws `ERR_LOCK_CLOSED` */
  tryUpgradable(): Guard | null {
    return this.#try(UPGRADABLE)
  }

  // ---- blocking this thread

  /**
   * As {@link RWLock.read}, blocking this thread and its event loop. For scripts and start-up code. It goes before the
   * pending acquisitions of this thread, which could not run meanwhile.
   *
   * @throws also `ERR_LOCK_DEADLOCK` if only this thread could make way, since it writes.
   */
  readSync<T>(fn: (guard: Guard) => T, options?: AcquireOptions): T {
    checkFunction('fn', fn)
    return runSync(this.acquireReadSync(options) as Hold, fn, 'read')
  }

  /** As {@link RWLock.readSync}, alone. @throws `ERR_LOCK_DEADLOCK` if this thread holds the lock in any mode. */
  writeSync<T>(fn: (guard: Guard) => T, options?: AcquireOptions): T {
    checkFunction('fn', fn)
    return runSync(this.acquireWriteSync(options) as Hold, fn, 'write')
  }

  /** Waits for a read hold, blocking this thread. @throws as {@link RWLock.readSync} */
  acquireReadSync(options?: AcquireOptions): Guard {
    return this.#block(READ, options)
  }

  /** Waits for the write hold, blocking this thread. @throws as {@link RWLock.writeSync} */
  acquireWriteSync(options?: AcquireOptions): Guard {
    return this.#block(WRITE, options)
  }

  // ---- looking and closing

  /** Who holds the lock, who waits, who died inside. @throws `ERR_LOCK_CLOSED` */
  inspect(): LockSnapshot {
    this.#handle.assertOpen()
    return snapshot(translated(() => binding.inspect(this.#handle.attachment)))
  }

  /** Every named lock of this user. */
  static list(): LockSnapshot[] {
    return binding.list().map(snapshot)
  }

  /**
   * Removes a lock that no live process has open, with what it remembers; for a path, the file. `false` if there is none.
   *
   * A symbolic link that leads to the file stays, and leads nowhere then. Other hard links of the file stay, and are the lock still.
   *
   * @throws `ERR_LOCK_BUSY` while it is open anywhere; else as the constructor.
   */
  static remove(ref: RWLockRef): boolean {
    const { name, path } = checkRef(ref)
    return translated(() => binding.remove(name, path))
  }

  /** What `new RWLock()` turns back into this lock, in any process or worker thread. */
  toJSON(): { name: string } | { path: string } {
    return { ...this.#handle.place } as { name: string } | { path: string }
  }

  /**
   * Closes this handle: its pending acquisitions reject with `ERR_LOCK_CLOSED`, its holds are released. Does nothing if it
   * is closed already. When the last attachment anywhere closes, the shared memory is removed. A write hold that ends so
   * does not settle an earlier {@link Guard.ownerDied}: only a release does.
   */
  close(): void {
    collected.unregister(this.#handle)
    // Not whole: a write that was granted and whose function has not run yet repaired nothing.
    this.#handle.close(FAILED)
  }

  [Symbol.dispose](): void {
    this.close()
  }

  // ---- inside

  #try(mode: Mode): Hold | null {
    const handle = this.#handle
    if (handle.closed) handle.assertOpen()
    const { attachment } = handle
    const hold =
      mode === READ
        ? tryRead(attachment)
        : mode === WRITE
          ? tryWrite(attachment)
          : binding.tryUpgradable(attachment)
    return hold === 0 ? null : new Hold(this, handle, mode, hold)
  }

  /** Without waiting, and as `options` say; `null` if it has to wait. */
  #now(mode: Mode, options: AcquireOptions | undefined): Hold | null {
    if (options === undefined) return this.#try(mode)
    checkAcquireOptions(options)
    options.signal?.throwIfAborted()
    const hold = this.#try(mode)
    if (hold === null && options.timeout === 0) throw timeoutError({ handle: this.#handle, mode, timeout: 0 })
    if (hold !== null && options.label !== undefined) hold.label(options.label)
    return hold
  }

  #wait(mode: Mode, options: AcquireOptions | undefined): Promise<Hold> {
    const handle = this.#handle
    const { timeout = Number.POSITIVE_INFINITY, signal, label } = options ?? {}
    const request = translated(() => binding.request(handle.attachment, mode, timeout, handle.fairness))
    return new Wait({ handle, mode, timeout, signal }, request, (number) => {
      const hold = new Hold(this, handle, mode, number)
      return label === undefined ? hold : hold.label(label)
    }).promise
  }

  #block(mode: typeof READ | typeof WRITE, options: AcquireOptions | undefined): Hold {
    const now = this.#now(mode, options)
    if (now !== null) return now
    const handle = this.#handle
    const { timeout = Number.POSITIVE_INFINITY, label } = options ?? {}
    let hold: number
    try {
      hold = translated(() => binding.wait(handle.attachment, mode, timeout, handle.fairness))
    } catch (error) {
      if (error instanceof LockError && error.code === 'ERR_LOCK_TIMEOUT') {
        throw new LockError(error.code, error.message, this.inspect().holders)
      }
      throw error
    } finally {
      // What was settled on the way.
      if (binding.hasEvents()) settle()
    }
    const guard = new Hold(this, handle, mode, hold)
    return label === undefined ? guard : guard.label(label)
  }

  /** Not `async`: an `await` costs what the lock itself does. */
  #scoped<T>(
    mode: Mode,
    fn: (guard: Guard) => T | PromiseLike<T>,
    options: AcquireOptions | undefined,
  ): Promise<T> {
    try {
      checkFunction('fn', fn)
      const now = this.#now(mode, options)
      return now !== null
        ? runSoon(this.#handle, now, fn)
        : runOnceGranted(this.#handle, this.#wait(mode, options), fn)
    } catch (error) {
      return Promise.reject(error)
    }
  }
}

// Functions of their own, whose closures hold nothing else: as methods they cost 30 ns more.

/** Also if it is granted at once `fn` runs after our caller has its promise. */
function runSoon<T>(handle: Handle, hold: Hold, fn: (guard: Guard) => T | PromiseLike<T>): Promise<T> {
  return tick.then(() => run(handle, hold, fn))
}

function runOnceGranted<T>(
  handle: Handle,
  granted: Promise<Hold>,
  fn: (guard: Guard) => T | PromiseLike<T>,
): Promise<T> {
  return granted.then((hold) => run(handle, hold, fn))
}

function run<T>(handle: Handle, hold: Hold, fn: (guard: Guard) => T | PromiseLike<T>): T | Promise<T> {
  // Closed while it was on its way here: then there is no hold, and `fn` must not run.
  handle.assertOpen()
  let result: T
  try {
    const returned = fn(hold)
    if (isPromiseLike(returned)) return releasedAfter(hold, returned)
    result = returned
  } catch (error) {
    hold.fail()
    throw error
  }
  hold.release()
  return result
}

function releasedAfter<T>(hold: Hold, promise: PromiseLike<T>): Promise<T> {
  return then.call(
    Promise.resolve(promise),
    (value) => {
      hold.release()
      return value
    },
    (error) => {
      hold.fail()
      throw error
    },
  ) as Promise<T>
}

function runSync<T>(hold: Hold, fn: (guard: Guard) => T, method: 'read' | 'write'): T {
  let result: T
  try {
    result = fn(hold)
  } catch (error) {
    hold.fail()
    throw error
  }
  hold.release()
  if (isPromiseLike(result)) {
    throw invalidValue('fn', fn, `returned a promise, which is not waited for: use lock.${method}()`)
  }
  return result
}

function isPromiseLike<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === 'function'
}

function snapshot(seen: Seen): LockSnapshot {
  const { ownerDied = null, ...rest } = seen
  return { ...rest, ownerDied } as LockSnapshot
}
