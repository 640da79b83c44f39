// Waits for a lock that is not free.
import { constants } from 'node:os'
import { isatty } from 'node:tty'
import { RWLock } from '../../rwlock.js'
import { binding } from '../../shared-memory/binding.js'
import type { AcquireOptions, Guard } from '../../types.js'
import { messageOf, say } from '../text/message.js'
import type { CommandHold, Wanted } from './hold.js'

/** They end the wait, and the process. */
const SIGNALS: NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT']

/** After this many ms a person is told whom the command waits for. */
const PATIENCE = 1000

/** @throws As `lock.acquireWrite()`; `ERR_LOCK_TIMEOUT`. */
export async function waitForHold(
  { ref, mode, label }: Wanted,
  text: string,
  { timeout, quiet }: { timeout: number | undefined; quiet: boolean },
): Promise<CommandHold> {
  const lock = new RWLock(ref, { label })
  const interruption = new AbortController()
  const interrupt = (signal: NodeJS.Signals) => interruption.abort(signal)
  for (const signal of SIGNALS) process.once(signal, interrupt)
  let isWaiting = true
  const timer = setTimeout(async () => {
    if (quiet || !isatty(2)) return
    const { whomOf } = require('./whom.js') as typeof import('./whom.js')
    // An error is that of the request, too.
    const whom = await whomOf(ref).catch(() => undefined)
    if (isWaiting && whom !== undefined) say(messageOf(`waiting for ${text}: ${whom}`))
  }, PATIENCE)
  let guard: Guard
  try {
    guard = await acquire(lock, mode, { timeout, signal: interruption.signal, label })
  } catch (error) {
    lock.close()
    if (interruption.signal.aborted) endBy(interruption.signal.reason)
    throw error
  } finally {
    isWaiting = false
    clearTimeout(timer)
    for (const signal of SIGNALS) process.off(signal, interrupt)
  }
  return {
    token: guard.token,
    ownerDied: guard.ownerDied?.pid,
    end(failed) {
      if (!failed) guard.release()
      lock.close() // a hold that ends by this counts as failed
    },
  }
}

function acquire(lock: RWLock, mode: Wanted['mode'], options: AcquireOptions): Promise<Guard> {
  if (mode === 'read') return lock.acquireRead(options)
  return mode === 'write' ? lock.acquireWrite(options) : lock.acquireUpgradable(options)
}

function endBy(signal: NodeJS.Signals): never {
  const number = constants.signals[signal]
  if (process.platform !== 'win32') binding.exitBySignal(number)
  process.exit(128 + number)
}
