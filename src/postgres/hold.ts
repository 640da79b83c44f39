import { Hold } from '../guard.js'
import type { ServerHold } from './server-hold.js'

/** What the engine keeps in a hold. */
export interface Grant {
  readonly hold: ServerHold
  readonly token: bigint
  readonly label: string
  /** By `performance.now()`. */
  readonly since: number
}

/**
 * A hold whose function need not wait for the answer to its release: the next acquisition is sent
 * behind it. `release()` returns a promise for the answer.
 */
export class PostgresHold extends Hold<Grant> {
  /** Nobody waits for the answer to its release. */
  isDetached = false

  override complete(): void | Promise<void> {
    this.isDetached = true
    return super.complete()
  }

  override fail(): void | Promise<void> {
    this.isDetached = true
    return super.fail()
  }
}
