import { writable } from '../inspect.js'
import { type Mode, READ, UPGRADABLE, WRITE } from '../modes.js'
import type { OwnerDied } from '../types.js'
import type { Row } from './adapter.js'
import type { PostgresHold } from './hold.js'
import type { Session, SessionLost } from './session.js'

/** The locks of the server that a hold has: see `migrations/version-one.ts`. */
export const SHARED = 1
export const EXCLUSIVE = 2
export const U = 4
export const M = 8
export const PERMIT = 16
const PERMIT_NUMBER = 5

/** What a granted request of that mode has. */
export function locksOf(mode: Mode): number {
  return mode === READ ? SHARED : mode === UPGRADABLE ? SHARED | U | M : EXCLUSIVE | U
}

/** The bits of a hold that say which permit it has. */
export function permitBits(permit: string | null | undefined): number {
  return permit == null ? 0 : PERMIT | (Number(permit) << PERMIT_NUMBER)
}

/** What is used here of a `LocalLock`. */
interface Owner {
  lost(hold: ServerHold, reason: SessionLost): void
}

/** A hold as the server has granted it to a session. The readers of this process may share one. */
export class ServerHold {
  /** How many holds of the API share it. */
  count = 0
  /** Those that have a guard. */
  readonly holds = new Set<PostgresHold>()
  /** Until when it was shared for the first time, by `performance.now()`. */
  since: number = performance.now()
  mode: Mode
  /** A sum of the constants above, with the number of the permit. */
  locks: number
  token: bigint
  /** The report of a dead writer as the row has it. */
  died: string | null
  /** A change of its mode that is under way. The hold ends after it. */
  changing: Promise<unknown> | undefined
  lost = false

  constructor(
    readonly owner: Owner,
    readonly session: Session,
    mode: Mode,
    row: Row,
  ) {
    this.mode = mode
    this.locks = locksOf(mode) | permitBits(row.permit)
    this.token = BigInt(row.token as string)
    this.died = row.died ?? null
    session.holds.add(this)
  }

  /** The server has made it the write hold. */
  upgraded(row: Row): void {
    this.locks |= EXCLUSIVE | U
    this.mode = WRITE
    this.token = BigInt(row.token as string)
    this.died = row.died ?? null
  }

  /** The number of its permit, if it has one. */
  get permit(): number | undefined {
    return this.locks & PERMIT ? this.locks >> PERMIT_NUMBER : undefined
  }

  get ownerDied(): OwnerDied | null {
    return parseDied(this.died)
  }

  /** Called by its session, which has ended. */
  lose(reason: SessionLost): void {
    this.lost = true
    this.owner.lost(this, reason)
  }
}

/** The report of a dead writer, out of the text that the row has. */
export function parseDied(text: string | null | undefined): OwnerDied | null {
  if (text == null) return null
  const { pid = 0, threadId = 0, label = '', host, failover, token } = JSON.parse(text)
  return writable({
    pid,
    threadId,
    label,
    token: BigInt(token),
    ...(host === undefined ? {} : { host }),
    ...(failover ? { failover: true as const } : {}),
  })
}

/** The writer of a hold, as the row has it, without the token that the server adds. */
export function writerText(writer: { pid: number; threadId: number; host: string; label: string }): string {
  return JSON.stringify(writer).slice(1)
}
