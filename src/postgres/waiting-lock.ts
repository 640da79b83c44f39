// The requests of a lock to the server: each waits in a session, until it is granted or cancelled.
import type { LockError } from '../errors.js'
import { READ, UPGRADABLE, WRITE } from '../modes.js'
import type { Row, ServerError } from './adapter.js'
import { cancelStatement } from './cancel.js'
import { serverError } from './errors.js'
import type { Attempt, Entry } from './requests.js'
import type { ServerHold } from './server-hold.js'
import { ServerLock } from './server-lock.js'
import { type Session, SessionLost } from './session.js'
import { within } from './time.js'

/** How long a request without a timeout waits for a connection, in milliseconds. */
const LONGEST_OUTAGE = 30_000
/** Pauses between tries on `main`, while there is no session to wait in. */
export const FIRST_PAUSE = 20
export const LONGEST_PAUSE = 200

const WAIT = { [READ]: 'read', [UPGRADABLE]: 'upgradable', [WRITE]: 'write' } as const

export abstract class WaitingLock extends ServerLock {
  /** What the server is asked for. */
  readonly attempts = new Set<Attempt>()
  /** Called when a request has begun to wait. */
  onWait: () => void = () => {}

  /** Why there is no connection, if there is none. */
  get outage(): LockError | undefined {
    for (const { unavailable } of this.attempts) if (unavailable !== undefined) return unavailable
    return undefined
  }

  protected noteWaits(entries: Iterable<Entry>): void {
    for (const entry of entries) entry.request.waits()
    this.onWait()
  }

  /** It is known whether the lock limits its readers. */
  protected abstract opened(attempt: Attempt): void

  /** `null`: it was cancelled. */
  protected async acquire(attempt: Attempt): Promise<ServerHold | null> {
    while (!attempt.cancelled) {
      try {
        if (!this.isOpen) {
          await this.open()
          this.opened(attempt)
        }
        const hold = await this.#fromServer(attempt)
        if (!hold?.lost) return hold
      } catch (error) {
        if (!attempt.cancelled) await this.#beforeRetry(error as Error, attempt)
      }
    }
    return null
  }

  /** Throws what a retry does not mend. */
  async #beforeRetry(error: ServerError, attempt: Attempt): Promise<void> {
    if (error instanceof SessionLost) return
    if (error.code === 'P0002') {
      this.isOpen = false // the row was removed meanwhile
      return
    }
    // Cancelled by somebody else.
    if (error.code === '57014') return
    const mapped = serverError(this.text, error)
    if (mapped.code !== 'ERR_LOCK_UNAVAILABLE') throw mapped
    const now = performance.now()
    if (attempt.unavailable === undefined) attempt.unavailableSince = now
    attempt.unavailable = mapped
    const since = Math.min(attempt.unavailableSince, this.sessions.downSince ?? now)
    for (const entry of attempt.entries) {
      if (entry.request.timeout !== Number.POSITIVE_INFINITY) continue // its timer ends it
      // An entry may have been in the queue for a part of the outage.
      if (now - Math.max(entry.since, since) <= LONGEST_OUTAGE) continue
      attempt.entries.delete(entry)
      entry.fail(mapped)
    }
    if (attempt.entries.size === 0) throw mapped
    await attempt.wakeup.pause(this.sessions.pause + 1)
  }

  async #fromServer(attempt: Attempt): Promise<ServerHold | null> {
    // One statement, whether the lock is free or not.
    const idle = this.sessions.takeIdle()
    if (idle !== null) return this.#waitIn(idle, attempt)
    const { mode, label } = attempt
    if (mode === WRITE || (mode === READ && !this.needsOwnLabel(label))) {
      const hold = await this.tryOnMain(mode, label)
      if (hold !== null || attempt.cancelled) return hold
      attempt.unavailable = undefined // that was another time
      this.noteWaits(attempt.entries)
    }
    const place = this.sessions.place()
    try {
      // The sessions may all have holds that end only after this one is granted: so `main` tries, too.
      // An upgradable hold should have a session that can wait for its upgrade.
      let ms = mode !== WRITE && this.sessions.canOpen ? 10 * FIRST_PAUSE : FIRST_PAUSE
      for (;;) {
        const session = await place.within(ms * (0.75 + Math.random() / 2), attempt.wakeup)
        if (session !== null) return await this.#waitIn(session, attempt)
        if (attempt.cancelled) return null
        const hold = await this.tryOnMain(mode, label)
        if (hold !== null) return hold
        ms = Math.min(ms * 1.5, LONGEST_PAUSE)
      }
    } finally {
      place.leave()
    }
  }

  /** Lets a session wait for the lock. */
  async #waitIn(session: Session, attempt: Attempt): Promise<ServerHold | null> {
    const { mode, label } = attempt
    if (attempt.cancelled) {
      this.sessions.giveBack(session)
      return null
    }
    if (session.label !== label) {
      session.label = label
      session.run('labelSession', [label]).catch(() => {})
    }
    const number = session.sent
    session.waits = true
    attempt.unavailable = undefined
    attempt.session = session
    const statement = this.isLimited(mode) ? 'readLimited' : WAIT[mode]
    const answer = session.run(statement, this.parameters(session, mode, label))
    for (const { request } of attempt.entries) {
      if (request.trace === undefined) continue
      void this.#noteBlocked(attempt, session, number)
      break
    }
    let cancelling: Promise<void> | undefined
    attempt.canceller = () => {
      cancelling ??= cancelStatement(this.sessions, session, number, answer)
    }
    try {
      const rows = await answer
      session.waits = false
      attempt.canceller = undefined
      await cancelling
      if (session.dead !== null) throw session.dead
      return this.granted(session, mode, rows[0] as Row)
    } catch (error) {
      session.waits = false
      attempt.canceller = undefined
      await cancelling
      if (session.dead !== null) throw session.dead
      // What it had got before it failed it has still.
      this.clean(session, 'unlockAll')
      this.sessions.giveBack(session)
      throw error
    } finally {
      attempt.session = null
    }
  }

  /** For traces: a session that waits does not say so. */
  async #noteBlocked(attempt: Attempt, session: Session, number: number): Promise<void> {
    const isAsked = () => session.waits && session.sent === number + 1 && attempt.session === session
    for (let ms = 5; ; ms = Math.min(2 * ms, LONGEST_PAUSE)) {
      await within(ms, attempt.ended)
      const main = this.sessions.mainNow
      if (!isAsked() || main === null) return
      const [row] = await main.run('blocked', [session.backend]).catch(() => [])
      if (isAsked() && row?.ok === 't') return this.noteWaits(attempt.entries)
    }
  }
}
