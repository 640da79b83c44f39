// The sessions of a process. `main` never waits for a lock: it tries, cancels and looks, and has any
// number of holds. Each other session waits for one lock, or has one hold: a session that waits must
// hold nothing else, or the server would take waits of different tasks for a deadlock.
import type { LockError } from '../errors.js'
import { openSession, type SessionConfig } from './connect.js'
import { Heartbeat } from './heartbeat.js'
import type { KeepAlive, Session } from './session.js'
import type { Wakeup } from './time.js'

/** How many sessions without a hold stay connected, besides `main`. */
const SPARE = 2
/** Between two attempts to connect, in milliseconds. */
const FIRST_PAUSE = 50
const LONGEST_PAUSE = 2000

/** A place in the queue for a session. */
export class Place {
  #session: Session | null = null
  #wakeup: Wakeup | undefined

  constructor(readonly leave: () => void) {}

  give(session: Session): void {
    this.#session = session
    this.#wakeup?.wake()
  }

  /** The session that has arrived, once. */
  take(): Session | null {
    const session = this.#session
    this.#session = null
    return session
  }

  /** Takes the session, if it comes within so many milliseconds, and before `wakeup`. */
  async within(ms: number, wakeup: Wakeup): Promise<Session | null> {
    if (this.#session !== null) return this.take()
    this.#wakeup = wakeup
    await wakeup.pause(ms)
    this.#wakeup = undefined
    return this.take()
  }
}

/** Attempts to connect, with a pause after each failure. */
class Connecting {
  #failure: LockError | undefined
  #notBefore = 0
  #pause = FIRST_PAUSE

  async open(attempt: () => Promise<Session>): Promise<Session> {
    // What denies access may be mended at any moment, by a statement or by migrate().
    const isOutage = this.#failure !== undefined && this.#failure.code !== 'ERR_LOCK_ACCESS'
    if (isOutage && performance.now() < this.#notBefore) throw this.#failure
    try {
      const session = await attempt()
      this.#failure = undefined
      this.#pause = FIRST_PAUSE
      return session
    } catch (error) {
      this.#failure = error as LockError
      this.#notBefore = performance.now() + this.#pause * (0.75 + Math.random() / 2)
      this.#pause = Math.min(this.#pause * 2, LONGEST_PAUSE)
      throw error
    }
  }

  /** How long until the next attempt, in milliseconds. */
  get wait(): number {
    return Math.max(0, this.#notBefore - performance.now())
  }
}

export class Sessions {
  /** Every session that is open. */
  readonly all = new Set<Session>()
  /** Since when there is none and attempts to connect have failed, by `performance.now()`. */
  downSince: number | undefined
  readonly #connecting = new Connecting()
  readonly #idle: Session[] = []
  readonly #places: Place[] = []
  #main: Session | null = null
  #openingMain: Promise<Session> | null = null
  /** Those besides `main`, with those that are being opened. */
  #others = 0
  #heartbeat: Heartbeat | undefined
  readonly #closing = new AbortController()

  constructor(
    readonly config: SessionConfig,
    readonly keepAlive: KeepAlive,
    /** The most connections, with `main`. */
    readonly max: number,
  ) {}

  /** `main`, if it is connected. */
  get mainNow(): Session | null {
    return this.#main
  }

  get #closed(): boolean {
    return this.#closing.signal.aborted
  }

  /** Rejects with a `LockError`. */
  main(): Promise<Session> {
    if (this.#main !== null) return Promise.resolve(this.#main)
    this.#openingMain ??= this.#openMain()
    return this.#openingMain
  }

  /** The caller waits for it, so it keeps the process alive. */
  async #openMain(): Promise<Session> {
    this.keepAlive.begin()
    try {
      const session = await this.#open()
      if (session.dead === null) this.#main = session
      return session
    } finally {
      this.keepAlive.end()
      this.#openingMain = null
    }
  }

  /** How long to wait before the next attempt to connect can succeed, in milliseconds. */
  get pause(): number {
    return this.#connecting.wait
  }

  async #open(): Promise<Session> {
    let session: Session
    try {
      session = await this.#connecting.open(() =>
        openSession(this.config, this.keepAlive, this.#closing.signal, (ended) => this.#gone(ended)),
      )
    } catch (error) {
      if (this.all.size === 0) this.downSince ??= performance.now()
      throw error
    }
    this.downSince = undefined
    this.all.add(session)
    if (this.#closed) session.end(this.#closing.signal.reason)
    else this.#heartbeat ??= new Heartbeat(this)
    return session
  }

  #gone(session: Session): void {
    if (!this.all.delete(session)) return
    if (session === this.#main) {
      this.#main = null
      return
    }
    const index = this.#idle.indexOf(session)
    if (index !== -1) this.#idle.splice(index, 1)
    this.#others--
    this.#openForPlaces()
  }

  /** A session besides `main` that has nothing to do. It may have unanswered releases. */
  takeIdle(): Session | null {
    return this.#idle.pop() ?? null
  }

  /** Whether one more session may be opened. */
  get canOpen(): boolean {
    return this.#others < this.max - 1
  }

  /** Asks for a session besides `main`: `leave()` the place afterwards. */
  place(): Place {
    const place = new Place(() => {
      const index = this.#places.indexOf(place)
      if (index !== -1) this.#places.splice(index, 1)
      const unused = place.take()
      if (unused !== null) this.giveBack(unused)
    })
    const idle = this.takeIdle()
    if (idle !== null) place.give(idle)
    else {
      this.#places.push(place)
      this.#openForPlaces()
    }
    return place
  }

  /** Opens sessions for those that ask, as far as that is allowed. */
  #openForPlaces(): void {
    if (this.#closed || this.#places.length === 0 || !this.canOpen) return
    this.#others++
    this.#open().then(
      (session) => {
        if (session.dead === null) this.giveBack(session)
      },
      () => {
        // Those that ask try on `main` meanwhile, and learn there if the server is gone.
        this.#others--
        setTimeout(() => this.#openForPlaces(), this.pause + 1).unref()
      },
    )
  }

  /** The session has no hold any more, and waits for nothing. */
  giveBack(session: Session): void {
    if (session.dead !== null) return
    const place = this.#places.shift()
    if (place !== undefined) place.give(session)
    else if (this.#idle.length < SPARE && !this.#closed) this.#idle.push(session)
    else session.end(new Error('the session is not needed'))
  }

  /** `reason`: what calls fail with that are not answered. */
  close(reason: LockError): void {
    this.#closing.abort(reason)
    this.#heartbeat?.end()
    for (const session of [...this.all]) session.end(reason)
  }
}
