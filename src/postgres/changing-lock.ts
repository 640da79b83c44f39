// Changes of the mode of a hold.
import { LockError, notDowngradeError, readUpgradeError } from '../errors.js'
import { MODE_NAMES, type Mode, READ, UPGRADABLE, WRITE } from '../modes.js'
import type { Row, ServerError } from './adapter.js'
import { cancelStatement } from './cancel.js'
import { serverError } from './errors.js'
import { QueuedLock } from './queued-lock.js'
import { Attempt, type Entry } from './requests.js'
import { EXCLUSIVE, M, permitBits, type ServerHold, SHARED, U } from './server-hold.js'
import { FIRST_PAUSE, LONGEST_PAUSE } from './waiting-lock.js'

/** The bits of `ServerHold.locks` that are not those of a permit. */
const PERMITS = ~(SHARED | EXCLUSIVE | U | M)

export abstract class ChangingLock extends QueuedLock {
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
    // By a call that was not awaited.
    if (hold.mode === WRITE) return !hold.lost
    if (hold.lost || hold.count > 1) return false
    for (const other of this.holds) if (other !== hold) return false
    if (this.triedReads > 0 || (this.reading !== null && hold.session === this.sessions.mainNow)) return false
    const isReader = hold.mode === READ
    if (isReader && this.exclusive !== null) return false
    this.triedUpgrades++
    this.exclusive = hold
    if (this.joinable === hold) this.joinable = null
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
      this.triedUpgrades--
      if (isReader && !ok && this.exclusive === hold) this.exclusive = null
      this.pump()
    }
    return ok
  }

  /** Asks for the upgrade of an upgradable hold. The entry is granted, or fails. */
  async upgrade(entry: Entry, hold: ServerHold): Promise<void> {
    const attempt = new Attempt(WRITE, entry)
    entry.attempt = attempt
    this.upgrades.add(entry)
    this.joinable = null
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
    // By a call that was not awaited.
    if (hold.mode === WRITE) return true
    if (hold.mode === READ) throw readUpgradeError(this.text)
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
    if (hold.lost || hold.mode === to) return
    if (hold.mode === READ) throw notDowngradeError('upgradable') // by a call that was not awaited
    const { session } = hold
    const leftBy = isConsistent ? null : hold.died
    let remains: number
    for (;;) {
      while (this.isLimited(to) && hold.permit === undefined && !hold.lost) await this.#takePermit(hold)
      if (hold.lost) return
      const { locks } = hold
      remains = to === READ ? SHARED | (locks & PERMITS) : SHARED | U | M
      try {
        await session.run('downgrade', [this.key, leftBy, locks, remains])
        break
      } catch (error) {
        // The lock was removed before this hold, and created again with a limit. Nothing has changed.
        if ((error as ServerError).code === 'P0002' && (await this.#reopened())) continue
        if (session.dead === null) session.die(error as Error) // it is not known what the session has now
        break
      }
    }
    if (hold.lost) return
    if (hold.mode === WRITE) hold.died = leftBy
    hold.mode = to
    hold.locks = remains
    if (to === READ) {
      if (this.exclusive === hold) this.exclusive = null
      hold.since = performance.now()
      if (hold.count > 0 && this.limit === null) this.joinable = hold
    }
    this.pump()
  }

  /** Whether the lock is found to have a limit. */
  async #reopened(): Promise<boolean> {
    await this.open().catch(() => {})
    return this.limit !== null
  }

  /** For a hold that becomes a read hold. It has none afterwards if the lock has another limit. A write hold finds all permits free. */
  #takePermit(hold: ServerHold): Promise<void> {
    const { session } = hold
    const take = async () => {
      if (hold.lost) return
      let row: Row | undefined
      try {
        row = (await session.run('takePermit', [this.key, this.limit, this.permitsOf(session)]))[0]
        if (row === undefined) return await this.open()
      } catch (error) {
        if (session.dead === null) session.die(error as Error) // it is not known what the session has now
        return
      }
      if (row.permit == null) {
        throw new LockError(
          'ERR_LOCK_BUSY',
          `the ${MODE_NAMES[hold.mode]} hold of ${this.text} did not become a read hold and stays ` +
            `${MODE_NAMES[hold.mode]}, because all ${this.limit} read holds are in use: release one first`,
        )
      }
      hold.locks |= permitBits(row.permit)
    }
    return session === this.sessions.mainNow ? this.inTurn(take) : take()
  }
}
