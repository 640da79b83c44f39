// A session: one connection to the server, and the locks that it has. It ends with its connection,
// and then the server releases the locks.
import type { Connection, Row, ServerError } from './adapter.js'
import type { ServerHold } from './server-hold.js'
import type { StatementName, Statements } from './statements.js'

/** A session that has ended before it answered. */
export class SessionLost extends Error {
  constructor(readonly why: Error) {
    super(why.message)
  }
}

/** Counts what must keep the process alive. */
export interface KeepAlive {
  begin(): void
  end(): void
}

export class Session {
  /** Why it has ended. */
  dead: SessionLost | null = null
  readonly holds = new Set<ServerHold>()
  /** When an answer came for the last time, by `performance.now()`. */
  answeredAt: number = performance.now()
  /** A statement that waits for a lock is unanswered: silence means nothing. */
  waits = false
  /** Its label in the database. */
  label: string
  #sent = 0
  #answered = 0
  #reached: { count: number; call: () => void }[] = []
  readonly #unanswered = new Set<(error: SessionLost) => void>()

  constructor(
    readonly connection: Connection,
    readonly statements: Statements,
    /** The process id of the server process. */
    readonly backend: number,
    /** The least token of the server's timeline. */
    readonly epoch: string,
    label: string,
    readonly keepAlive: KeepAlive,
    readonly onEnd: (session: Session) => void,
  ) {
    this.label = label
    connection.lost((cause) => this.die(cause))
  }

  /** How many statements were sent. */
  get sent(): number {
    return this.#sent
  }

  get isIdle(): boolean {
    return this.#sent === this.#answered
  }

  /** Sends a statement. Rejects with `SessionLost`, or with the error of the server. */
  run(name: StatementName, values: readonly unknown[] = []): Promise<readonly Row[]> {
    return new Promise((resolve, reject) => {
      this.send(name, values, (error, rows) => (error === null ? resolve(rows) : reject(error)))
    })
  }

  /**
   * The same with a function, which is called as the answers come in: before anything that a later
   * answer causes.
   */
  send(
    name: StatementName,
    values: readonly unknown[],
    done: (error: SessionLost | ServerError | null, rows: readonly Row[]) => void,
    keepsAlive = true,
  ): void {
    if (this.dead !== null) {
      const { dead } = this
      queueMicrotask(() => done(dead, []))
      return
    }
    this.#sent++
    if (keepsAlive) this.keepAlive.begin()
    const settle = (error: SessionLost | ServerError | null, rows: readonly Row[]) => {
      if (!this.#unanswered.delete(lose)) return
      if (keepsAlive) this.keepAlive.end()
      done(error, rows)
    }
    const lose = (error: SessionLost) => settle(error, [])
    this.#unanswered.add(lose)
    this.connection.query(this.statements[name], values, (error, rows) => {
      this.#answered++
      this.answeredAt = performance.now()
      if (error !== null && (error.code === undefined || error.severity === 'FATAL')) this.die(error)
      settle(error, rows)
      this.#callReached()
    })
  }

  /** Resolves when so many statements were answered, or the session has ended. */
  reached(count: number): Promise<void> {
    return new Promise((resolve) => {
      this.#reached.push({ count, call: resolve })
      this.#callReached()
    })
  }

  #callReached(): void {
    const due = this.#reached.filter(({ count }) => this.dead !== null || count <= this.#answered)
    if (due.length === 0) return
    this.#reached = this.#reached.filter((each) => !due.includes(each))
    for (const { call } of due) call()
  }

  /** Ends it: its holds are lost. */
  die(cause: Error): void {
    if (this.dead !== null) return
    this.dead = new SessionLost(cause)
    this.connection.end(true)
    this.onEnd(this)
    const holds = [...this.holds]
    this.holds.clear()
    for (const hold of holds) hold.lose(this.dead)
    for (const lose of [...this.#unanswered]) lose(this.dead)
    this.#callReached()
  }

  /** Ends it without a loss: after the answers to what was sent. */
  end(reason: Error): void {
    if (this.dead !== null) return
    this.dead = new SessionLost(reason)
    // What waits may wait for long, and must not be granted any more.
    this.connection.end(this.waits)
    this.onEnd(this)
  }
}
