// Acquires a lock that is free. Over the addon and not over RWLock: to load that takes a third of
// the start of Node.js, and most commands find the lock free.
import { CONSISTENT, FAILED, MODE_NAMES, READ, WRITE } from '../../modes.js'
import { binding } from '../../shared-memory/binding.js'
import { releaseExclusive, releaseRead, tryRead, tryWrite } from '../../shared-memory/fast-path.js'
import { checkRef } from '../../shared-memory/options.js'
import { translated } from '../../shared-memory/translate.js'
import type { CommandHold, Wanted } from './hold.js'

/** It makes no requests, so there are no outcomes. */
const copy = binding.register(() => false)

/**
 * The hold if the lock can be granted without waiting, else `null`.
 *
 * @throws As `new RWLock()`.
 */
export function tryHold({ ref, mode, label }: Wanted): CommandHold | null {
  const location = checkRef(ref)
  const opening = { ...location, label, thread: 0, durable: true, anonymous: false, last: true }
  const lock = {} // the addon closes the handle when this is collected
  const opened = translated(() => binding.open(copy.number, lock, opening))
  if (opened === null) return null
  const { handle, attachment, tokenBase } = opened
  const code = MODE_NAMES.indexOf(mode)
  const grant =
    code === READ
      ? tryRead(attachment)
      : code === WRITE
        ? tryWrite(attachment)
        : binding.tryUpgradable(attachment)
  if (grant === 0) {
    binding.close(copy.number, handle)
    return null
  }
  return {
    token: tokenBase + BigInt(Math.abs(grant) - 1),
    ownerDied: grant < 0 ? binding.ownerDied(attachment)?.pid : undefined,
    end(failed) {
      if (code === READ) releaseRead(attachment)
      else releaseExclusive(attachment, failed ? FAILED : CONSISTENT)
      binding.close(copy.number, handle)
      void lock
    },
  }
}
