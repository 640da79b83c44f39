import type { LockEngine } from '../engine.js'
import { LockError } from '../errors.js'
import { Hold } from '../guard.js'
import { FAILED, type Mode } from '../modes.js'
import type { OwnerDied } from '../types.js'
import type { JointHold } from './joint-hold.js'
import { Scope } from './scope.js'

/**
 * What one call with a function has of a {@link JointHold}: its guard. Its mode is the one that the
 * call needs, which may be weaker than that of the joint hold.
 */
export class ScopedHold extends Hold<JointHold> {
  readonly scope: Scope
  readonly #engine: LockEngine<JointHold>
  /** The holds of the calls that were made with the same lock object. */
  readonly siblings: Set<ScopedHold>

  constructor(
    engine: LockEngine<JointHold>,
    siblings: Set<ScopedHold>,
    lock: object,
    mode: Mode,
    joint: JointHold,
    outer: Scope | undefined,
    isSync: boolean,
  ) {
    super(engine, lock, mode, joint, null)
    this.#engine = engine
    this.siblings = siblings
    this.scope = new Scope(this, outer, isSync)
  }

  override get ownerDied(): OwnerDied | null {
    return this.grant.hold.ownerDied
  }

  /** Fails if the hold ended before the function of the call began. */
  assertNotLost(): void {
    if (this.ended) throw this.#lost()
  }

  /** Ends the hold, which nobody has released: a lock was closed. */
  lose(): void {
    if (this.ended) return
    this.ended = true
    const { extras, grant } = this
    extras?.upgrading?.callOff(this.#lost())
    if (extras?.notices !== undefined) for (const notice of [...extras.notices]) notice.end()
    const ended = grant.remove(this, FAILED)
    ended?.catch(() => {}) // the promise of the outermost call has the error
    extras?.loss?.abort(this.#lost())
  }

  #lost(): LockError {
    return new LockError('ERR_LOCK_CLOSED', `${this.#engine.text} was closed while this call held it`)
  }
}
