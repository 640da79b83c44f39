// Finds out that a connection is gone although the system has not said so: a cut network, a stopped
// server, a proxy that is stuck.
import type { Session } from './session.js'
import type { Sessions } from './sessions.js'

/** What is known of a session that is asked. */
interface Beat {
  /** When it was asked, by `performance.now()`; `undefined`: it has answered. */
  asked: number | undefined
  /** How often the server said that it waits no more, although no answer has come. */
  answeredUnheard: number
}

export class Heartbeat {
  readonly #sessions: Sessions
  readonly #beats = new WeakMap<Session, Beat>()
  readonly #timer: NodeJS.Timeout
  #last = performance.now()

  constructor(sessions: Sessions) {
    this.#sessions = sessions
    this.#timer = setInterval(() => this.#check(), this.#interval).unref()
  }

  get #interval(): number {
    return this.#sessions.config.heartbeat / 2
  }

  end(): void {
    clearInterval(this.#timer)
  }

  #check(): void {
    const now = performance.now()
    // The event loop was blocked: answers may have come that it has not read.
    const isLate = now - this.#last > 2 * this.#interval
    this.#last = now
    const waiting: Session[] = []
    for (const session of this.#sessions.all) {
      if (session.waits) waiting.push(session)
      else this.#ask(session, now, isLate)
    }
    if (waiting.length > 0) this.#askFor(waiting)
  }

  #beatOf(session: Session): Beat {
    let beat = this.#beats.get(session)
    if (beat === undefined) {
      beat = { asked: undefined, answeredUnheard: 0 }
      this.#beats.set(session, beat)
    }
    return beat
  }

  /** A session that waits for no lock answers at once. */
  #ask(session: Session, now: number, isLate: boolean): void {
    const { heartbeat } = this.#sessions.config
    const beat = this.#beatOf(session)
    if (beat.asked !== undefined) {
      if (isLate) beat.asked = now
      else if (now - beat.asked > 2 * heartbeat) {
        session.die(new Error(`the server has not answered for ${Math.round(now - session.answeredAt)} ms`))
        // The holders have been told. A proxy in between may keep the session of the server.
        setTimeout(() => this.#terminate(session), 2 * heartbeat).unref()
      }
      return
    }
    if (session.isIdle && now - session.answeredAt < heartbeat) return
    beat.asked = now
    session.send(
      'beat',
      [],
      () => {
        beat.asked = undefined
      },
      false,
    )
  }

  /** Ends the session of the server, unless it has ended. */
  #terminate({ backend }: Session): void {
    const { pid, threadId, host } = this.#sessions.config
    this.#sessions.mainNow?.send('terminate', [backend, pid, threadId, host], () => {}, false)
  }

  /**
   * A session that waits says nothing, so the server is asked, in the session that never waits,
   * what becomes of it. A connection that is cut alone would wait for ever, or hold the lock unheard.
   */
  #askFor(waiting: readonly Session[]): void {
    const main = this.#sessions.mainNow
    if (main === null) return
    const asked = waiting.map((session) => ({ session, sent: session.sent }))
    main.send(
      'alive',
      [`{${waiting.map(({ backend }) => backend).join()}}`],
      (error, rows) => {
        if (error !== null) return
        const states = new Map(rows.map(({ pid, state }) => [Number(pid), state]))
        for (const { session, sent } of asked) {
          const beat = this.#beatOf(session)
          const isSame = session.waits && session.sent === sent
          const state = states.get(session.backend)
          if (isSame && state === undefined) session.die(new Error('the server has ended the session'))
          else if (!isSame || !state?.startsWith('idle')) beat.answeredUnheard = 0
          else if (++beat.answeredUnheard > 4) {
            session.die(new Error('an answer of the server has not arrived'))
            this.#terminate(session)
          }
        }
      },
      false,
    )
  }
}
