// The types of the public API.
/** A value, or a promise for it. */
export type Awaitable<T> = T | Promise<T>

/**
 * What identifies a lock.
 *
 * - `'name'` or `{ name }`: shared memory, per user and machine. Any non-empty string of up to 255
 *   UTF-8 bytes.
 * - `{ path }`: the file is the lock. It is created if it is missing. Every process that can map
 *   the file shares the lock: other users by file mode, containers by a bind mount. Network file
 *   systems are refused. A new file has the mode that the umask leaves, without read permission for
 *   users that may not write. A file with such a permission is refused.
 */
export type RWLockRef = string | { name: string } | { path: string | URL }

/** A checked {@link RWLockRef}. */
export type LockLocation = { name: string; path?: never } | { path: string; name?: never }

/** How to open a lock. */
export interface RWLockOptions {
  /**
   * The number of attachments (threads × processes) that can have the lock open at once: 1 to 4095,
   * 128 by default. The process that creates the lock sets it; requesting a different capacity for
   * an existing lock throws `ERR_LOCK_INCOMPATIBLE`.
   */
  capacity?: number | undefined
  /**
   * The most read holds at one time, of all processes together: 1 to 65,535; no limit by default.
   * Each read hold counts, also a nested one; upgradable and write holds do not count. The process
   * that creates the lock sets it, and `inspect().maxReaders` shows it: for another one, close the
   * lock in every process, and remove it if it has a path. See `Semaphore`.
   */
  maxReaders?: number | undefined
  /**
   * How long newcomers may overtake a waiter before the queue closes to them, in milliseconds; 1 by
   * default. 0 is strict first-come, first-served order, over all processes and within one, at the
   * price of a context switch for every contended acquisition. (Nested reads are an exception: see
   * `nestedReads`.)
   */
  fairness?: number | undefined
  /**
   * What becomes of a read that is requested with this lock while its thread reads, or holds the
   * lock upgradable, and a writer waits. `'admit'`, the default: it may be nested in that hold, for
   * which the writer waits, so after 100 ms it is let in past the writer. `'queue'`: it waits in its
   * turn, behind the writer. Code that awaits such a read inside the hold then waits for itself; a
   * synchronous call throws `ERR_LOCK_DEADLOCK` instead.
   */
  nestedReads?: 'admit' | 'queue' | undefined
  /**
   * The name of this attachment in `inspect()`; `process.title` by default. The first 48 bytes of
   * its UTF-8 form are kept.
   */
  label?: string | undefined
  /**
   * Whether a named lock whose writer died outlives its last close, so that the next process that
   * opens it still sees {@link AsyncGuard.ownerDied}; `true` by default. `false`: the last close
   * removes the lock, and with it the report. The process that creates the lock sets it. No effect
   * on a lock with a path: its file stays.
   */
  durable?: boolean | undefined
  /**
   * Whether a call of `read()`, `write()`, `upgradable()`, `readSync()` or `writeSync()` inside a
   * call of the same lock shares the hold of that one, instead of waiting for itself; `false` by
   * default. "Inside" is everything that the function of the outer call runs and awaits, also in
   * other modules and with other `RWLock` objects of the same lock, if they are re-entrant:
   *
   * - Inside a write hold every call begins at once; inside a read hold `read()` does, even if a
   *   writer waits.
   * - `write()` inside an upgradable hold waits until the readers have left, and is upgradable
   *   again afterwards.
   * - `write()` or `upgradable()` inside a read hold rejects with `ERR_LOCK_DEADLOCK`, and the read
   *   hold stays.
   *
   * The hold ends with the last of its calls, for which the outermost one waits. Code that runs on
   * after its call has ended, such as a timer, is outside.
   *
   * Calls that begin in one hold at the same time, with `Promise.all` for example, share it: they
   * do not exclude each other. A guard of `acquireRead()` and the like belongs to no call, and no
   * call shares its hold.
   *
   * Source: the asynchronous context of `AsyncLocalStorage`, in `node:async_hooks`.
   */
  reentrant?: boolean | undefined
}

/** What {@link RWLock.prune} removes. */
export interface PruneOptions {
  /** Whether to remove locks that would report {@link AsyncGuard.ownerDied}; `false` by default. */
  ownerDied?: boolean | undefined
}

/** How to wait for a lock. */
export interface AcquireOptions {
  /**
   * How long to wait for the lock, in milliseconds. It does not limit how long the lock is held. No
   * limit by default; 0 does not wait. After that time the acquisition rejects with
   * `ERR_LOCK_TIMEOUT`.
   */
  timeout?: number | undefined
  /**
   * Ends the wait: the acquisition rejects with `signal.reason`. A function that has not begun to
   * run does not run, even if the lock was free. A synchronous call checks the signal only before
   * it waits.
   */
  signal?: AbortSignal | undefined
  /** The name of this hold in `inspect()`. The first 48 bytes of its UTF-8 form are kept. */
  label?: string | undefined
}

/** How to wait for a notice: see {@link AsyncGuard.whenContended}. */
export interface NoticeOptions {
  /** Ends the wait: it rejects with `signal.reason`. */
  signal?: AbortSignal | undefined
}

/** An attachment (a thread that has the lock open) that holds a lock. */
export interface Holder {
  /** Process id, relative to the PID namespace of the holder. */
  pid: number
  /** `worker_threads.threadId`: 0 is the main thread. */
  threadId: number
  mode: 'read' | 'write' | 'upgradable'
  /** The number of holds in this mode: the reads of one thread are one entry. */
  count: number
  /** The label of the hold; without one, the label of its attachment. */
  label: string
  /** How long it has held the lock, in milliseconds; of several holds, the longest. */
  ms: number
  /** The name of its machine, if the lock is shared by several. */
  host?: string
}

/** A request that waits for a lock. */
export interface Waiter extends Holder {
  /** 1: each request has its own entry. */
  count: number
  /**
   * The label of the request (in a lock in shared memory, its first 24 bytes); without one, the
   * label of its attachment.
   */
  label: string
  /** How long it has waited, in milliseconds. */
  ms: number
  /**
   * The number of requests of the same thread that follow this one and have no entry. An engine may
   * limit the entries of one thread; shared memory has 3.
   */
  more: number
}

/**
 * A writer whose hold ended without release: the data that the lock protects may be half-written.
 */
export interface OwnerDied {
  /** Process id, relative to the PID namespace of that process. */
  pid: number
  /** `worker_threads.threadId`: 0 is the main thread. */
  threadId: number
  /** The label of its hold; without one, the label of its attachment. */
  label: string
  /** The fencing token of its hold. */
  token: bigint
  /** The name of its machine, if the lock is shared by several. */
  host?: string
  /**
   * The server of the lock was replaced by a standby, which may lack the last changes: so it is not
   * known whether a writer died. `pid` is 0 then.
   */
  failover?: true
}

/**
 * The state of a lock at one moment. It may have changed since. `JSON.stringify` writes its tokens
 * as strings.
 */
export interface LockSnapshot {
  /** The name, if the lock was opened by name. */
  name?: string
  /** The path, if the lock was opened by path. */
  path?: string
  /** The attachments that hold the lock. */
  holders: Holder[]
  /** The requests that wait for the lock, in the order of the queue. */
  waiters: Waiter[]
  /** Whether a request waits that a hold keeps out: see {@link AsyncGuard.contended}. */
  contended: boolean
  /** The last fencing token that was issued. */
  token: bigint
  /** See {@link AsyncGuard.ownerDied}. */
  ownerDied: OwnerDied | null
  /** The number of attachments that can have the lock open at once. */
  capacity: number
  /** The most read holds at one time; `null` if there is no limit. */
  maxReaders: number | null
  /**
   * The lock's value, which `guard.setValue()` sets; `null` if there is none. `JSON.stringify` writes
   * it in base64.
   */
  value: Uint8Array | null
  /**
   * The fencing token of the write hold that set the value. If it equals `token`, that is the writer
   * among the holders; without one, the last writer. `null` if there is no value, or if the lock was
   * acquired and released all the time while the snapshot was taken.
   */
  valueToken: bigint | null
}

/**
 * A hold of a lock, as every engine offers it. Where an engine needs no answer from elsewhere a
 * method returns its result, else a promise for it: `await` serves both. The guard of a lock in
 * shared memory is a {@link Guard}.
 */
export interface AsyncGuard extends AsyncDisposable {
  /** The mode in which the lock is held now. */
  readonly mode: 'read' | 'write' | 'upgradable'
  /** Whether the hold has ended. */
  readonly released: boolean
  /**
   * The fencing token: strictly greater for every later write hold, including after crashes and
   * after the lock was removed and created again. Pass it to the resource that the lock protects,
   * and let that resource refuse a token smaller than the greatest it has seen. A reader has the
   * token of the last write hold.
   *
   * Source: M. Kleppmann, "How to do distributed locking" (2016).
   */
  readonly token: bigint
  /**
   * The last writer whose hold ended without release: its process was killed, crashed or exited, or
   * its worker was terminated. It is reported until a write hold ends normally: until then the
   * protected data may be half-written. `null` if there is none.
   *
   * Source: the "owner died" state of robust mutexes, POSIX `pthread_mutex_lock`, `EOWNERDEAD`.
   */
  readonly ownerDied: OwnerDied | null
  /**
   * The lock's value, as the last writer left it; for a write hold also what it has set itself.
   * `null` if there is none. Each access gives a new copy.
   *
   * @throws `ERR_LOCK_CLOSED` if the hold has ended.
   */
  readonly value: Uint8Array | null | Promise<Uint8Array | null>
  /**
   * Ends the hold. No effect if it has ended already. A promise that this returns may be ignored.
   */
  release(): void | Promise<void>
  /**
   * Waits until the readers have left, and turns the upgradable hold into a write hold. If that
   * fails, the hold is upgradable still.
   *
   * Rejects with `ERR_LOCK_TIMEOUT`; with `signal.reason`; with `ERR_LOCK_DEADLOCK` for a read
   * hold, which could wait for itself (use `lock.upgradable()`, or `tryUpgrade()`); with
   * `ERR_LOCK_BUSY` if the hold is being upgraded already; with `ERR_LOCK_CLOSED` if the hold ends
   * first.
   */
  upgrade(options?: AcquireOptions): Promise<void>
  /**
   * Turns an upgradable or read hold into a write hold if no other hold is in the way. Never waits.
   * On `false` nothing has changed.
   *
   * @throws `ERR_LOCK_CLOSED` if the hold has ended.
   */
  tryUpgrade(): boolean | Promise<boolean>
  /**
   * Turns a write or upgradable hold into a read hold (`'read'`, the default), or a write hold into
   * an upgradable one. No writer gets the lock in between.
   *
   * @throws `ERR_LOCK_CLOSED` if the hold has ended; `ERR_LOCK_BUSY` if an upgradable hold cannot
   * become a read hold because `maxReaders` is reached: it stays upgradable; `ERR_INVALID_ARG_VALUE`.
   */
  downgrade(to?: 'read' | 'upgradable'): void | Promise<void>
  /**
   * Replaces the lock's value: up to 1,024 bytes that live with the lock, such as who leads, an
   * address, a version or a cursor. A string is stored as UTF-8; `null` removes the value. Only for
   * a write hold.
   *
   * Others see the new value at once, while the hold lasts: holders as {@link AsyncGuard.value}, and
   * processes that hold nothing as `inspect().value`. It is replaced as a whole: if the process dies
   * at any instruction, the old value or the new one is left.
   *
   * It lasts as long as the memory of the lock: until its last close, or its removal; for a lock
   * with a path, as long as the file. After a power failure, the file has a value that was set
   * earlier, or none; never a mixture.
   *
   * Source: the lock value block of the VMS distributed lock manager.
   *
   * @throws `ERR_LOCK_MODE` if the hold is not a write hold; `ERR_LOCK_CLOSED` if it has ended;
   * `ERR_INVALID_ARG_VALUE` for more than 1,024 bytes; `ERR_INVALID_ARG_TYPE`.
   */
  setValue(value: Uint8Array | string | null): void | Promise<void>
  /**
   * Whether a request waits that this hold keeps out: of another process, or of another call of
   * this thread. Cheap enough to ask for each operation. `false` if the hold has ended.
   *
   * A hint: it may be wrong the moment after, and a waiter may give up or die.
   */
  readonly contended: boolean
  /**
   * Waits until a request waits that this hold keeps out; at once if one does already. Also
   * resolves when the hold ends. The wait keeps no process alive, and costs the other processes
   * nothing until they wait themselves.
   *
   * ```ts
   * const guard = await lock.acquireWrite()
   * guard.whenContended().then(() => guard.release())   // keeps the lock until another call wants it
   * ```
   *
   * Resolves soon after a request has begun to wait, and within 20 ms of it even if a process died
   * while it gave notice, provided that the event loop runs. Like {@link AsyncGuard.contended} it
   * is a hint.
   *
   * Rejects with `signal.reason`.
   *
   * Source: the blocking notice of the VMS distributed lock manager, `$ENQ` with `blkast`.
   */
  whenContended(options?: NoticeOptions): Promise<void>
  /**
   * Lets the waiting requests go first, and then holds the lock again in the same mode. The hold keeps
   * its place in the order: it is behind those that waited already, and before those that come
   * later (who may overtake it within their `fairness`, as any other waiter).
   *
   * The hold ends as with `release()`, even if no request waits, so the protected data must be
   * consistent. Afterwards {@link AsyncGuard.token} and {@link AsyncGuard.ownerDied} are those of
   * the new hold. In between {@link AsyncGuard.released} is `true`.
   *
   * Rejects with `ERR_LOCK_TIMEOUT` or `signal.reason`: then the hold has ended, except that a
   * signal that was aborted already changes nothing. Rejects with `ERR_LOCK_BUSY` while the hold is
   * being upgraded; with `ERR_LOCK_CLOSED` if the hold has ended, or if it is released meanwhile.
   *
   * @param options - `label` is that of the new hold; by default it keeps its label.
   */
  yield(options?: AcquireOptions): Promise<void>
  /**
   * Aborts when the hold is lost, which means that it ended although it was not released: the lock
   * was closed, or the hold was stolen (`ERR_LOCK_LOST`: never from an `RWLock`). Its reason is a
   * `LockError`. A release does not abort it.
   */
  readonly signal: AbortSignal
}

/**
 * A hold of a lock. Release it, or let `using` release it:
 *
 * ```ts
 * using guard = await lock.acquireWrite()
 * ```
 *
 * A guard that is garbage-collected does not release its hold: the hold lasts until its thread or
 * process ends. The first write guard that is lost in this way is reported by
 * `process.emitWarning()` with the code `RWLOCK_GUARD_LOST`.
 */
export interface Guard extends AsyncGuard, Disposable {
  /**
   * The lock's value, as the last writer left it; for a write hold also what it has set itself.
   * `null` if there is none. Each access gives a new copy.
   *
   * @throws `ERR_LOCK_CLOSED` if the hold has ended.
   */
  readonly value: Uint8Array | null
  /** Ends the hold. No effect if it has ended already. */
  release(): void
  /**
   * Turns an upgradable or read hold into a write hold if no other hold is in the way. Never waits.
   * On `false` nothing has changed.
   *
   * @throws `ERR_LOCK_CLOSED` if the hold has ended.
   */
  tryUpgrade(): boolean
  /**
   * Turns a write or upgradable hold into a read hold (`'read'`, the default), or a write hold into
   * an upgradable one. No writer gets the lock in between.
   *
   * @throws `ERR_LOCK_CLOSED` if the hold has ended; `ERR_LOCK_BUSY` if an upgradable hold cannot
   * become a read hold because `maxReaders` is reached: it stays upgradable; `ERR_INVALID_ARG_VALUE`.
   */
  downgrade(to?: 'read' | 'upgradable'): void
  /**
   * Replaces the lock's value: up to 1,024 bytes that live with the lock, such as who leads, an
   * address, a version or a cursor. A string is stored as UTF-8; `null` removes the value. Only for
   * a write hold.
   *
   * Others see the new value at once, while the hold lasts: holders as {@link Guard.value}, and
   * processes that hold nothing as `inspect().value`. It is replaced as a whole: if the process dies
   * at any instruction, the old value or the new one is left.
   *
   * It lasts as long as the memory of the lock: until its last close, or its removal; for a lock
   * with a path, as long as the file. After a power failure, the file has a value that was set
   * earlier, or none; never a mixture.
   *
   * Source: the lock value block of the VMS distributed lock manager.
   *
   * @throws `ERR_LOCK_MODE` if the hold is not a write hold; `ERR_LOCK_CLOSED` if it has ended;
   * `ERR_INVALID_ARG_VALUE` for more than 1,024 bytes; `ERR_INVALID_ARG_TYPE`.
   */
  setValue(value: Uint8Array | string | null): void
}

/**
 * A reader-writer lock, as every engine offers it. A program that uses only these members, and
 * awaits what they return, runs over any of them. {@link RWLock}, the lock in shared memory, adds
 * the synchronous ones.
 *
 * ```ts
 * async function refresh(lock: AsyncRWLock) {
 *   await lock.write(async (guard) => { … })
 * }
 * ```
 *
 * @typeParam G - The guard of the engine.
 */
export interface AsyncRWLock<G extends AsyncGuard = AsyncGuard> extends AsyncDisposable {
  /** The name of the lock, if it was opened by name or without a `ref`. */
  readonly name: string | undefined
  /** The path of the lock, if it was opened by path; absolute. */
  readonly path: string | undefined
  /**
   * Runs `fn` while the lock is held for reading, and releases the lock when `fn` has returned or
   * its promise has settled. `fn` never runs before this method has returned.
   *
   * Rejects with the error of `fn`; with `ERR_LOCK_TIMEOUT`, `signal.reason`, `ERR_LOCK_CLOSED`,
   * `ERR_LOCK_CORRUPT`.
   */
  read<T>(fn: (guard: G) => T | PromiseLike<T>, options?: AcquireOptions): Promise<T>
  /** Like {@link AsyncRWLock.read}, but exclusive. `guard.token` is the fencing token. */
  write<T>(fn: (guard: G) => T | PromiseLike<T>, options?: AcquireOptions): Promise<T>
  /**
   * Like {@link AsyncRWLock.read}, but the hold can become a write hold with `guard.upgrade()`. It
   * is shared with readers, and excludes writers and other upgradable holds.
   */
  upgradable<T>(fn: (guard: G) => T | PromiseLike<T>, options?: AcquireOptions): Promise<T>
  /**
   * Makes a thing once for all processes: a build, a download, a schema. Resolves with what
   * `load(guard)` returns while the lock is held for reading. If that is `undefined`, one process
   * holds the lock for writing and calls `make(guard)`, while the others wait; then they load.
   *
   * ```ts
   * const schema = await lock.ensure(() => readIfFresh(output), () => build(source, output))
   * ```
   *
   * Resolves with what `make` returned, or, if it returned nothing, with what `load` returns after
   * it. If the process that makes it dies, another one makes it: `load` is not called, because what
   * is left may be half of it, and `make` sees {@link AsyncGuard.ownerDied}. If `make` throws, this
   * call rejects, and the next process calls `load` and `make`: a `make` that fails must leave
   * nothing that `load` accepts.
   *
   * `timeout` is for all the waits of one call together.
   *
   * Rejects with what `load` or `make` throws; with `ERR_INVALID_ARG_VALUE` if both return nothing;
   * as {@link AsyncRWLock.read}.
   */
  ensure<T>(
    load: (guard: G) => T | undefined | PromiseLike<T | undefined>,
    // biome-ignore lint/suspicious/noConfusingVoidType: what a function without `return` returns.
    make: (guard: G) => T | void | PromiseLike<T | void>,
    options?: AcquireOptions,
  ): Promise<T>
  /**
   * Waits for a read hold. Release it, or let `await using` release it. Rejects as
   * {@link AsyncRWLock.read}.
   */
  acquireRead(options?: AcquireOptions): Promise<G>
  /** Waits for the write hold. Like {@link AsyncRWLock.acquireRead}. */
  acquireWrite(options?: AcquireOptions): Promise<G>
  /** Waits for the upgradable hold. Like {@link AsyncRWLock.acquireRead}. */
  acquireUpgradable(options?: AcquireOptions): Promise<G>
  /**
   * A read hold if the lock can be granted without waiting, else `null`. Fails with
   * `ERR_LOCK_CLOSED`.
   */
  tryRead(): G | null | Promise<G | null>
  /**
   * The write hold if the lock can be granted without waiting, else `null`. Fails with
   * `ERR_LOCK_CLOSED`.
   */
  tryWrite(): G | null | Promise<G | null>
  /**
   * The upgradable hold if the lock can be granted without waiting, else `null`. Fails with
   * `ERR_LOCK_CLOSED`.
   */
  tryUpgradable(): G | null | Promise<G | null>
  /**
   * The holders, the waiters, and the writer that died during its hold. Fails with
   * `ERR_LOCK_CLOSED`.
   */
  inspect(): LockSnapshot | Promise<LockSnapshot>
  /**
   * Closes the lock: its pending acquisitions reject with `ERR_LOCK_CLOSED`, its holds are
   * released. No effect if it is closed.
   */
  close(): void | Promise<void>
}
