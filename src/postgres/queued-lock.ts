// The queue of a process for one lock. The server alone is not enough, because it grants a session
// again what the session has. And the queue spares the server most of the requests: those of readers
// that come together share one hold.
import { CONSISTENT, FAILED, type HoldEnd, type Mode, READ, WRITE } from '../modes.js'
import type { Row } from './adapter.js'
import { Attempt, type Entry } from './requests.js'
import { type ServerHold, SHARED } from './server-hold.js'
import type { SessionLost } from './session.js'
import { WaitingLock } from './waiting-lock.js'

/**
 * After so many milliseconds a reader is let in past a writer of another process that waits: it may
 * be nested in a read hold of this process, for which the writer waits.
 */
const NESTED_GRACE = 100

export abstract class QueuedLock extends WaitingLock {
  readonly queue: Entry[] = []
  /** The upgrades that wait. */
  readonly upgrades = new Set<Entry>()
  /** The upgradable or write hold of this process, or the request for one. */
  protected exclusive: { readonly mode: Mode } | null = null
  /** The request that later readers join. */
  protected reading: Attempt | null = null
  /** The read hold that was granted last, which later readers may join. */
  protected joinable: ServerHold | null = null
  protected triedUpgrades = 0
  /** What is cancelled, and the holds that end when their change has: they look as if they lasted. */
  protected readonly ending = new Set<Promise<void>>()

  // ---- requests

  /** `before` runs before anything is granted, and its place in the queue is that of before. */
  add(entry: Entry, before?: () => void): void {
    this.queue.push(entry)
    before?.()
    this.pump()
    // Else it may be about to join.
    if (entry.attempt === null && this.limit !== undefined && this.queue.includes(entry))
      this.noteWaits([entry])
  }

  /** Grants, or asks the server for, what is first in the queue. */
  pump(): void {
    for (let entry = this.queue[0]; entry !== undefined && this.#admit(entry); entry = this.queue[0]) {
      // until one has to wait
    }
  }

  #admit(entry: Entry): boolean {
    if (entry.mode === READ) return this.#admitReader(entry)
    if (this.exclusive !== null) return false
    if (entry.mode === WRITE && (this.reads > 0 || this.reading !== null || this.triedReads > 0)) return false
    this.queue.shift()
    this.#ask(entry)
    return true
  }

  #admitReader(entry: Entry): boolean {
    if (this.isWriting || this.reading?.cancelled) return false
    const joined = this.joinableFor(entry.fairness)
    if (joined !== null) {
      this.queue.shift()
      this.#grant(entry, joined)
    } else if (this.reading !== null) {
      // Each read hold needs a permit, and one request waits for the next.
      if (this.limit !== null) return false
      this.queue.shift()
      entry.attempt = this.reading
      this.reading.entries.add(entry)
    } else {
      this.queue.shift()
      this.#ask(entry)
    }
    return true
  }

  protected override opened(attempt: Attempt): void {
    if (this.isLimited(attempt.mode)) {
      // The row is another one than that which they joined for.
      const [, ...joined] = attempt.entries
      for (const entry of joined) {
        attempt.entries.delete(entry)
        entry.attempt = null
      }
      this.queue.unshift(...joined)
    }
    this.pump()
    if (this.queue.length > 0) this.noteWaits(this.queue)
  }

  protected get reads(): number {
    let reads = 0
    for (const { mode } of this.holds) if (mode === READ) reads++
    return reads
  }

  protected get isWriting(): boolean {
    return this.exclusive?.mode === WRITE || this.upgrades.size > 0 || this.triedUpgrades > 0
  }

  /** Later readers join a hold for a limited time: then those of other processes get their turn. */
  protected joinableFor(fairness: number): ServerHold | null {
    const hold = this.joinable
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
      this.cancelIfUnwanted(attempt)
    }
  }

  protected cancelIfUnwanted(attempt: Attempt): void {
    if (attempt.cancelIfUnwanted()) this.isEnding(attempt.ended)
  }

  protected isEnding(ended: Promise<void>): void {
    this.ending.add(ended)
    void ended.then(() => this.ending.delete(ended))
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
    this.cancelIfUnwanted(attempt)
    if (attempt.cancelled) await attempt.ended
    attempt.entries.delete(entry)
  }

  async #ask(entry: Entry): Promise<void> {
    const attempt = new Attempt(entry.mode, entry)
    entry.attempt = attempt
    this.attempts.add(attempt)
    if (attempt.mode === READ) this.reading = attempt
    else this.exclusive = attempt
    const nested = attempt.mode === READ ? this.#admitNested(attempt) : undefined
    let hold: ServerHold | null = null
    let failure: unknown
    try {
      do hold = await this.acquire(attempt)
      while (hold?.lost)
    } catch (error) {
      failure = error
    }
    clearTimeout(nested)
    this.attempts.delete(attempt)
    if (this.reading === attempt) this.reading = null
    if (this.exclusive === attempt) this.exclusive = null
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
      if (this.limit !== null) return
      const hold = before.find((hold) => this.holds.has(hold) && hold.mode === READ && !hold.lost)
      if (hold === undefined || this.upgrades.size > 0) return
      const entries = [...attempt.entries]
      attempt.entries.clear()
      this.cancelIfUnwanted(attempt)
      for (const entry of entries) this.#grant(entry, hold)
    }, NESTED_GRACE)
  }

  protected override begun(hold: ServerHold): void {
    if (hold.mode !== READ) this.exclusive = hold
    else if (this.limit === null) this.joinable = hold
  }

  /** Resolves when the server has answered to what nobody wants any more. */
  async cancelled(): Promise<void> {
    while (this.ending.size > 0) await Promise.all(this.ending)
  }

  // ---- ends of holds

  /** One user of the hold has ended. Resolves when the server has released it, or was lost. */
  release(hold: ServerHold, end: HoldEnd): Promise<void> {
    if (--hold.count > 0 || hold.lost) return DONE
    if (this.joinable === hold) this.joinable = null // none joins a hold that ends
    const released = hold.changing === undefined ? this.#end(hold, end) : this.#endAfter(hold, end)
    if (hold.changing !== undefined) this.isEnding(released)
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
    if (this.joinable === hold) this.joinable = null
    if (this.exclusive === hold) this.exclusive = null
  }

  override lost(hold: ServerHold, reason: SessionLost): void {
    this.#forget(hold)
    this.onLoss(hold, reason)
    queueMicrotask(() => this.pump())
  }

  /** Tells the guards of a hold. */
  onLoss: (hold: ServerHold, reason: SessionLost) => void = () => {}
}

const DONE = Promise.resolve()
