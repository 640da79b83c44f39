// Publishes acquisitions and releases on the diagnostics channels. The events have the order of
// `TracingChannel.traceSync()` and `tracePromise()`, with two differences: only an acquisition that
// failed has the event `error`, not a function that threw during its hold; and that function begins
// between `asyncStart` and `asyncEnd`.
import { performance } from 'node:perf_hooks'
import {
  type AcquireMessage,
  acquireChannels,
  contendedChannel,
  downgradeChannel,
  ownerDiedChannel,
  type ReleaseMessage,
  releaseChannel,
} from './diagnostics.js'
import { callerOf } from './errors.js'
import { MODE_NAMES, type Mode, type ModeName } from './modes.js'
import type {
  AcquireOptions,
  AsyncRWLock,
  Awaitable,
  Holder,
  LockLocation,
  LockSnapshot,
  OwnerDied,
} from './types.js'

const { start, end, asyncStart, asyncEnd, error: failure } = acquireChannels

/** What is used here of a `LockEngine`. */
interface Lock {
  readonly location: LockLocation
  inspect(): Awaitable<LockSnapshot>
  close(): void | Promise<void>
}

/** What is used here of a `Hold`. */
interface Held {
  readonly lock: object
  readonly mode: ModeName
  readonly token: bigint
  readonly ended: boolean
  readonly extras: { readonly label: string | undefined; acquisition: Acquisition | undefined } | undefined
  needExtras(): { acquisition: Acquisition | undefined }
}

/** A traced acquisition: its message. */
export class Acquisition implements AcquireMessage {
  readonly lock: AsyncRWLock
  readonly name: string | undefined
  readonly path: string | undefined
  mode: ModeName
  readonly label: string | undefined
  readonly upgrade: boolean
  waitedMs: number | undefined = undefined
  token: bigint | undefined = undefined
  holders: Holder[] | undefined = undefined
  declare error?: unknown
  declare heldMs?: number
  readonly #engine: Lock
  readonly #begun = performance.now()
  readonly #caller: { stack?: unknown } | undefined
  #granted = 0
  #downgraded = 0
  #waits = false
  #raised: Acquisition | undefined

  constructor(lock: object, engine: Lock, mode: Mode, options: AcquireOptions | undefined, upgrade = false) {
    const { name, path } = engine.location
    this.lock = lock as AsyncRWLock
    this.name = name
    this.path = path
    this.mode = MODE_NAMES[mode] as ModeName
    this.label = options?.label
    this.upgrade = upgrade
    this.#engine = engine
    if (Number.isFinite(options?.timeout)) this.#caller = callerOf(Acquisition)
  }

  // Getters, because the fields are what a subscriber sees.

  /** When the call began. As the two below: on the clock of `performance.now()`. */
  get begunAt(): number {
    return this.#begun
  }

  /** When it had been granted. */
  get grantedAt(): number {
    return this.#granted
  }

  /** Just before its hold got a lower mode. */
  get downgradedAt(): number {
    return this.#downgraded
  }

  /** Of an upgrade: the acquisition of the hold that it raises, if that is traced. */
  get raised(): Acquisition | undefined {
    return this.#raised
  }

  raises({ extras }: Held): void {
    this.#raised = extras?.acquisition
  }

  /** Has the stack of the call, if it can time out. */
  get caller(): { stack?: unknown } | undefined {
    return this.#caller
  }

  /** It has to wait. */
  waits(): void {
    if (this.#waits) return
    this.#waits = true
    const publish = (holders: Holder[] | undefined) => {
      this.holders = holders
      contendedChannel.publish(this)
    }
    try {
      const seen = this.#engine.inspect()
      if ('then' in seen) {
        seen.then(
          ({ holders }) => publish(holders),
          () => publish(undefined),
        )
      } else publish(seen.holders)
    } catch {
      publish(undefined) // the lock cannot be inspected any more: its error is that of the request
    }
  }

  granted(hold: Held): void {
    this.#granted = performance.now()
    this.waitedMs = this.#granted - this.#begun
    this.token = hold.token
    if (this.upgrade) return
    hold.needExtras().acquisition = this
    heldOf(this.#engine).add(this)
  }

  failed(error: unknown): void {
    this.waitedMs = performance.now() - this.#begun
    this.error = error
    failure.publish(this)
  }

  /** A try was not granted. */
  missed(): void {
    this.waitedMs = performance.now() - this.#begun
  }

  /** Gives its hold a lower mode by `change`. */
  downgrades(hold: Held, change: () => void | Promise<void>): void | Promise<void> {
    const begun = performance.now()
    const publish = () => {
      this.mode = hold.mode
      this.token = hold.token
      this.#downgraded = begun
      downgradeChannel.publish(this)
    }
    const changed = change()
    if (changed !== undefined) return changed.then(publish)
    publish()
  }

  /** Ends its hold. */
  releases(hold: Held, release: () => void | Promise<void>): void | Promise<void> {
    this.ends(hold)
    try {
      const released = release()
      if (released === undefined) this.ended()
      else {
        const publish = () => this.ended()
        released.then(publish, publish)
      }
      return released
    } catch (error) {
      if (hold.ended && (error as { code?: unknown }).code !== undefined) this.ended()
      throw error
    }
  }

  /** Its hold was lost. The engine releases it after the call of which this is part. */
  isLost(hold: Held): void {
    this.ends(hold)
    queueMicrotask(() => this.ended())
  }

  /** Called just before its hold ends. */
  ends(hold?: Held): void {
    this.heldMs = performance.now() - this.#granted
    if (hold === undefined) return
    this.mode = hold.mode
    this.token = hold.token
  }

  /** Its hold has ended. */
  ended(): void {
    if (held.get(this.#engine)?.delete(this)) releaseChannel.publish(this as ReleaseMessage)
  }
}

/** The traced holds of each open lock. */
const held = new WeakMap<Lock, Set<Acquisition>>()

function heldOf(engine: Lock): Set<Acquisition> {
  let all = held.get(engine)
  if (all === undefined) {
    all = new Set()
    held.set(engine, all)
  }
  return all
}

/** Closes a lock, which releases its holds, by `closing`. */
export function closeTraced(engine: Lock, closing: Pick<Lock, 'close'> = engine): void | Promise<void> {
  const all = [...(held.get(engine) ?? [])]
  for (const acquisition of all) acquisition.ends()
  const publish = () => {
    for (const acquisition of all) acquisition.ended()
  }
  const closed = closing.close()
  if (closed === undefined) publish()
  else return closed.then(publish)
}

/** A call that acquires a hold, or does not: `null`. */
export function traceTry<H extends Held>(
  message: Acquisition,
  attempt: () => Awaitable<H | null>,
): Awaitable<H | null> {
  return traceCall(message, attempt, (hold) => {
    if (hold === null) message.missed()
    else message.granted(hold)
  })
}

/** The same for a call that upgrades `hold`, or does not. */
export function traceUpgrade<T>(message: Acquisition, hold: Held, attempt: () => Awaitable<T>): Awaitable<T> {
  message.raises(hold)
  return traceCall(message, attempt, (result) => {
    if (result === false) message.missed()
    else message.granted(hold)
  })
}

/** The same for a call that ends `hold`, and acquires it again. */
export function traceYield(
  message: Acquisition,
  hold: Held,
  call: (begun: () => void) => Promise<void>,
): Promise<void> {
  const before = hold.extras?.acquisition
  before?.ends(hold)
  const begun = () => before?.ended()
  return traceCall(
    message,
    () => call(begun),
    () => message.granted(hold),
  ) as Promise<void>
}

function traceCall<T>(
  message: Acquisition,
  call: () => Awaitable<T>,
  settle: (result: T) => void,
): Awaitable<T> {
  return start.runStores(message, () => {
    try {
      const result = call()
      if (result instanceof Promise) return settled(message, result, settle)
      settle(result)
      return result
    } catch (error) {
      message.failed(error)
      throw error
    } finally {
      end.publish(message)
    }
  })
}

function settled<T>(message: Acquisition, promise: Promise<T>, settle: (result: T) => void): Promise<T> {
  const publish = () => {
    asyncStart.publish(message)
    asyncEnd.publish(message)
  }
  return promise.then(
    (result) => {
      settle(result)
      publish()
      return result
    },
    (error) => {
      message.failed(error)
      publish()
      throw error
    },
  )
}

/** A call that acquires a hold, waiting for it if necessary. */
export function traceAcquire<H extends Held>(message: Acquisition, acquire: () => Promise<H>): Promise<H> {
  return traceCall(message, acquire, (hold) => message.granted(hold)) as Promise<H>
}

/** The same, for a call that runs `run` during the hold. */
export function traceScoped<T, H extends Held>(
  message: Acquisition,
  acquire: () => Promise<H>,
  run: (hold: H) => T | Promise<T>,
): Promise<T> {
  const granted = start.runStores(message, () => {
    try {
      return acquire()
    } finally {
      end.publish(message)
    }
  })
  // Outside: `run` has the asynchronous context of the caller.
  return granted.then(
    (hold) => {
      message.granted(hold)
      try {
        return asyncStart.runStores(message, () => run(hold))
      } finally {
        asyncEnd.publish(message)
      }
    },
    (error) => {
      message.failed(error)
      asyncStart.publish(message)
      asyncEnd.publish(message)
      throw error
    },
  )
}

// ---- deaths of owners

/** The token of the last death that was published for a lock. */
const published = new WeakMap<Lock, bigint>()

/**
 * Called while a hold is made that finds that an earlier writer died. It is published soon after:
 * a subscriber may use the lock.
 */
export function noticeOwnerDied(engine: Lock, hold: Held, ownerDied: OwnerDied): void {
  if (!ownerDiedChannel.hasSubscribers) return
  queueMicrotask(() => {
    if (published.get(engine) === ownerDied.token) return
    published.set(engine, ownerDied.token)
    const { name, path } = engine.location
    const { mode, token, extras } = hold
    const lock = hold.lock as AsyncRWLock
    ownerDiedChannel.publish({ lock, name, path, mode, label: extras?.label, token, ownerDied })
  })
}
