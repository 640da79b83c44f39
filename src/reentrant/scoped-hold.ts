import type { LockEngine } from '../engine.js'
import { LockError } from '../errors.js'
import { Hold } from '../guard.js'
import { FAILED, type Mode } from '../modes.js'
import type { OwnerDied } from '../types.js'
import type { JointHold } from './joint-hold.js'
import { runInside, Scope } from './scope.js'

/**
 * What one call with a function has of a {@link JointHold}: its guard. Its mode is the one that the
 * call needs, which may be weaker than that of the joint hold.
 */
export class ScopedHold extends Hold<JointHold> {
  // As in Hold: fields without initializers.
  readonly #engine: LockEngine<JointHold>
  declare readonly scope: Scope
  declare readonly calls: Calls
  /** The neighbours in `calls`. */
  declare previous: ScopedHold | undefined
  declare next: ScopedHold | undefined

  constructor(
    engine: LockEngine<JointHold>,
    calls: Calls,
    lock: object,
    mode: Mode,
    joint: JointHold,
    outer: Scope | undefined,
    isSync: boolean,
  ) {
    super(engine, lock, mode, joint, null)
    this.#engine = engine
    this.calls = calls
    this.scope = new Scope(this, outer, isSync)
    this.previous = undefined
    this.next = undefined
  }

  override get ownerDied(): OwnerDied | null {
    return this.grant.hold.ownerDied
  }

  override run<T>(fn: (guard: this) => T): T {
    if (this.ended) throw this.#lost() // before the function began
    return runInside(this.scope, fn, this)
  }

  /** Ends the hold, which nobody has released: a lock was closed. */
  override lose(): void {
    if (this.ended) return
    const { extras, grant } = this
    extras?.acquisition?.ends(this)
    this.ended = true
    extras?.upgrading?.callOff(this.#lost())
    if (extras?.notices !== undefined) for (const notice of [...extras.notices]) notice.end()
    const ended = grant.remove(this, FAILED)
    ended?.catch(() => {}) // the promise of the outermost call has the error
    extras?.acquisition?.ended()
    extras?.loss?.abort(this.#lost())
  }

  #lost(): LockError {
    return new LockError('ERR_LOCK_CLOSED', `${this.#engine.text} was closed while this call held it`)
  }
}

/**
 * The calls that were made with one lock object and have not ended: a linked list, because a set
 * costs more than the rest of a call.
 */
export class Calls {
  #first: ScopedHold | undefined

  add(hold: ScopedHold): void {
    const first = this.#first
    hold.next = first
    if (first !== undefined) first.previous = hold
    this.#first = hold
  }

  /** Of a call that is in the list. */
  delete(hold: ScopedHold): void {
    const { previous, next } = hold
    if (previous === undefined) this.#first = next
    else previous.next = next
    if (next !== undefined) next.previous = previous
  }

  all(): ScopedHold[] {
    const all: ScopedHold[] = []
    for (let hold = this.#first; hold !== undefined; hold = hold.next) all.push(hold)
    return all
  }
}
