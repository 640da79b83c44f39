// One call of request(): acquires the lock, and runs the callback.
import { throwIfAborted } from '../abort.js'
import { LockError } from '../errors.js'
import type { Hold } from '../guard.js'
import { KeptOpen, type OpenLock } from '../kept-open.js'
import { RWLock } from '../rwlock.js'
import { withCreation } from '../shared-memory/creation.js'
import { allowingSteals, steal } from '../steal.js'
import type { Guard, RWLockOptions } from '../types.js'
import type { RequestArguments } from './arguments.js'
import { stolen } from './errors.js'
import { internal, Lock } from './lock.js'
import { placeOf } from './names.js'

/**
 * In strict order, also within a thread, and whatever the event loops of other threads do. The
 * death of a holder releases the lock, and is not reported: the standard does not know of it.
 */
const OPTIONS: RWLockOptions = allowingSteals({ durable: false, fairness: 0, nestedReads: 'queue' })

const openLocks = new KeptOpen()

/** For grants that need no wait. */
const tick = Promise.resolve()

/** Called with what was acquired. */
type Run = (guard: Guard | null) => Promise<unknown>

/** The result of the callback, after the lock was released. */
export async function perform(request: RequestArguments): Promise<unknown> {
  const { name, signal } = request
  if (signal !== undefined) throwIfAborted(signal)
  // If no stack is left to acquire the lock, none is left to end its use, either: that comes later.
  let use: OpenLock | undefined
  let isRequested = false
  tick.then(() => isRequested || use?.done())
  use = openLocks.use(name, () => open(name))
  const { lock, done } = use
  let isGranted = false
  const run: Run = (guard) => {
    isGranted = true
    return guard === null ? invoke(request, null) : holding(guard, request)
  }
  try {
    const result = acquire(lock, request, run)
    isRequested = true
    return await result
  } catch (error) {
    if (isGranted || !(error instanceof LockError) || error.code !== 'ERR_LOCK_LOST') throw error
    // Stolen before the callback could run. The standard calls it nevertheless.
    invoke(request, new Lock(internal, name, request.mode)).catch(() => {})
    throw stolen()
  } finally {
    if (isRequested) done()
  }
}

function open(name: string): RWLock {
  const { lockName, note } = placeOf(name)
  return new RWLock(lockName, withCreation(OPTIONS, { note, keepsTurns: true }))
}

/**
 * Calls `run` one microtask after the grant, whether that needed a wait or not: shared requests that
 * are granted one after the other run in that order.
 *
 * `async`, so that a failure for which no stack is left is handled where there is some.
 */
async function acquire(lock: RWLock, request: RequestArguments, run: Run): Promise<unknown> {
  const { mode, ifAvailable, steal: steals, signal } = request
  if (steals) return steal(lock).then(run)
  if (ifAvailable) {
    let guard: Guard | null | undefined
    // Before the lock is acquired: afterwards there may be no stack left for it.
    const result = tick.then(() => (guard === undefined ? undefined : run(guard)))
    guard = mode === 'shared' ? lock.tryRead() : lock.tryWrite()
    return result
  }
  const options = signal === undefined ? undefined : { signal }
  return mode === 'shared' ? lock.read(run, options) : lock.write(run, options)
}

function holding(guard: Guard, request: RequestArguments): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const extras = (guard as Guard & Hold).needExtras()
    // The callback runs on, and its result is dropped: this promise has its result.
    const lose = () => reject(stolen())
    if (extras.lost === undefined) extras.onLoss = lose
    else lose()
    const release = () => {
      try {
        guard.release()
      } catch (error) {
        reject(error) // the memory is damaged
      }
    }
    invoke(request, new Lock(internal, request.name, request.mode)).then(
      (result) => {
        release()
        resolve(result)
      },
      (error) => {
        release()
        reject(error)
      },
    )
  })
}

async function invoke({ callback }: RequestArguments, lock: Lock | null): Promise<unknown> {
  return callback.call(undefined, lock)
}
