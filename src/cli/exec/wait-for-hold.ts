// Waits for a lock that is not free.
import { constants } from 'node:os'
import { isatty } from 'node:tty'
import { RWLock } from '../../rwlock.js'
import { binding } from '../../shared-memory/binding.js'
import type { AcquireOptions, Guard, LockSnapshot } from '../../types.js'
import { duration } from '../text/duration.js'
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
  const timer = setTimeout(() => {
    if (!quiet && isatty(2)) say(messageOf(`waiting for ${text}: ${whomOf(lock.inspect())}`))
  }, PATIENCE)
  let guard: Guard
  try {
    guard = await acquire(lock, mode, { timeout, signal: interruption.signal, label })
  } catch (error) {
    lock.close()
    if (interruption.signal.aborted) endBy(interruption.signal.reason)
    throw error
  } finally {
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

function whomOf({ holders, waiters }: LockSnapshot): string {
  const [holder, ...others] = holders
  if (holder === undefined) {
    const before = waiters.findIndex(({ pid }) => pid === process.pid)
    return `not held, ${before === 1 ? '1 request is' : `${Math.max(before, 0)} requests are`} before this one`
  }
  const { mode, pid, label, ms } = holder
  const more = others.length === 0 ? '' : `, and by ${others.length} more`
  return `held for ${mode} by pid ${pid} ('${label}') for ${duration(ms)}${more}`
}

function endBy(signal: NodeJS.Signals): never {
  const number = constants.signals[signal]
  if (process.platform !== 'win32') binding.exitBySignal(number)
  process.exit(128 + number)
}
