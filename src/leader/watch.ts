import { Buffer } from 'node:buffer'
import { clearTimeout, setTimeout } from 'node:timers' // not the global ones, which a test may replace
import type { AsyncGuard, AsyncRWLock, Holder } from '../types.js'
import { leaderOf } from './info.js'

/**
 * How often a waiting call looks who leads, in ms. A look takes some microseconds. Nothing tells a
 * waiter that the holder has changed, or its value.
 */
const INTERVAL = 200

/** Looks who leads while a call of `lead()` waits. */
export class Watch<G extends AsyncGuard> {
  readonly #lock: AsyncRWLock<G>
  readonly #onOther: (holder: Holder, value: Uint8Array | null) => unknown
  readonly #fail: (error: unknown) => void
  #timer: NodeJS.Timeout | undefined
  #ended = false
  #last: { token: bigint; value: Uint8Array | null } | undefined

  constructor(
    lock: AsyncRWLock<G>,
    onOther: (holder: Holder, value: Uint8Array | null) => unknown,
    fail: (error: unknown) => void,
  ) {
    this.#lock = lock
    this.#onOther = onOther
    this.#fail = fail
    this.#lookIn(0)
  }

  end(): void {
    this.#ended = true
    clearTimeout(this.#timer)
  }

  /** The request that waits keeps the process alive, not the look. */
  #lookIn(ms: number): void {
    if (!this.#ended) this.#timer = setTimeout(() => this.#look(), ms).unref()
  }

  async #look(): Promise<void> {
    try {
      const snapshot = await this.#lock.inspect()
      const leader = leaderOf(snapshot)
      if (!this.#ended && leader !== null && this.#isNew(snapshot.token, leader.value)) {
        this.#last = { token: snapshot.token, value: leader.value }
        await this.#onOther(leader.holder, leader.value)
      }
      this.#lookIn(INTERVAL)
    } catch (error) {
      if (!this.#ended) this.#fail(error)
    }
  }

  #isNew(token: bigint, value: Uint8Array | null): boolean {
    const last = this.#last
    if (last === undefined || last.token !== token) return true
    if (value === null || last.value === null) return value !== last.value
    return Buffer.compare(value, last.value) !== 0
  }
}
