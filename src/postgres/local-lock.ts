// One lock, as this process sees it: what it holds, and its own queue. The server alone is not
// enough, because it grants a session again what the session has. And it spares the server most of
// the requests: those of readers that come together share one hold.
import { LockError } from '../errors.js'
import { CONSISTENT, FAILED, type HoldEnd, type Mode, READ, UPGRADABLE, WRITE } from '../modes.js'
import type { Row, ServerError } from './adapter.js'
import { cancelStatement } from './cancel.js'
import { serverError } from './errors.js'
import { Attempt, type Entry } from './requests.js'
import { EXCLUSIVE, M, type ServerHold, SHARED, U } from './server-hold.js'
import { ServerLock } from './server-lock.js'
import { type Session, SessionLost } from './session.js'
import { Wakeup, within } from './time.js'

/**
 * After so many milliseconds a reader is let in past a writer of another process that waits: it may
 * be nested in a read hold of this process, for which the writer waits.
 */
const NESTED_GRACE = 100
/** How long a request without a timeout waits for a connection, in milliseconds. */
const LONGEST_OUTAGE = 30_000
/** Pauses between tries on `main`, while there is no session to wait in. */
const FIRST_PAUSE = 20
const LONGEST_PAUSE = 200

const WAIT = { [READ]: 'read', [UPGRADABLE]: 'upgradable', [WRITE]: 'write' } as const

export class LocalLock extends ServerLock {
  readonly queue: Entry[] = []
  /** What the server is asked for. */
  readonly attempts = new Set<Attempt>()
  /** The upgrades that wait. */
  readonly upgrades = new Set<Entry>()
  /** The upgradable or write hold of this process, or the request for one. */
  #exclusive: { readonly mode: Mode } | null = null
  /** The request that later readers join. */
  #reading: Attempt | null = null
  /** The read hold that was granted last, which later readers may join. */
  #joinable: ServerHold | null = null
  #triedUpgrades = 0
  /** What is cancelled, and the holds that end when their change has: they look as if they lasted. */
  readonly #ending = new Set<Promise<void>>()
  /** Called when a request has begun to wait. */
  onWait: () => void = () => {}

  /** Why there is no connection, if there is none. */
  get outage(): LockError | undefined {
    for (const { unavailable } of this.attempts) if (unavailable !== undefined) return unavailable
    return undefined
  }

  get isUsed(): boolean {
    return this.queue.length > 0 || this.attempts.size > 0 || this.holds.size > 0 || this.releases.size > 0
  }

  // ---- the local queue

  /** `before` runs before anything is granted, and its place in the queue is that of before. */
  add(entry: Entry, before?: () => void): void {
    this.queue.push(entry)
    before?.()
    this.pump()
    if (entry.attempt === null && this.queue.includes(entry)) this.#noteWaits([entry])
  }

  /** Grants, or asks the server for, what is first in the queue. */
  pump(): void {
    for (let entry = this.queue[0]; entry !== undefined && this.#admit(entry); entry = this.queue[0]) {
      // until one has to wait
    }
  }

  #noteWaits(entries: Iterable<Entry>): void {
    for (const entry of entries) entry.request.waits()
    this.onWait()
  }

  #admit(entry: Entry): boolean {
    if (entry.mode === READ) return this.#admitReader(entry)
    if (this.#exclusive !== null) return false
    if (entry.mode === WRITE && (this.#reads > 0 || this.#reading !== null || this.triedReads > 0))
      return false
    this.queue.shift()
    this.#ask(entry)
    return true
  }

  #admitReader(entry: Entry): boolean {
    if (this.#isWriting || this.#reading?.cancelled) return false
    const joined = this.#joinableFor(entry.fairness)
    if (joined !== null) {
      this.queue.shift()
      this.#grant(entry, joined)
    } else if (this.#reading !== null) {
      this.queue.shift()
      entry.attempt = this.#reading
      this.#reading.entries.add(entry)
    } else {
      this.queue.shift()
      this.#ask(entry)
    }
    return true
  }

  get #reads(): number {
    let reads = 0
    for (const { mode } of this.holds) if (mode === READ) reads++
    return reads
  }

  get #isWriting(): boolean {
    return this.#exclusive?.mode === WRITE || this.upgrades.size > 0 || this.#triedUpgrades > 0
  }

  /** Later readers join a hold for a limited time: then those of other processes get their turn. */
  #joinableFor(fairness: number): ServerHold | null {
    const hold = this.#joinable
    return hold !== null && performance.now() - hold.since < fairness ? hold : null
  }

  /** Whether the request of that entry is granted, or taken back. */
  #grant(entry: Entry, hold: ServerHold): void {
    hold.count++
    const grant = { hold, token: hold.token, label: entry.label, since: performance.now() }
    let taken = false
    try {
      taken = entry.request.grant(grant)
    } finally {
      if (!taken) this.release(hold, FAILED)
    }
  }

  /** The request is withdrawn. */
  remove(entry: Entry): void {
    const index = this.queue.indexOf(entry)
    if (index !== -1) this.queue.splice(index, 1)
    const { attempt } = entry
    if (attempt !== null) {
      attempt.entries.delete(entry)
      this.#cancelIfUnwanted(attempt)
    }
  }

  #cancelIfUnwanted(attempt: Attempt): void {
    if (attempt.cancelIfUnwanted()) this.#isEnding(attempt.ended)
  }

  #isEnding(ended: Promise<void>): void {
    this.#ending.add(ended)
    void ended.then(() => this.#ending.delete(ended))
  }

  /** The timeout of the request has passed. Resolves when it is clear that nothing is granted. */
  async expire(entry: Entry): Promise<void> {
    const { attempt } = entry
    entry.expired = true
    if (attempt === null) {
      this.remove(entry)
      this.pump() // it may have kept out those behind it
      return
    }
    this.#cancelIfUnwanted(attempt)
    if (attempt.cancelled) await attempt.ended
    attempt.entries.delete(entry)
  }

  // ---- asking the server

  async #ask(entry: Entry): Promise<void> {
    const attempt = new Attempt(entry.mode, entry)
    entry.attempt = attempt
    this.attempts.add(attempt)
    if (attempt.mode === READ) this.#reading = attempt
    else this.#exclusive = attempt
    const nested = attempt.mode === READ ? this.#admitNested(attempt) : undefined
    let hold: ServerHold | null = null
    let failure: unknown
    try {
      do hold = await this.#acquire(attempt)
      while (hold?.lost)
    } catch (error) {
      failure = error
    }
    clearTimeout(nested)
    this.attempts.delete(attempt)
    if (this.#reading === attempt) this.#reading = null
    if (this.#exclusive === attempt) this.#exclusive = null
    const { entries } = attempt
    if (hold !== null) {
      for (const entry of entries) this.#grant(entry, hold)
      this.release(hold, FAILED)
    } else if (failure !== undefined) {
      for (const entry of entries) entry.fail(failure)
    }
    attempt.end()
    this.pump()
  }

  /** Lets readers join a read hold that this process had already when they asked. */
  #admitNested(attempt: Attempt): NodeJS.Timeout | undefined {
    const before = [...this.holds].filter(({ mode }) => mode === READ)
    if (before.length === 0) return undefined
    return setTimeout(() => {
      const hold = before.find((hold) => this.holds.has(hold) && hold.mode === READ && !hold.lost)
      if (hold === undefined || this.upgrades.size > 0) return
      const entries = [...attempt.entries]
      attempt.entries.clear()
      this.#cancelIfUnwanted(attempt)
      for (const entry of entries) this.#grant(entry, hold)
    }, NESTED_GRACE)
  }

  protected override begun(hold: ServerHold): void {
    if (hold.mode === READ) this.#joinable = hold
    else this.#exclusive = hold
  }

  /** `null`: it was cancelled. */
  async #acquire(attempt: Attempt): Promise<ServerHold | null> {
    while (!attempt.cancelled) {
      try {
        if (!this.isOpen) await this.open()
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
    if (now - attempt.unavailableSince > LONGEST_OUTAGE) {
      for (const entry of attempt.entries) {
        if (entry.request.timeout !== Number.POSITIVE_INFINITY) continue // its timer ends it
        attempt.entries.delete(entry)
        entry.fail(mapped)
      }
      if (attempt.entries.size === 0) throw mapped
    }
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
      this.#noteWaits(attempt.entries)
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
    const answer = session.run(WAIT[mode], this.parameters(session, mode, label))
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
      if (isAsked() && row?.ok === 't') return this.#noteWaits(attempt.entries)
    }
  }

  /** Resolves when the server has answered to what nobody wants any more. */
  async cancelled(): Promise<void> {
    while (this.#ending.size > 0) await Promise.all(this.#ending)
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

  // ---- without waiting

  /** A hold with one user, if the lock is free. */
  async try(mode: Mode, label: string, fairness: number): Promise<ServerHold | null> {
    if (this.#ending.size > 0) await this.cancelled()
    if (this.queue.length > 0) return null
    if (mode === READ) {
      if (this.#isWriting) return null
      const joined = this.#joinableFor(fairness)
      if (joined !== null) {
        joined.count++
        return joined
      }
    } else {
      if (this.#exclusive !== null) return null
      if (mode === WRITE && (this.#reads > 0 || this.#reading !== null || this.triedReads > 0)) return null
      this.#exclusive = { mode }
    }
    const mine = this.#exclusive
    let hold: ServerHold | null = null
    if (mode === READ) this.triedReads++
    try {
      hold = await this.#tryNow(mode, label)
    } catch (error) {
      throw error instanceof LockError ? error : serverError(this.text, error as ServerError)
    } finally {
      if (mode === READ) this.triedReads--
      else if (this.#exclusive === mine) this.#exclusive = null
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

  // ---- ends and changes of holds

  /** One user of the hold has ended. Resolves when the server has released it, or was lost. */
  release(hold: ServerHold, end: HoldEnd): Promise<void> {
    if (--hold.count > 0 || hold.lost) return DONE
    if (this.#joinable === hold) this.#joinable = null // none joins a hold that ends
    const released = hold.changing === undefined ? this.#end(hold, end) : this.#endAfter(hold, end)
    if (hold.changing !== undefined) this.#isEnding(released)
    this.track(released, hold.session)
    return released
  }

  async #endAfter(hold: ServerHold, end: HoldEnd): Promise<void> {
    while (hold.changing !== undefined) await hold.changing.catch(() => {})
    if (!hold.lost) await this.#end(hold, end)
  }

  #end(hold: ServerHold, end: HoldEnd): Promise<void> {
    const { session, mode, locks } = hold
    session.holds.delete(hold)
    this.#forget(hold)
    const released = new Promise<void>((resolve) => {
      const done = (error: Error | null, rows: readonly Row[]) => {
        // It is not known what the session has now.
        if (error !== null && session.dead === null) session.die(error)
        else if (rows[0]?.ok === 'f') session.die(new Error(`${this.text} was not held`))
        resolve()
      }
      if (locks === SHARED) session.send('unlockRead', [this.key], done)
      else if (mode === WRITE) {
        const leftBy = end === CONSISTENT ? null : hold.died
        session.send('releaseWrite', [this.key, leftBy, locks], done)
      } else session.send('unlock', [this.key, locks], done)
    })
    if (session !== this.sessions.mainNow) this.sessions.giveBack(session)
    this.pump()
    return released
  }

  #forget(hold: ServerHold): void {
    this.holds.delete(hold)
    if (this.#joinable === hold) this.#joinable = null
    if (this.#exclusive === hold) this.#exclusive = null
  }

  override lost(hold: ServerHold, reason: SessionLost): void {
    this.#forget(hold)
    this.onLoss(hold, reason)
    queueMicrotask(() => this.pump())
  }

  /** Tells the guards of a hold. */
  onLoss: (hold: ServerHold, reason: SessionLost) => void = () => {}

  /** Changes of one hold come one after the other. */
  async #change<T>(hold: ServerHold, change: () => Promise<T>): Promise<T> {
    while (hold.changing !== undefined) await hold.changing.catch(() => {})
    const changing = change()
    hold.changing = changing
    try {
      return await changing
    } finally {
      hold.changing = undefined
    }
  }

  /** Whether the hold is the write hold now. */
  tryUpgrade(hold: ServerHold, label: string): Promise<boolean> {
    return this.#change(hold, () => this.#tryUpgrade(hold, label))
  }

  async #tryUpgrade(hold: ServerHold, label: string): Promise<boolean> {
    if (hold.lost || hold.count > 1) return false
    for (const other of this.holds) if (other !== hold) return false
    if (this.triedReads > 0 || (this.#reading !== null && hold.session === this.sessions.mainNow))
      return false
    const isReader = hold.mode === READ
    if (isReader && this.#exclusive !== null) return false
    this.#triedUpgrades++
    this.#exclusive = hold
    if (this.#joinable === hold) this.#joinable = null
    const { session } = hold
    let ok = false
    try {
      await this.settled(session)
      const values = [this.key, session.epoch, this.writer(label), !isReader]
      const [row] = await session.run('tryUpgrade', values)
      if (session.dead !== null) throw session.dead
      ok = row?.ok === 't'
      if (ok) hold.upgraded(row as Row)
    } catch (error) {
      this.undo(session, error as ServerError, isReader ? EXCLUSIVE | U : EXCLUSIVE, false)
      if (!hold.lost) throw serverError(this.text, error as ServerError)
    } finally {
      this.#triedUpgrades--
      if (isReader && !ok && this.#exclusive === hold) this.#exclusive = null
      this.pump()
    }
    return ok
  }

  /** Asks for the upgrade of an upgradable hold. The entry is granted, or fails. */
  async upgrade(entry: Entry, hold: ServerHold): Promise<void> {
    const attempt = new Attempt(WRITE, entry)
    entry.attempt = attempt
    this.upgrades.add(entry)
    this.#joinable = null
    this.onWait()
    try {
      await this.#change(hold, async () => {
        if (!(await this.#upgrade(hold, attempt)) || hold.lost) return
        this.upgrades.delete(entry)
        const grant = { hold, token: hold.token, label: entry.label, since: performance.now() }
        // Nobody takes it: it is upgradable again, with the report that it had.
        if (!entry.request.grant(grant)) await this.#downgrade(hold, UPGRADABLE, false)
      })
    } catch (error) {
      entry.fail(error)
    }
    this.upgrades.delete(entry)
    attempt.end()
    this.pump()
  }

  async #upgrade(hold: ServerHold, attempt: Attempt): Promise<boolean> {
    const { session } = hold
    if (session === this.sessions.mainNow) return this.#upgradeOnMain(hold, attempt)
    while (!attempt.cancelled) {
      const number = session.sent
      session.waits = true
      attempt.session = session
      const answer = session.run('upgrade', [this.key, session.epoch, this.writer(attempt.label)])
      let cancelling: Promise<void> | undefined
      attempt.canceller = () => {
        cancelling ??= cancelStatement(this.sessions, session, number, answer)
      }
      let row: Row | undefined
      let failure: ServerError | undefined
      try {
        row = (await answer)[0]
      } catch (error) {
        failure = error as ServerError
      }
      session.waits = false
      attempt.canceller = undefined
      await cancelling
      if (hold.lost) return false
      if (row !== undefined) {
        hold.upgraded(row)
        return true
      }
      this.undo(session, failure as ServerError, EXCLUSIVE, false)
      if (failure?.code !== '57014') throw serverError(this.text, failure as ServerError)
    }
    return false
  }

  /** `main` must not wait. */
  async #upgradeOnMain(hold: ServerHold, attempt: Attempt): Promise<boolean> {
    for (let ms = FIRST_PAUSE; !attempt.cancelled && !hold.lost; ms = Math.min(ms * 1.5, LONGEST_PAUSE)) {
      if (await this.#tryUpgrade(hold, attempt.label)) return true
      await attempt.wakeup.pause(ms * (0.75 + Math.random() / 2))
    }
    return false
  }

  /** Gives the hold a weaker mode. */
  downgrade(hold: ServerHold, to: typeof READ | typeof UPGRADABLE, isConsistent = true): Promise<void> {
    return this.#change(hold, () => this.#downgrade(hold, to, isConsistent))
  }

  async #downgrade(hold: ServerHold, to: Mode, isConsistent: boolean): Promise<void> {
    const { session, locks } = hold
    if (hold.lost || hold.mode === to) return
    const remains = to === READ ? SHARED : SHARED | U | M
    const leftBy = isConsistent ? null : hold.died
    try {
      await session.run('downgrade', [this.key, leftBy, locks, remains])
    } catch (error) {
      if (session.dead === null) session.die(error as Error) // it is not known what the session has now
    }
    if (hold.lost) return
    if (hold.mode === WRITE) hold.died = leftBy
    hold.mode = to
    hold.locks = remains
    if (to === READ) {
      if (this.#exclusive === hold) this.#exclusive = null
      hold.since = performance.now()
      if (hold.count > 0) this.#joinable = hold
    }
    this.pump()
  }
}

const DONE = Promise.resolve()
