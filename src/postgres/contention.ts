// Tells holders that a request waits. Those of this process are known; for those of other processes
// the server is asked, and only while somebody wants to know.
import { MODE_NAMES, type Mode, type ModeName, READ } from '../modes.js'
import type { Notice } from '../notice.js'
import type { Grant } from './hold.js'
import { keepsOut } from './inspect.js'
import type { LocalLock } from './local-lock.js'

/** Between two looks, in milliseconds. */
const INTERVAL = 50
/** How long a look is worth something. */
const VALID = 500

export class Contention {
  readonly #local: LocalLock
  readonly #notices = new Map<Notice<Grant>, Mode>()
  /** What other processes wait for, as last seen. */
  #wanted: ModeName[] = []
  #seenAt = Number.NEGATIVE_INFINITY
  #looking = false
  #timer: NodeJS.Timeout | undefined

  constructor(local: LocalLock) {
    this.#local = local
    local.onWait = () => this.#settle()
  }

  /**
   * Whether a request waits that a hold in that mode keeps out, as far as it is known now. `since`:
   * when the hold began, by `performance.now()`; what was seen before is over.
   */
  isContended(mode: Mode, since: number): boolean {
    if (this.#isWantedHere(mode)) return true
    const age = performance.now() - this.#seenAt
    if (age > INTERVAL) void this.#look()
    return age < VALID && this.#seenAt > since && this.#isWantedElsewhere(mode)
  }

  notify(notice: Notice<Grant>, mode: Mode): void {
    this.#notices.set(notice, mode)
    this.#wanted = []
    if (this.#isWantedHere(mode)) this.#settle()
    else void this.#look()
  }

  forget(notice: Notice<Grant>): void {
    this.#notices.delete(notice)
  }

  #isWantedHere(mode: Mode): boolean {
    const held = MODE_NAMES[mode] as ModeName
    if (mode === READ && this.#local.upgrades.size > 0) return true
    return this.#local.queue.some((entry) => this.#keepsOut(held, MODE_NAMES[entry.mode] as ModeName))
  }

  #isWantedElsewhere(mode: Mode): boolean {
    return this.#wanted.some((wanted) => this.#keepsOut(MODE_NAMES[mode] as ModeName, wanted))
  }

  #keepsOut(held: ModeName, wanted: ModeName): boolean {
    return keepsOut(held, wanted, this.#local.limit != null)
  }

  async #look(): Promise<void> {
    if (this.#looking) return
    this.#looking = true
    try {
      this.#wanted = await this.#local.wantedElsewhere()
      this.#seenAt = performance.now()
    } catch {
      // The next look will tell.
    }
    this.#looking = false
    this.#settle()
    if (this.#notices.size === 0 || this.#timer !== undefined) return
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      if (this.#notices.size > 0) void this.#look()
    }, INTERVAL).unref()
  }

  #settle(): void {
    for (const [notice, mode] of [...this.#notices]) {
      if (!this.#isWantedHere(mode) && !this.#isWantedElsewhere(mode)) continue
      notice.engine.forget(notice)
      notice.settle()
    }
  }
}
