import { bytesOf } from '../bytes.js'
import type { Hold } from '../guard.js'
import { checkObject } from '../options.js'
import { RWLock } from '../rwlock.js'
import type { Guard, RWLockRef } from '../types.js'

/** What others learn of an instance: see {@link tryInstance}. */
export interface InstanceOptions {
  /**
   * Up to 1,024 bytes for the others, such as a URL; `guard.setValue()` sets it later. They read it
   * with {@link lockInfo}.
   */
  value?: Uint8Array | string | null | undefined
  /** Names this process for those who inspect the lock. */
  label?: string | undefined
}

/**
 * The guards of all instances. They are not lost when the program drops them: a process usually is
 * an instance until it ends.
 */
const instances = new Set<Guard>()

/**
 * Makes this process the only instance, or returns `null` if there is one: `lockInfo(ref)` tells
 * which. Never waits.
 *
 * ```ts
 * const instance = tryInstance('my-dev-server')
 * if (instance === null) throw new Error(`process ${lockInfo('my-dev-server')?.pid} runs already`)
 * instance.setValue(await listen())
 * ```
 *
 * The instance ends with its process, whatever ends that, or with `release()`. The guard need not
 * be kept.
 *
 * {@link Guard.ownerDied} says that the last instance was killed, in case it left something to
 * clean up.
 *
 * @returns The guard of the write hold of the lock that `ref` names. Its lock closes when the hold
 * ends.
 * @throws Like `new RWLock()`; `ERR_LOCK_TIMEOUT` never.
 */
export function tryInstance(ref: RWLockRef, options?: InstanceOptions): Guard | null {
  checkObject('options', options)
  const { value, label } = options ?? {}
  const bytes = value === undefined ? undefined : bytesOf(value)
  const lock = new RWLock(ref)
  try {
    const guard = lock.acquireWriteSync({ timeout: 0, label })
    if (bytes !== undefined) guard.setValue(bytes)
    keep(guard, lock)
    return guard
  } catch (error) {
    lock.close() // with the hold, if a value was not accepted
    if ((error as { code?: unknown }).code === 'ERR_LOCK_TIMEOUT') return null
    throw error
  }
}

function keep(guard: Guard, lock: RWLock): void {
  const end = () => {
    instances.delete(guard)
    lock.close()
  }
  instances.add(guard)
  ;(guard as Guard & Hold).needExtras().onEnd = end
  guard.signal.addEventListener('abort', end)
}
