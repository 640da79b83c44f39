// One lock at the server: the statements about it, and the holds of this process.
import { LockError } from '../errors.js'
import { type Mode, type ModeName, READ, UPGRADABLE, WRITE } from '../modes.js'
import type { Row, ServerError } from './adapter.js'
import { serverError } from './errors.js'
import { locksOf, ServerHold, SHARED, writerText } from './server-hold.js'
import type { Session, SessionLost } from './session.js'
import type { Sessions } from './sessions.js'
import type { StatementName } from './statements.js'

const TRY = { [READ]: 'tryRead', [UPGRADABLE]: 'tryUpgradable', [WRITE]: 'tryWrite' } as const

/** What the locks of one `PostgresLocks` share. */
export interface Client {
  readonly sessions: Sessions
  readonly pid: number
  readonly threadId: number
  readonly host: string
}

export abstract class ServerLock {
  protected readonly client: Client
  protected readonly sessions: Sessions
  readonly holds = new Set<ServerHold>()
  protected triedReads = 0
  protected isOpen = false
  /**
   * The most read holds of all processes, as the row has it; `null` if there is no limit. It is
   * known once the lock is open; the server refuses a read if it is not that any more.
   */
  limit: number | null | undefined
  /** See `inTurn()`. */
  #turns: Promise<unknown> = Promise.resolve()
  /** Releases without an answer. */
  protected readonly releases = new Map<Promise<void>, Session>()

  constructor(
    client: Client,
    readonly name: string,
    readonly key: string,
    /** The lock in messages. */
    readonly text: string,
    /** The limit that the lock gets if it has no row yet: the first one that was asked for. */
    public newLimit: number | null,
  ) {
    this.client = client
    this.sessions = client.sessions
  }

  /** A hold has been granted. */
  protected abstract begun(hold: ServerHold): void
  /** Called by a hold whose session has ended. */
  abstract lost(hold: ServerHold, reason: SessionLost): void

  /** Makes sure that the lock has its row. */
  async open(): Promise<void> {
    const main = await this.sessions.main()
    const [row] = await main.run('open', [this.key, this.name, this.newLimit])
    const name = row?.name
    if (name !== this.name) {
      throw new LockError(
        'ERR_LOCK_INCOMPATIBLE',
        `${this.text} has the same key as lock '${name}' of that database: use another name for one of them`,
      )
    }
    this.limit = limitOf(row)
    this.isOpen = true
  }

  /** A statement about this lock. Rejects with a `LockError`. */
  async ask(session: Session, statement: StatementName, values: readonly unknown[]): Promise<readonly Row[]> {
    try {
      return await session.run(statement, values)
    } catch (error) {
      throw serverError(this.text, error as ServerError)
    }
  }

  /** What other processes wait for. */
  async wantedElsewhere(): Promise<ModeName[]> {
    const main = await this.sessions.main()
    const rows = await this.ask(main, 'holders', [this.key])
    const own = new Set([...this.sessions.all].map(({ backend }) => String(backend)))
    // With a limit, the read holds of this process keep out its own reads.
    const counts = ({ mode, backend }: Row) =>
      !own.has(backend as string) || (mode === 'read' && this.limit !== null)
    return rows.filter((row) => row.granted === 'f' && counts(row)).map(({ mode }) => mode as ModeName)
  }

  /** Releases what a failed statement has got: it counts as a release. */
  protected clean(session: Session, statement: StatementName, values: readonly unknown[] = []): void {
    const cleaned = new Promise<void>((resolve) => {
      session.send(statement, values, (failed) => {
        if (failed !== null && session.dead === null) session.die(failed)
        resolve()
      })
    })
    this.track(cleaned, session)
  }

  /** The lock looks held until that release is answered. */
  protected track(release: Promise<void>, session: Session): void {
    this.releases.set(release, session)
    void release.then(() => this.releases.delete(release))
  }

  /** Waits for the answers to releases in other sessions than that one. */
  async settled(except: Session | null = null): Promise<void> {
    const unanswered = [...this.releases].filter(([, session]) => session !== except)
    if (unanswered.length > 0) await Promise.all(unanswered.map(([release]) => release))
  }

  protected parameters(session: Session, mode: Mode, label: string): unknown[] {
    const { key } = this
    if (mode === WRITE) return [key, session.epoch, this.writer(label)]
    return this.isLimited(mode) ? [key, session.epoch, this.limit] : [key, session.epoch]
  }

  /** Whether a hold in that mode needs a permit. */
  protected isLimited(mode: Mode): boolean {
    return mode === READ && this.limit !== null
  }

  /** The permits that a session has, as an array of the server. */
  protected permitsOf(session: Session): string {
    const permits = [...this.holds].filter((hold) => hold.session === session).map(({ permit }) => permit)
    return `{${permits.filter((permit) => permit !== undefined).join()}}`
  }

  /**
   * What takes a permit in `main` comes one after the other: each must know which ones the session
   * has, because the server would grant these again.
   */
  protected inTurn<T>(call: () => Promise<T>): Promise<T> {
    const turn = this.#turns.then(call)
    this.#turns = turn.catch(() => {})
    return turn
  }

  protected writer(label: string): string {
    const { pid, threadId, host } = this.client
    return writerText({ pid, threadId, host, label })
  }

  protected tryOnMain(mode: Mode, label: string): Promise<ServerHold | null> {
    const call = () => this.#tryOnMain(mode, label)
    return this.isLimited(mode) ? this.inTurn(call) : call()
  }

  async #tryOnMain(mode: Mode, label: string): Promise<ServerHold | null> {
    const isLimited = this.isLimited(mode)
    const main = await this.sessions.main()
    // The server must not find what this process has released.
    await this.settled(main)
    const again = mode !== WRITE && this.readsOn(main)
    const values = this.parameters(main, mode, label)
    if (mode === READ) {
      values.push(again)
      if (isLimited) values.push(this.permitsOf(main))
      this.triedReads++
    }
    try {
      const [row] = await main.run(isLimited ? 'tryReadLimited' : TRY[mode], values)
      if (main.dead !== null) throw main.dead
      return row?.ok === 't' ? this.granted(main, mode, row) : null
    } catch (error) {
      const othersTried = this.triedReads > (mode === READ ? 1 : 0)
      const shares = mode !== WRITE && (othersTried || this.readsOn(main))
      if (isLimited) this.clean(main, 'undoPermits', [this.key, this.permitsOf(main)])
      this.undo(main, error as ServerError, locksOf(mode), shares)
      throw error
    } finally {
      if (mode === READ) this.triedReads--
    }
  }

  protected readsOn(session: Session): boolean {
    for (const hold of this.holds) if (hold.session === session && hold.mode !== WRITE) return true
    return false
  }

  /**
   * Releases what a failed try has got. `shares`: the session has a read hold of this lock besides,
   * or may get one, so it must be known whether the try got another one.
   */
  protected undo(session: Session, error: ServerError, locks: number, shares: boolean): void {
    if (session.dead !== null) return
    const gotShared = error.code === 'P0002' ? true : error.code === '53200' ? false : undefined
    if (gotShared === undefined && shares && (locks & SHARED) !== 0) {
      session.die(error)
      return
    }
    const got = gotShared === false ? locks & ~SHARED : locks
    this.clean(session, 'undo', [this.key, got])
  }

  protected async tryIn(session: Session, mode: Mode, label: string): Promise<ServerHold | null> {
    try {
      await this.settled(session)
      const [row] = await session.run(TRY[mode], this.parameters(session, mode, label))
      if (session.dead !== null) throw session.dead
      if (row?.ok === 't') return this.granted(session, mode, row)
      this.sessions.giveBack(session)
      return null
    } catch (error) {
      this.clean(session, 'unlockAll')
      this.sessions.giveBack(session)
      throw error
    }
  }

  /** A hold with one user: whoever asked for it. */
  protected granted(session: Session, mode: Mode, row: Row): ServerHold {
    const hold = new ServerHold(this, session, mode, row)
    hold.count = 1
    this.holds.add(hold)
    this.begun(hold)
    return hold
  }

  /** Other processes see the label of the session. The row has that of a writer. */
  protected needsOwnLabel(label: string): boolean {
    return this.sessions.config.label !== label && this.sessions.canOpen
  }
}

function limitOf(row: Row | undefined): number | null {
  return row?.max_readers == null ? null : Number(row.max_readers)
}
