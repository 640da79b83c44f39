// One lock, as this process sees it: what it holds, and its own queue. Each layer is a file:
//
// - `server-lock.ts`: the statements about it, and tries
// - `waiting-lock.ts`: requests that wait at the server
// - `queued-lock.ts`: the local queue, grants and releases
// - `changing-lock.ts`: upgrades and downgrades
import { LockError } from '../errors.js'
import { type Mode, READ, UPGRADABLE, WRITE } from '../modes.js'
import type { ServerError } from './adapter.js'
import { ChangingLock } from './changing-lock.js'
import { serverError } from './errors.js'
import type { ServerHold } from './server-hold.js'
import { type Session, SessionLost } from './session.js'
import { Wakeup } from './time.js'
import { FIRST_PAUSE } from './waiting-lock.js'

export class LocalLock extends ChangingLock {
  get isUsed(): boolean {
    const isTried = this.triedReads > 0 || this.exclusive !== null
    const isRequested = this.queue.length > 0 || this.attempts.size > 0
    return isTried || isRequested || this.holds.size > 0 || this.releases.size > 0
  }

  /** `main`, when the lock has its row, and the server has done what this process has given up. */
  async openMain(): Promise<Session> {
    await this.cancelled()
    try {
      if (!this.isOpen) await this.open()
    } catch (error) {
      throw serverError(this.text, error as ServerError)
    }
    return this.sessions.main()
  }

  /** A hold with one user, if the lock is free. */
  async try(mode: Mode, label: string, fairness: number): Promise<ServerHold | null> {
    if (this.ending.size > 0) await this.cancelled()
    // Before the lock is open, readers are in the queue that may be about to join.
    if (this.queue.length > 0 && this.limit !== undefined) return null
    if (mode === READ) {
      if (this.isWriting) return null
      const joined = this.joinableFor(fairness)
      if (joined !== null) {
        joined.count++
        return joined
      }
    } else {
      if (this.exclusive !== null) return null
      if (mode === WRITE && (this.reads > 0 || this.reading !== null || this.triedReads > 0)) return null
      this.exclusive = { mode }
    }
    const mine = this.exclusive
    let hold: ServerHold | null = null
    if (mode === READ) this.triedReads++
    try {
      hold = await this.#tryNow(mode, label)
    } catch (error) {
      throw error instanceof LockError ? error : serverError(this.text, error as ServerError)
    } finally {
      if (mode === READ) this.triedReads--
      else if (this.exclusive === mine) this.exclusive = null
      this.pump()
    }
    return hold
  }

  async #tryNow(mode: Mode, label: string): Promise<ServerHold | null> {
    for (let attempts = 0; ; attempts++) {
      try {
        if (!this.isOpen) await this.open()
        const idle = mode === UPGRADABLE ? await this.#sessionFor() : null
        const hold = idle === null ? await this.tryOnMain(mode, label) : await this.tryIn(idle, mode, label)
        if (!hold?.lost) return hold
      } catch (error) {
        const { code } = error as ServerError
        if (code === 'P0002') this.isOpen = false
        else if (!(error instanceof SessionLost) && code !== '57014') throw error
        if (attempts === 3) throw error
      }
    }
  }

  /** A session in which an upgradable hold can wait for its upgrade, if there is one soon. */
  async #sessionFor(): Promise<Session | null> {
    const idle = this.sessions.takeIdle()
    if (idle !== null || !this.sessions.canOpen) return idle
    const place = this.sessions.place()
    try {
      return await place.within(10 * FIRST_PAUSE, new Wakeup())
    } finally {
      place.leave()
    }
  }
}
