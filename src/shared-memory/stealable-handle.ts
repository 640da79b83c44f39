import { LockError } from '../errors.js'
import type { Hold } from '../guard.js'
import { FAILED, type HoldEnd, type Mode, type READ, type WRITE } from '../modes.js'
import type { PendingRequest } from '../pending.js'
import type { Acquisition } from '../tracing.js'
import type { AcquireOptions } from '../types.js'
import { binding } from './binding.js'
import { Handle, type SharedHold } from './handle.js'
import { copy, nextKey, steals } from './library-copy.js'

/**
 * A handle whose holds may be stolen. It knows all of its holds, and so keeps their guards and its
 * lock reachable, which other handles need not do.
 *
 * While it may have holds, the addon has its wish for a notice of a steal. The wish is stored before
 * a hold begins, or else the addon looks for a steal afterwards; so none is missed.
 */
export class StealableHandle extends Handle {
  /**
   * No warnings: in Web Locks, a thread that holds one lock for good and waits for another is
   * usual, as in the election of a leader for each.
   */
  override readonly waitGraph = undefined
  readonly #holds = new Set<Hold<number>>()
  /** The name of the wish in the addon; 0: there is none. */
  #key = 0

  override tryAcquire(lock: object, mode: Mode, label?: string): SharedHold | null {
    const hold = super.tryAcquire(lock, mode, label)
    if (hold !== null) this.#begin(hold, true)
    return hold
  }

  override block(
    lock: object,
    mode: typeof READ | typeof WRITE,
    options: AcquireOptions | undefined,
    trace?: Acquisition,
  ): SharedHold {
    const hold = super.block(lock, mode, options, trace)
    this.#begin(hold, true)
    return hold
  }

  override granted(request: PendingRequest<number>, grant: number): Hold<number> {
    const hold = super.granted(request, grant)
    this.#begin(hold, false)
    return hold
  }

  /** `owns`: the hold is released if this fails, because no stack was left. */
  #begin(hold: Hold<number>, owns: boolean): void {
    try {
      this.#holds.add(hold)
      if (this.#key === 0) this.#listen()
      else binding.lookForSteal(this.attachment)
    } catch (error) {
      this.#holds.delete(hold)
      hold.ended = true
      if (owns) super.release(hold, FAILED)
      else this.forgetHold(hold)
      throw error
    }
  }

  #listen(): void {
    const key = nextKey()
    this.#key = key
    steals.set(key, this)
    binding.wantStealNotice(copy.number, key, this.attachment)
  }

  override release(hold: Hold<number>, end: HoldEnd): void {
    try {
      super.release(hold, end)
    } catch (error) {
      if ((error as LockError).code !== undefined) this.#holds.delete(hold)
      throw error
    }
    this.#holds.delete(hold)
  }

  /** Called by the event loop: another request wants the lock. All holds of this handle end. */
  giveUp(): void {
    this.#key = 0 // the next hold asks for the next notice
    const lost = [...this.#holds].filter((hold) => !hold.ended)
    this.#holds.clear()
    const reason = new LockError(
      'ERR_LOCK_LOST',
      `a hold of ${this.text} was stolen by another request: stop using what it protects, and acquire the lock again`,
    )
    for (const hold of lost) hold.lose(reason)
    for (const hold of lost) {
      if (this.closed) return // by a listener: then it has ended them
      try {
        super.release(hold, FAILED)
      } catch {
        // The memory is damaged. The next request reports it.
      }
    }
  }

  override leave(): void {
    if (this.#key !== 0) {
      steals.delete(this.#key)
      binding.dropNotice(copy.number, this.#key, this.attachment)
      this.#key = 0
    }
    this.#holds.clear()
    super.leave()
  }
}
