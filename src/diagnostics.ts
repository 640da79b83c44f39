// The channels of node:diagnostics_channel on which locks report what happens to them, and the
// messages. Without a subscriber an acquisition only asks whether there is one.
import { type Channel, channel, tracingChannel } from 'node:diagnostics_channel'
import type { AsyncRWLock, Holder, OwnerDied } from './types.js'

/** What every message of the package's diagnostics channels says of the lock. */
export interface LockMessage {
  /** The lock: an `RWLock`, or a lock of another engine. */
  lock: AsyncRWLock
  /** Its name, if it was opened by name. */
  name: string | undefined
  /** Its path, if it was opened by path. */
  path: string | undefined
}

/**
 * The message of the tracing channel `process-rwlock:acquire`, and of the channels
 * `process-rwlock:contended` and `process-rwlock:downgrade`. The events of one acquisition have the
 * same object, and so has the release of its hold ({@link ReleaseMessage}), so a subscriber can keep
 * what it knows of them in a `WeakMap`.
 *
 * ```ts
 * import { tracingChannel } from 'node:diagnostics_channel'
 * import type { AcquireMessage } from 'process-rwlock'
 *
 * tracingChannel('process-rwlock:acquire').asyncEnd.subscribe((message) => {
 *   const { name, mode, waitedMs } = message as AcquireMessage
 *   histogram.record(waitedMs, { name, mode })
 * })
 * ```
 */
export interface AcquireMessage extends LockMessage {
  /** The requested mode; after a downgrade the new one; after a release the last mode of the hold. */
  mode: 'read' | 'write' | 'upgradable'
  /** The `label` of the call, if it has one. */
  label: string | undefined
  /** Whether it upgrades a hold, which then has this mode. Such an acquisition has no release. */
  upgrade: boolean
  /** From the call to the grant or the failure, in milliseconds. `undefined` until then. */
  waitedMs: number | undefined
  /** The fencing token of the hold. `undefined` until it is granted, and if it is not. */
  token: bigint | undefined
  /** The holders when it began to wait. `undefined` if it did not wait. */
  holders: Holder[] | undefined
  /** With the event `error`: why it was not granted. */
  error?: unknown
}

/** The message of the channel `process-rwlock:release`: that of the acquisition, with more. */
export interface ReleaseMessage extends AcquireMessage {
  /** From the grant to the release, in milliseconds. */
  heldMs: number
}

/**
 * The message of the channel `process-rwlock:owner-died`. It is published once for each death, in
 * every thread that acquires the lock after it.
 */
export interface OwnerDiedMessage extends LockMessage {
  /** The mode of the hold that found it. */
  mode: 'read' | 'write' | 'upgradable'
  /** Its label, if it has its own. */
  label: string | undefined
  /** Its fencing token. */
  token: bigint
  /** The writer that died during its hold. */
  ownerDied: OwnerDied
}

/** A hold of a deadlock, or a request. */
export interface DeadlockParty {
  /** Process id, relative to the PID namespace of that process. */
  pid: number
  /** `worker_threads.threadId`: 0 is the main thread. */
  threadId: number
  mode: 'read' | 'write' | 'upgradable'
  /** Its label; without one, the label of the thread's lock. */
  label: string
  /** How long it has waited, or held the lock, in milliseconds. */
  ms: number
}

/** One thread of a deadlock: what it waits for, and which thread is in its way. */
export interface DeadlockWait {
  /** The name of the lock, if it was opened by name. */
  name: string | undefined
  /** Its path, if it was opened by path. */
  path: string | undefined
  /** The request that waits. */
  waiter: DeadlockParty
  /** The hold, or the earlier request, that keeps it out. Its thread is the next one that waits. */
  blockedBy: DeadlockParty
  /** Whether that is an earlier request, and not a hold. */
  queued: boolean
}

/** The message of the channel `process-rwlock:deadlock`. */
export interface DeadlockMessage extends LockMessage {
  /** The mode that this thread waits for. */
  mode: 'read' | 'write' | 'upgradable'
  /** How long it has waited, in milliseconds. */
  waitedMs: number
  /** The threads that wait for each other, beginning with this one. Each is blocked by the next. */
  waits: DeadlockWait[]
}

const { start, end, asyncStart, asyncEnd, error } = tracingChannel<unknown, AcquireMessage>(
  'process-rwlock:acquire',
)
export const acquireChannels = { start, end, asyncStart, asyncEnd, error }

export const contendedChannel = channel('process-rwlock:contended') as Channel<unknown, AcquireMessage>
export const downgradeChannel = channel('process-rwlock:downgrade') as Channel<unknown, AcquireMessage>
export const releaseChannel = channel('process-rwlock:release') as Channel<unknown, ReleaseMessage>
export const ownerDiedChannel = channel('process-rwlock:owner-died') as Channel<unknown, OwnerDiedMessage>
export const deadlockChannel = channel('process-rwlock:deadlock') as Channel<unknown, DeadlockMessage>

/** Whether acquisitions have a subscriber, or what follows them has one. */
export function isTraced(): boolean {
  return (
    start.hasSubscribers ||
    end.hasSubscribers ||
    asyncStart.hasSubscribers ||
    asyncEnd.hasSubscribers ||
    error.hasSubscribers ||
    releaseChannel.hasSubscribers ||
    contendedChannel.hasSubscribers
  )
}
