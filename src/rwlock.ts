import { randomUUID } from 'node:crypto'
import { threadId } from 'node:worker_threads'
import type { Opened, Snapshot } from '../index.js'
import { throwIfAborted } from './abort.js'
import { identitySymbol } from './async-lock.js'
import { ensure } from './ensure.js'
import { type Holder, invalidThis, invalidValue, translated, type Waiter } from './errors.js'
import { type Guard, Hold, type OwnerDied } from './guard.js'
import { type Inspect, inspectSymbol, show, writable } from './inspect.js'
import {
  type AcquireOptions,
  checkAcquireOptions,
  checkFunction,
  checkOpenOptions,
  checkPruneOptions,
  checkRef,
  type PruneOptions,
  type RWLockOptions,
  type RWLockRef,
} from './options.js'
import { binding } from './shared-memory/binding.js'
import { tryRead, tryWrite } from './shared-memory/fast-path.js'
import { Handle, MODE_NAMES, type Mode, READ, UPGRADABLE, WRITE } from './shared-memory/handle.js'
import { warnOfLoss } from './shared-memory/lost-guards.js'
import { copy, timeoutError, Wait } from './shared-memory/pending.js'
import { reclaim } from './shared-memory/reclaim.js'

/** A lock at one moment; old when it arrives. `JSON.stringify` writes its tokens as strings. */
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

/** Closes what nobody can close any more. */
const collected = new FinalizationRegistry<Handle>((handle) => {
  if (handle.closed) return
  // While it was held its guard referred to the lock: so that is lost as well.
  if (handle.exclusive === WRITE) warnOfLoss(handle)
  handle.leave()
})

let isLock: (value: unknown) => boolean

/** Fails if `method` was called without its lock. */
function check(lock: unknown, method: string): void {
  if (!isLock(lock)) throw invalidThis('lock', method)
}

/** The same of a call that has failed: to ask before would cost every call 1 ns. */
function explained(error: unknown, lock: unknown, method: string): unknown {
  return isLock(lock) ? error : invalidThis('lock', method)
}

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

  static {
    isLock = (value) => typeof value === 'object' && value !== null && #handle in value
  }

  /**
   * Opens the lock, making it if there is none. Without `ref` it gets a random name, which `toJSON()` tells; once all the
   * processes that know it are dead, what they left of it is removed, also if one died while it wrote.
   *
   * Opening never waits for a process that is stopped (SIGSTOP, a debugger, a frozen container), with one exception: if that
   * process is laying out or removing the same file of a lock with a path, this throws `ERR_LOCK_BUSY` after 50 ms.
   *
   * @throws `ERR_LOCK_FULL`, `ERR_LOCK_CORRUPT`, `ERR_LOCK_INCOMPATIBLE`, `ERR_LOCK_ACCESS`, `ERR_LOCK_BUSY`;
   * `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`.
   */
  constructor(ref?: RWLockRef, options?: RWLockOptions) {
    const location = ref === undefined ? { name: `anonymous-${randomUUID()}` } : checkRef(ref)
    const { capacity, fairness = DEFAULT_FAIRNESS, label, durable = true } = checkOpenOptions(options)
    const open = (last: boolean) =>
      translated(() =>
        binding.open(copy.number, this, {
          ...location,
          ...(capacity !== undefined && { capacity }),
          label: label ?? process.title,
          thread: threadId,
          durable,
          anonymous: ref === undefined,
          last,
        }),
      )
    let opened = open(false)
    if (opened === null) {
      reclaim()
      opened = open(true) as Opened
    }
    if (label !== undefined) binding.setLabel(opened.attachment, label)
    this.#handle = new Handle(location, opened.handle, opened.attachment, opened.tokenBase, fairness)
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
    try {
      return this.#scoped(READ, fn, options)
    } catch (error) {
      return Promise.reject(explained(error, this, 'read'))
    }
  }

  /** As {@link RWLock.read}, alone; `guard.token` is the fencing token. */
  write<T>(fn: (guard: Guard) => T | PromiseLike<T>, options?: AcquireOptions): Promise<T> {
    try {
      return this.#scoped(WRITE, fn, options)
    } catch (error) {
      return Promise.reject(explained(error, this, 'write'))
    }
  }

  /** As {@link RWLock.read}, beside readers but alone among those who may become the writer with `guard.upgrade()`. */
  upgradable<T>(fn: (guard: Guard) => T | PromiseLike<T>, options?: AcquireOptions): Promise<T> {
    try {
      return this.#scoped(UPGRADABLE, fn, options)
    } catch (error) {
      return Promise.reject(explained(error, this, 'upgradable'))
    }
  }

  /**
   * Makes a thing once for all processes: a build, a download, a schema. Resolves with what `load(guard)` returns while the lock
   * is held for reading. If that is `undefined`, one process holds the lock for writing and calls `make(guard)`, while the others
   * wait; then they load.
   *
   * ```ts
   * const schema = await lock.ensure(() => readIfFresh(output), () => build(source, output))
   * ```
   *
   * Resolves with what `make` returned, or, if it returned nothing, with what `load` returns after it. If the process that makes
   * it dies, another one makes it: `load` is not called, because what is left may be half of it, and `make` sees
   * {@link Guard.ownerDied}. If `make` throws, this call rejects, and the next process calls `load` and `make`: a `make` that
   * fails must leave nothing that `load` accepts.
   *
   * `timeout` is for all the waits of one call together.
   *
   * Rejects with what `load` or `make` throws; with `ERR_INVALID_ARG_VALUE` if both return nothing; as {@link RWLock.read}.
   */
  async ensure<T>(
    load: (guard: Guard) => T | undefined | PromiseLike<T | undefined>,
    // biome-ignore lint/suspicious/noConfusingVoidType: what a function without `return` returns.
    make: (guard: Guard) => T | void | PromiseLike<T | void>,
    options?: AcquireOptions,
  ): Promise<T> {
    check(this, 'ensure')
    return ensure(this, load, make, options)
  }

  // ---- with a guard

  /** Waits for a read hold. Release it, or let `using` do so. Rejects as {@link RWLock.read}. */
  async acquireRead(options?: AcquireOptions): Promise<Guard> {
    try {
      const checkedOptions = checked(options)
      return this.#now(READ, checkedOptions) ?? (await this.#wait(READ, checkedOptions).promise)
    } catch (error) {
      throw explained(error, this, 'acquireRead')
    }
  }

  /** Waits for the write hold. As {@link RWLock.acquireRead}. */
  async acquireWrite(options?: AcquireOptions): Promise<Guard> {
    try {
      const checkedOptions = checked(options)
      return this.#now(WRITE, checkedOptions) ?? (await this.#wait(WRITE, checkedOptions).promise)
    } catch (error) {
      throw explained(error, this, 'acquireWrite')
    }
  }

  /** Waits for the upgradable hold. As {@link RWLock.acquireRead}. */
  async acquireUpgradable(options?: AcquireOptions): Promise<Guard> {
    try {
      const checkedOptions = checked(options)
      return this.#now(UPGRADABLE, checkedOptions) ?? (await this.#wait(UPGRADABLE, checkedOptions).promise)
    } catch (error) {
      throw explained(error, this, 'acquireUpgradable')
    }
  }

  // ---- without waiting

  /** A read hold if that needs no waiting, else `null`. @throws `ERR_LOCK_CLOSED` */
  tryRead(): Guard | null {
    try {
      return this.#try(READ)
    } catch (error) {
      throw explained(error, this, 'tryRead')
    }
  }

  /** The write hold if that needs no waiting, else `null`. @throws `ERR_LOCK_CLOSED` */
  tryWrite(): Guard | null {
    try {
      return this.#try(WRITE)
    } catch (error) {
      throw explained(error, this, 'tryWrite')
    }
  }

  /** The upgradable hold if that needs no waiting, else `null`. @throws `ERR_LOCK_CLOSED` */
  tryUpgradable(): Guard | null {
    try {
      return this.#try(UPGRADABLE)
    } catch (error) {
      throw explained(error, this, 'tryUpgradable')
    }
  }

  // ---- blocking this thread

  /**
   * As {@link RWLock.read}, blocking this thread and its event loop. For scripts and start-up code. It goes before the
   * pending acquisitions of this thread, which could not run meanwhile.
   *
   * @throws also `ERR_LOCK_DEADLOCK` if only this thread could make way, since it writes.
   */
  readSync<T>(fn: (guard: Guard) => T, options?: AcquireOptions): T {
    check(this, 'readSync')
    checkFunction('fn', fn)
    return this.#scopedSync(READ, fn, options)
  }

  /** As {@link RWLock.readSync}, alone. @throws `ERR_LOCK_DEADLOCK` if this thread holds the lock in any mode. */
  writeSync<T>(fn: (guard: Guard) => T, options?: AcquireOptions): T {
    check(this, 'writeSync')
    checkFunction('fn', fn)
    return this.#scopedSync(WRITE, fn, options)
  }

  /** Waits for a read hold, blocking this thread. @throws as {@link RWLock.readSync} */
  acquireReadSync(options?: AcquireOptions): Guard {
    check(this, 'acquireReadSync')
    return this.#block(READ, options)
  }

  /** Waits for the write hold, blocking this thread. @throws as {@link RWLock.writeSync} */
  acquireWriteSync(options?: AcquireOptions): Guard {
    check(this, 'acquireWriteSync')
    return this.#block(WRITE, options)
  }

  // ---- looking and closing

  /** Who holds the lock, who waits, who died inside. @throws `ERR_LOCK_CLOSED` */
  inspect(): LockSnapshot {
    check(this, 'inspect')
    this.#handle.assertOpen()
    return snapshot(translated(() => binding.inspect(this.#handle.attachment)))
  }

  /**
   * Every named lock of this user, each as it was at one moment. Left out is what is no valid lock, because something else wrote
   * into its record or its memory, and what another version of this package made.
   *
   * @throws `ERR_LOCK_ACCESS` if one of them cannot be read, for example with too many open files: there is no list that
   * lacks some.
   */
  static list(): LockSnapshot[] {
    return translated(() => binding.list()).map(snapshot)
  }

  /**
   * Removes the named locks that dead processes left and that no process has open, and returns their number. Those whose writer
   * died stay, to report it to the next process that opens them, unless `ownerDied` is `true`. A process also does this, for
   * 10 ms at most, when it opens its first named lock.
   *
   * @throws `ERR_LOCK_ACCESS` if one of them cannot be read or removed; `ERR_INVALID_ARG_TYPE`.
   */
  static prune(options?: PruneOptions): number {
    const { ownerDied = false } = checkPruneOptions(options)
    return translated(() => binding.prune(ownerDied))
  }

  /**
   * Removes a lock that no live process has open, with what it remembers; for a path, the file. `false` if there is none.
   *
   * A symbolic link that leads to the file stays, and leads nowhere then. Other hard links of the file stay, and are the lock still.
   *
   * @throws `ERR_LOCK_BUSY` while it is open anywhere, or if another process is stopped while it removes the same file; else as
   * the constructor.
   */
  static remove(ref: RWLockRef): boolean {
    const { name, path } = checkRef(ref)
    return translated(() => binding.remove(name, path))
  }

  /** What `new RWLock()` turns back into this lock, in any process or worker thread. */
  toJSON(): { name: string } | { path: string } {
    check(this, 'toJSON')
    return { ...this.#handle.location } as { name: string } | { path: string }
  }

  /**
   * Closes this handle: its pending acquisitions reject with `ERR_LOCK_CLOSED`, its holds are released. Does nothing if it
   * is closed already. When the last attachment anywhere closes, the shared memory is removed. A write hold that ends so
   * does not settle an earlier {@link Guard.ownerDied}: only a release does.
   *
   * A lock that is garbage-collected while it holds nothing closes itself.
   */
  close(): void {
    check(this, 'close')
    collected.unregister(this.#handle)
    this.#handle.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  /** @internal See `async-lock.ts`. */
  [identitySymbol](): string {
    this.#handle.assertOpen()
    return translated(() => binding.identity(this.#handle.attachment))
  }

  /** @internal For `console.log`. */
  [inspectSymbol](depth: number, options: object, inspect?: Inspect): string {
    return show('RWLock', this, depth, options, inspect, () => {
      const { location, closed } = this.#handle
      if (closed) return { ...location, closed }
      const { holders, waiters } = this.inspect()
      return { ...location, closed, holders, waiters }
    })
  }

  // ---- inside

  #try(mode: Mode, label?: string): Hold | null {
    const handle = this.#handle
    if (handle.closed) handle.assertOpen()
    const { attachment } = handle
    const hold =
      mode === READ
        ? tryRead(attachment)
        : mode === WRITE
          ? tryWrite(attachment)
          : binding.tryUpgradable(attachment)
    if (hold === 0) return null
    try {
      return new Hold(this, handle, mode, hold, label)
    } catch (error) {
      binding.returnGrant(attachment, mode) // no stack or memory was left
      throw error
    }
  }

  /** Without waiting, and as `options` say; `null` if it has to wait. */
  #now(mode: Mode, options: AcquireOptions | undefined): Hold | null {
    if (options === undefined) return this.#try(mode)
    if (options.signal !== undefined) throwIfAborted(options.signal)
    const hold = this.#try(mode, options.label)
    if (hold === null && options.timeout === 0) throw timeoutError({ handle: this.#handle, mode, timeout: 0 })
    return hold
  }

  #wait(mode: Mode, options: AcquireOptions | undefined): Wait<Hold> {
    const handle = this.#handle
    const { timeout = Number.POSITIVE_INFINITY, signal, label } = options ?? {}
    return new Wait(
      { handle, mode, timeout, signal },
      (key) =>
        translated(() =>
          binding.request(copy.number, key, handle.attachment, mode, timeout, handle.fairness),
        ),
      // If this throws, the binding has the grant still.
      (hold) => new Hold(this, handle, mode, hold, label),
    )
  }

  #block(mode: typeof READ | typeof WRITE, options: AcquireOptions | undefined): Hold {
    const checkedOptions = checked(options)
    const now = this.#now(mode, checkedOptions)
    if (now !== null) return now
    const handle = this.#handle
    const { timeout = Number.POSITIVE_INFINITY, label } = checkedOptions ?? {}
    const hold = translated(() => binding.wait(handle.attachment, mode, timeout, handle.fairness))
    if (Number.isNaN(hold)) throw timeoutError({ handle, mode, timeout })
    try {
      return new Hold(this, handle, mode, hold, label)
    } catch (error) {
      binding.returnGrant(handle.attachment, mode) // as in #try
      throw error
    }
  }

  #scopedSync<T>(
    mode: typeof READ | typeof WRITE,
    fn: (guard: Guard) => T,
    options: AcquireOptions | undefined,
  ): T {
    const handle = this.#handle
    const hold = this.#block(mode, options)
    try {
      return runSync(hold, fn, MODE_NAMES[mode])
    } catch (error) {
      if (!hold.ended && !handle.closed) {
        // No stack was left to end it: so nothing is called here but the binding.
        hold.ended = true
        if (hold.held === READ) handle.reads--
        else handle.exclusive = 0
        binding.returnGrant(handle.attachment, hold.held)
      }
      throw error
    }
  }

  /** Not `async`: an `await` costs what the lock itself does. */
  #scoped<T>(
    mode: Mode,
    fn: (guard: Guard) => T | PromiseLike<T>,
    options: AcquireOptions | undefined,
  ): Promise<T> {
    const handle = this.#handle
    let now: Hold | null = null
    let wait: Wait<Hold> | null = null
    try {
      checkFunction('fn', fn)
      const checkedOptions = checked(options)
      const signal = checkedOptions?.signal
      const body = signal === undefined ? fn : unlessAborted(signal, fn)
      now = this.#now(mode, checkedOptions)
      if (now !== null) return runSoon(handle, now, body)
      wait = this.#wait(mode, checkedOptions)
      return runOnceGranted(handle, wait.promise, body)
    } catch (error) {
      // No stack was left to go on with: so nothing is called here but the binding.
      if (now !== null) {
        if (mode === READ) handle.reads--
        else handle.exclusive = 0
        binding.returnGrant(handle.attachment, mode)
      } else if (wait !== null) {
        wait.abandoned = true
      }
      return Promise.reject(error)
    }
  }
}

function checked(options: AcquireOptions | undefined): AcquireOptions | undefined {
  return options === undefined ? undefined : checkAcquireOptions(options)
}

// Functions of their own, whose closures hold nothing else: as methods they cost 30 ns more.

/** `fn`, for which an abort is in time until it begins. If it throws, the hold ends. */
function unlessAborted<T>(signal: AbortSignal, fn: (guard: Guard) => T): (guard: Guard) => T {
  return (guard) => {
    throwIfAborted(signal)
    return fn(guard)
  }
}

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

function snapshot(seen: Snapshot): LockSnapshot {
  const { ownerDied = null, ...rest } = seen
  if (ownerDied !== null) writable(ownerDied)
  return writable({ ...rest, ownerDied } as LockSnapshot)
}
