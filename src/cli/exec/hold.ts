import type { ModeName } from '../../modes.js'
import type { RWLockRef } from '../../types.js'

/** The hold under which the command runs. */
export interface CommandHold {
  readonly token: bigint
  /** The process ID of an earlier writer that died during its hold. */
  readonly ownerDied: number | undefined
  /** Ends it. `failed`: an earlier writer's death stays reported, as after a function that threw. */
  end(failed: boolean): void
}

/** What to hold. */
export interface Wanted {
  readonly ref: RWLockRef
  readonly mode: ModeName
  readonly label: string
}
