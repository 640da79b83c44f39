import { clearTimeout, setTimeout } from 'node:timers' // not the global ones, which a test may replace
import type { RWLock } from './rwlock.js'

/** How long a lock stays open after its last use, in ms: opening and closing it takes 0.1 ms. */
const IDLE_TIMEOUT = 1000
/** Locks that are open without being used, at most: each needs a file descriptor. */
const MAX_IDLE = 16

/** A lock that is used, or was just used. */
export interface OpenLock {
  readonly lock: RWLock
  /** Ends one use. */
  done(): void
}

/** Locks that short operations use, each kept open for a moment after its last use. */
export class KeptOpen {
  /** By user, because another user has another lock of the same name. */
  readonly #open = new Map<number | undefined, Map<string, KeptLock>>()
  /** Those without a use, the oldest first. */
  readonly #idle = new Set<KeptLock>()

  /** The open lock with this key, or the one that `open` opens. The caller must call its `done()`. */
  use(key: string, open: () => RWLock): OpenLock {
    const user = process.geteuid?.()
    let locks = this.#open.get(user)
    if (locks === undefined) {
      locks = new Map()
      this.#open.set(user, locks)
    }
    const lock = locks.get(key) ?? new KeptLock(open(), key, locks, this.#idle)
    lock.use()
    return lock
  }
}

class KeptLock implements OpenLock {
  readonly lock: RWLock
  readonly #key: string
  readonly #locks: Map<string, KeptLock>
  readonly #idle: Set<KeptLock>
  #users = 0
  #timer: NodeJS.Timeout | undefined

  constructor(lock: RWLock, key: string, locks: Map<string, KeptLock>, idle: Set<KeptLock>) {
    this.lock = lock
    this.#key = key
    this.#locks = locks
    this.#idle = idle
    locks.set(key, this)
  }

  use(): void {
    this.#idle.delete(this)
    clearTimeout(this.#timer)
    this.#users++ // last: if no stack is left for the calls, no use has begun
  }

  readonly done = (): void => {
    if (--this.#users > 0) return
    this.#idle.add(this)
    this.#timer = setTimeout(() => this.#close(), IDLE_TIMEOUT).unref()
    const [oldest] = this.#idle
    if (oldest !== undefined && this.#idle.size > MAX_IDLE) oldest.#close()
  }

  #close(): void {
    clearTimeout(this.#timer)
    this.#idle.delete(this)
    this.#locks.delete(this.#key)
    this.lock.close()
  }
}
