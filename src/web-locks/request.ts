// One call of request(): acquires the lock, and runs the callback.
import { reasonOf, throwIfAborted } from '../abort.js'
import type { Hold } from '../guard.js'
import { KeptOpen } from '../kept-open.js'
import { RWLock } from '../rwlock.js'
import { withCreation } from '../shared-memory/creation.js'
import { allowingSteals, steal } from '../steal.js'
import type { Awaitable, Guard, RWLockOptions } from '../types.js'
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

/** The result of the callback, after the lock was released. */
export async function perform(request: RequestArguments): Promise<unknown> {
  const { name, signal } = request
  if (signal !== undefined) throwIfAborted(signal)
  const { lock, done } = openLocks.use(name, () => open(name))
  let guard: Guard | null
  try {
    guard = await acquire(lock, request)
    if (guard !== null) return await holding(guard, request)
  } finally {
    done()
  }
  return invoke(request, null)
}

function open(name: string): RWLock {
  const { lockName, note } = placeOf(name)
  return new RWLock(lockName, withCreation(OPTIONS, { note, keepsTurns: true }))
}

function acquire(lock: RWLock, request: RequestArguments): Awaitable<Guard | null> {
  const { mode, ifAvailable, steal: steals, signal } = request
  if (steals) return steal(lock)
  if (ifAvailable) return mode === 'shared' ? lock.tryRead() : lock.tryWrite()
  const options = signal === undefined ? undefined : { signal }
  return mode === 'shared' ? lock.acquireRead(options) : lock.acquireWrite(options)
}

function holding(guard: Guard, request: RequestArguments): Promise<unknown> {
  const { name, mode, signal } = request
  if (signal?.aborted) {
    guard.release()
    throw reasonOf(signal) // aborted after the grant, but before the callback could run
  }
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
    invoke(request, new Lock(internal, name, mode)).then(
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
