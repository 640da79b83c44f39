import { throwIfAborted } from './abort.js'
import { isTraced } from './diagnostics.js'
import type { BlockingEngine } from './engine.js'
import { checkLock, EngineLock, explained, isPromiseLike, scopesOf } from './engine-lock.js'
import { invalidValue } from './errors.js'
import type { Hold } from './guard.js'
import { type Inspect, inspectSymbol, show } from './inspect.js'
import { MODE_NAMES, type Mode, READ, UPGRADABLE, WRITE } from './modes.js'
import { checkAcquireOptions, checkFunction } from './options.js'
import type { JointHold } from './reentrant/joint-hold.js'
import { ScopedHold } from './reentrant/scoped-hold.js'
import { binding } from './shared-memory/binding.js'
import type { Handle, SharedHold } from './shared-memory/handle.js'
import { warnOfLoss } from './shared-memory/lost-guards.js'
import { open } from './shared-memory/open.js'
import { checkPruneOptions, checkRef } from './shared-memory/options.js'
import { snapshotOf } from './shared-memory/snapshot.js'
import { translated } from './shared-memory/translate.js'
import { Acquisition, traceTry } from './tracing.js'
import type {
  AcquireOptions,
  AsyncRWLock,
  Guard,
  LockSnapshot,
  PruneOptions,
  RWLockOptions,
  RWLockRef,
} from './types.js'

/** Closes the handles whose lock was collected. */
const collected = new FinalizationRegistry<Handle>((handle) => {
  if (handle.closed) return
  // A guard refers to its lock, and so was collected with it.
  if (handle.exclusive === WRITE) warnOfLoss(handle)
  handle.leave()
})

/**
 * A reader-writer lock that every process on the machine can share.
 *
 * ```ts
 * const lock = new RWLock('my-app/cache')
 * await lock.read(async () => { … })            // shared
 * await lock.write(async (guard) => { … })      // exclusive
 * ```
 *
 * Opening the same lock twice in one thread gives two handles of one attachment.
 */
export class RWLock extends EngineLock<Guard, number> implements AsyncRWLock<Guard>, Disposable {
  readonly #handle: Handle
  /** The engine of the calls with a function. */
  readonly #scopes: Pick<BlockingEngine<number>, 'block'>

  /**
   * Opens the lock, and creates it if there is none. Without `ref` it gets a random name, which
   * `toJSON()` returns. When all processes that know the name are dead, what they left is removed,
   * even if one died while it wrote.
   *
   * Opening never waits for a stopped process (SIGSTOP, a debugger, a frozen container), with one
   * exception: if that process is creating or removing the same file of a lock with a path, this
   * throws `ERR_LOCK_BUSY` after 50 ms.
   *
   * @throws `ERR_LOCK_FULL`, `ERR_LOCK_CORRUPT`, `ERR_LOCK_INCOMPATIBLE`, `ERR_LOCK_ACCESS`,
   * `ERR_LOCK_BUSY`; `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`.
   */
  constructor(ref?: RWLockRef, options?: RWLockOptions) {
    let handle!: Handle
    super((lock) => {
      handle = open(lock, ref, options)
      return handle
    }, options)
    this.#handle = handle
    this.#scopes = scopesOf(this) as BlockingEngine<number>
    collected.register(this, handle, handle)
  }

  // ---- without waiting

  /**
   * A read hold if the lock can be granted without waiting, else `null`.
   *
   * @throws `ERR_LOCK_CLOSED`
   */
  override tryRead(): Guard | null {
    try {
      if (isTraced()) return this.#traced(READ)
      return this.#handle.tryAcquire(this, READ)
    } catch (error) {
      throw explained(error, this, 'tryRead')
    }
  }

  /**
   * The write hold if the lock can be granted without waiting, else `null`.
   *
   * @throws `ERR_LOCK_CLOSED`
   */
  override tryWrite(): Guard | null {
    try {
      if (isTraced()) return this.#traced(WRITE)
      return this.#handle.tryAcquire(this, WRITE)
    } catch (error) {
      throw explained(error, this, 'tryWrite')
    }
  }

  /**
   * The upgradable hold if the lock can be granted without waiting, else `null`.
   *
   * @throws `ERR_LOCK_CLOSED`
   */
  override tryUpgradable(): Guard | null {
    try {
      if (isTraced()) return this.#traced(UPGRADABLE)
      return this.#handle.tryAcquire(this, UPGRADABLE)
    } catch (error) {
      throw explained(error, this, 'tryUpgradable')
    }
  }

  // ---- blocking this thread

  /**
   * Like {@link RWLock.read}, but blocks this thread and its event loop. For scripts and start-up
   * code. The call is served before the pending acquisitions of this thread, which could not run
   * meanwhile.
   *
   * @throws The error of `fn`; `ERR_LOCK_TIMEOUT`, `ERR_LOCK_CLOSED`, `ERR_LOCK_CORRUPT`;
   * `ERR_LOCK_DEADLOCK` if only this thread could release the lock, because it holds the lock for
   * write; `ERR_INVALID_ARG_VALUE` if `fn` returns a promise.
   */
  readSync<T>(fn: (guard: Guard) => T, options?: AcquireOptions): T {
    checkLock(this, 'readSync')
    checkFunction('fn', fn)
    return this.#scopedSync(READ, fn, options)
  }

  /**
   * Like {@link RWLock.readSync}, but exclusive.
   *
   * @throws As {@link RWLock.readSync}; `ERR_LOCK_DEADLOCK` if this thread holds the lock in any mode.
   */
  writeSync<T>(fn: (guard: Guard) => T, options?: AcquireOptions): T {
    checkLock(this, 'writeSync')
    checkFunction('fn', fn)
    return this.#scopedSync(WRITE, fn, options)
  }

  /**
   * Waits for a read hold, blocking this thread.
   *
   * @throws As {@link RWLock.readSync}.
   */
  acquireReadSync(options?: AcquireOptions): Guard {
    checkLock(this, 'acquireReadSync')
    return this.#block(this.#handle, READ, options)
  }

  /**
   * Waits for the write hold, blocking this thread.
   *
   * @throws As {@link RWLock.writeSync}.
   */
  acquireWriteSync(options?: AcquireOptions): Guard {
    checkLock(this, 'acquireWriteSync')
    return this.#block(this.#handle, WRITE, options)
  }

  // ---- inspecting and closing

  /**
   * The holders, the waiters, and the writer that died during its hold.
   *
   * @throws `ERR_LOCK_CLOSED`
   */
  override inspect(): LockSnapshot {
    checkLock(this, 'inspect')
    this.#handle.assertOpen()
    return this.#handle.inspect()
  }

  /**
   * All named locks of this user, each as it was at one moment. Left out is what is no valid lock,
   * because another program wrote into its record or its memory, and what another version of this
   * package created.
   *
   * @throws `ERR_LOCK_ACCESS` if one of them cannot be read, for example with too many open files:
   * a list is never incomplete.
   */
  static list(): LockSnapshot[] {
    return translated(() => binding.list()).map(snapshotOf)
  }

  /**
   * Removes the named locks that dead processes left and that no process has open, and returns
   * their number. Those whose writer died stay, to report it to the next process that opens them,
   * unless `ownerDied` is `true`. A process also does this, for at most 10 ms, when it opens its
   * first named lock.
   *
   * @throws `ERR_LOCK_ACCESS` if one of them cannot be read or removed; `ERR_INVALID_ARG_TYPE`.
   */
  static prune(options?: PruneOptions): number {
    const { ownerDied = false } = checkPruneOptions(options)
    return translated(() => binding.prune(ownerDied))
  }

  /**
   * Removes a lock that no live process has open, and its persisted state; for a path, the file.
   * `false` if there is none.
   *
   * A symbolic link to the file stays, and then leads nowhere. Other hard links of the file stay,
   * and still are the lock.
   *
   * @throws `ERR_LOCK_BUSY` while a process has it open, or if another process is stopped while it
   * removes the same file; else as the constructor.
   */
  static remove(ref: RWLockRef): boolean {
    const { name, path } = checkRef(ref)
    return translated(() => binding.remove(name, path))
  }

  /** What `new RWLock()` turns into this lock again, in any process or worker thread. */
  toJSON(): { name: string } | { path: string } {
    checkLock(this, 'toJSON')
    return { ...this.#handle.location } as { name: string } | { path: string }
  }

  /**
   * Closes this handle: its pending acquisitions reject with `ERR_LOCK_CLOSED`, its holds are
   * released. No effect if it is closed. When the last attachment of any process closes, the shared
   * memory is removed. A write hold that ends by this does not clear an earlier
   * {@link Guard.ownerDied}: only a release does.
   *
   * A lock that is garbage-collected while it holds nothing closes itself.
   */
  override close(): void {
    checkLock(this, 'close')
    collected.unregister(this.#handle)
    super.close()
  }

  [Symbol.dispose](): void {
    this.close()
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

  #block(
    engine: Pick<BlockingEngine<number>, 'block'>,
    mode: typeof READ | typeof WRITE,
    options: AcquireOptions | undefined,
  ): SharedHold {
    const checked = options === undefined ? undefined : checkAcquireOptions(options)
    if (checked?.signal !== undefined) throwIfAborted(checked.signal)
    if (!isTraced()) return engine.block(this, mode, checked) as SharedHold
    const trace = new Acquisition(this, this.#handle, mode, checked)
    return traceTry(trace, () => engine.block(this, mode, checked, trace)) as SharedHold
  }

  #traced(mode: Mode): SharedHold | null {
    const handle = this.#handle
    const trace = new Acquisition(this, handle, mode, undefined)
    return traceTry(trace, () => handle.tryAcquire(this, mode)) as SharedHold | null
  }

  #scopedSync<T>(
    mode: typeof READ | typeof WRITE,
    fn: (guard: Guard) => T,
    options: AcquireOptions | undefined,
  ): T {
    const hold = this.#block(this.#scopes, mode, options)
    try {
      return runSync(hold, fn, MODE_NAMES[mode])
    } catch (error) {
      const handle = this.#handle
      let ending: Hold<number> | null = hold
      if (!hold.ended && (hold as object) instanceof ScopedHold) {
        hold.ended = true
        const joint = hold.grant as unknown as JointHold
        joint.forget(hold as never)
        ending = joint.isUnused ? (joint.hold as Hold<number>) : null
      }
      if (ending !== null && !ending.ended && !handle.closed) {
        // No stack was left to release it: nothing is called here but the addon.
        ending.ended = true
        if (ending.held === READ) handle.reads--
        else handle.exclusive = 0
        binding.returnGrant(handle.attachment, ending.held)
      }
      throw error
    }
  }
}

function runSync<T>(hold: SharedHold, fn: (guard: Guard) => T, method: 'read' | 'write'): T {
  let result: T
  try {
    result = hold.run(fn)
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
