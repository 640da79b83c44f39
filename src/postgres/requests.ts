import type { LockError } from '../errors.js'
import type { Mode } from '../modes.js'
import type { PendingRequest } from '../pending.js'
import type { Grant } from './hold.js'
import type { Session } from './session.js'
import { Wakeup } from './time.js'

/** A request of this process that has not been settled. */
export class Entry {
  /** Where it is asked for; `null`: it is in the local queue. */
  attempt: Attempt | null = null
  timer: NodeJS.Timeout | undefined
  /** Its timeout has passed. A grant that is on its way is still taken. */
  expired = false
  readonly since: number = performance.now()

  constructor(
    readonly request: PendingRequest<Grant>,
    readonly label: string,
    /** See `OpenOptions.fairness`. */
    readonly fairness: number,
    /** The engine forgets the request. */
    readonly forget: () => void,
  ) {}

  fail(error: unknown): void {
    this.forget()
    this.request.fail(error)
  }

  get mode(): Mode {
    return this.request.mode
  }
}

/** A request of this process to the server: for one entry, or for several that read. */
export class Attempt {
  readonly entries: Set<Entry>
  readonly label: string
  /** Nobody wants it any more. */
  cancelled = false
  /** Ends its pauses when it is cancelled. */
  readonly wakeup = new Wakeup()
  /** The session that waits for it. */
  session: Session | null = null
  /** Sends the cancel. */
  canceller: (() => void) | undefined
  /** Resolves when the server has answered, and the answer is dealt with. */
  readonly ended: Promise<void>
  end!: () => void
  /** Why there was no connection, at the last attempt. */
  unavailable: LockError | undefined
  unavailableSince = 0

  constructor(
    readonly mode: Mode,
    first: Entry,
  ) {
    this.entries = new Set([first])
    this.label = first.label
    this.ended = new Promise((resolve) => {
      this.end = resolve
    })
  }

  /** Gives up what no entry waits for. Whether it has done that now. */
  cancelIfUnwanted(): boolean {
    if (this.cancelled) return false
    for (const entry of this.entries) if (!entry.expired) return false
    this.cancelled = true
    this.wakeup.wake()
    this.canceller?.()
    return true
  }
}
