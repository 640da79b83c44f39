// Engines with one deliberate fault each, to show that the contract tests can fail:
// broken.js?FAULT Each is the shared-memory engine behind a lock, or guards, that break one
// promise. `none` breaks nothing: it is the control.
import { setTimeout as sleep } from 'node:timers/promises'
import { RWLock } from 'process-rwlock'
import { allowingSteals, steal as stealCorrectly } from '../../../dist/steal.js'
import { NESTING_FAULTS } from './broken-nesting.js'

/**
 * @typedef {'read' | 'write' | 'upgradable'} Mode
 * @typedef {{
 *   lock?: (lock: any) => object
 *   guard?: (guard: any, lock: any) => object
 *   acquire?: (lock: any, mode: Mode, options: any) => Promise<any>
 *   run?: (lock: any, mode: Mode, fn: any, options: any) => Promise<any>
 *   tryTo?: (lock: any, mode: Mode) => any
 *   options?: (options: any) => any
 *   opening?: (options: any) => any
 *   steal?: (lock: any, options: any, ref: any) => Promise<any>
 *   stealable?: boolean
 *   change?: () => void
 * }} Fault
 *   `lock` and `guard` give members that replace the original ones; the others replace an
 *   operation, or the options of the lock. All get the correct lock. `change` changes the library.
 */

const NAMES = { read: 'Read', write: 'Write', upgradable: 'Upgradable' }

/** @type {(lock: any, mode: Mode, options?: any) => Promise<any>} */
const acquire = (lock, mode, options) => lock[`acquire${NAMES[mode]}`](options)

/** @type {(lock: any, mode: Mode) => any} */
const tryTo = (lock, mode) => lock[`try${NAMES[mode]}`]()

/**
 * Holds the lock in the mode `really`, and reports `mode`.
 *
 * @type {(mode: Mode, really: Mode) => Fault}
 */
const instead = (mode, really) => {
  /** @param {Mode} asked */
  const taken = (asked) => (asked === mode ? really : asked)
  const disguised = (guard, asked) => guard && (asked === mode ? withMembers(guard, { mode }) : guard)
  return {
    acquire: async (lock, asked, options) => disguised(await acquire(lock, taken(asked), options), asked),
    run: (lock, asked, fn, options) =>
      lock[taken(asked)](typeof fn === 'function' ? (guard) => fn(disguised(guard, asked)) : fn, options),
    tryTo: (lock, asked) => disguised(tryTo(lock, taken(asked)), asked),
  }
}

/** The options without one of them. @param {string} name */
const without = (name) => (options) => options && { ...options, [name]: undefined }

/**
 * Gives up without cancelling the request, so that a later grant is lost.
 *
 * @type {(lock: any, mode: Mode, options?: any) => Promise<any>}
 */
async function forgetsGrant(lock, mode, { timeout, signal, ...options } = /** @type {any} */ ({})) {
  signal?.throwIfAborted()
  const now = tryTo(lock, mode)
  if (now) return now
  const granted = acquire(lock, mode, options)
  const givesUp = new Promise((_, reject) => {
    if (timeout !== undefined)
      acquire(lock, mode, { timeout: Math.min(timeout, 1e6) }).then((guard) => guard.release(), reject)
    signal?.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
  return Promise.race([granted, givesUp])
}

/**
 * Polls instead of waiting in the queue.
 *
 * @type {(lock: any, mode: Mode, options?: any) => Promise<any>}
 */
async function polls(lock, mode, options = {}) {
  options.signal?.throwIfAborted()
  const end = performance.now() + (options.timeout ?? 20_000)
  for (;;) {
    const guard = tryTo(lock, mode)
    if (guard) return guard
    if (performance.now() >= end) return acquire(lock, mode, { ...options, timeout: 0 })
    await sleep(1 + Math.random() * 3)
  }
}

/**
 * Acquires, calls the function and releases, without the checks of the API.
 *
 * @type {(lock: any, mode: Mode, fn: any, options?: any, how?: typeof acquire) => Promise<any>}
 */
async function runs(lock, mode, fn, options, how = acquire) {
  const guard = await how(lock, mode, options)
  try {
    return await fn(guard)
  } finally {
    guard.release()
  }
}

/** Waits until one of those that wait has the lock. */
async function othersHold(lock) {
  while (lock.inspect().waiters.length > 0 && lock.inspect().holders.length === 0) await sleep(1)
}

const runsBy = (how) => ({
  acquire: how,
  run: (lock, mode, fn, options) => runs(lock, mode, fn, options, how),
})

/** The guards that are held, of all locks of this thread. @type {Set<any>} */
const held = new Set()
let deaths = 0

/** @type {Record<string, Fault>} */
const FAULTS = {
  none: {},
  'writers are not alone': instead('write', 'read'),
  'readers are alone': instead('read', 'write'),
  'upgradables are readers': instead('upgradable', 'read'),
  'timeouts are ignored': { options: without('timeout') },
  'signals are ignored': { options: without('signal') },
  'labels are ignored': { options: without('label') },
  'a wait that was given up is granted': runsBy(forgetsGrant),
  'waits have no queue': runsBy(polls),
  'a try waits': { tryTo: (lock, mode) => acquire(lock, mode) },
  'a function that throws keeps the lock': {
    run: async (lock, mode, fn, options) => {
      const guard = await acquire(lock, mode, options)
      const result = await fn(guard)
      guard.release()
      return result
    },
  },
  'a function runs at once': {
    run: async (lock, mode, fn, options) => {
      const guard = tryTo(lock, mode)
      if (!guard) return lock[mode](fn, options)
      try {
        return await fn(guard)
      } finally {
        guard.release()
      }
    },
  },
  'a function runs after an abort': {
    run: (lock, mode, fn, options) => runs(lock, mode, fn, options),
  },
  'tokens stay the same': { guard: () => ({ token: 1n }) },
  'deaths are not reported': { guard: () => ({ ownerDied: null }) },
  'values are not stored': { guard: () => ({ setValue: () => undefined }) },
  'a value is stored at the release': {
    guard: (guard) => {
      let last
      return {
        setValue: (value) => {
          last = value
        },
        release: () => {
          if (last !== undefined && !guard.released) guard.setValue(last)
          return guard.release()
        },
      }
    },
  },
  'a value is always that of the last write hold': {
    lock: (lock) => ({
      inspect: () => {
        const snapshot = lock.inspect()
        return { ...snapshot, valueToken: snapshot.value && snapshot.token }
      },
    }),
  },
  'a death is reported once': {
    guard: (guard) => ({ ownerDied: guard.ownerDied && deaths++ === 0 ? guard.ownerDied : null }),
  },
  'a second release ends another hold': {
    guard: (guard) => {
      held.add(guard)
      return {
        release() {
          if (!guard.released) {
            held.delete(guard)
            return guard.release()
          }
          const [other] = held
          held.delete(other)
          other?.release()
        },
      }
    },
  },
  'disposal does not release': {
    guard: () => ({ [Symbol.dispose]() {}, async [Symbol.asyncDispose]() {} }),
  },
  'an upgrade releases first': {
    guard: (guard, lock) => ({
      async upgrade(options) {
        guard.release()
        await othersHold(lock)
        const writer = await lock.acquireWrite(options)
        Object.assign(this, { mode: 'write', token: writer.token, release: () => writer.release() })
      },
    }),
  },
  'a downgrade releases first': {
    guard: (guard, lock) => ({
      async downgrade(/** @type {Mode} */ to = 'read') {
        guard.release()
        await othersHold(lock)
        const next = await acquire(lock, to)
        Object.assign(this, { mode: to, release: () => next.release() })
      },
    }),
  },
  'closing forgets the waits': {
    acquire: (lock, mode, options) =>
      acquire(lock, mode, options).catch((error) => {
        if (error.code === 'ERR_LOCK_CLOSED') return new Promise(() => {})
        throw error
      }),
  },
  'closing keeps the holds': {
    lock: (lock) => ({
      close() {
        if (lock.inspect().holders.length === 0) lock.close()
        else setTimeout(() => lock.close(), 1500)
      },
    }),
  },
  'errors have no code': {
    acquire: (lock, mode, options) =>
      acquire(lock, mode, options).catch((error) => {
        throw new Error(error.message)
      }),
  },
  'arguments are not checked': {
    options: (options) =>
      options && {
        ...options,
        timeout: Number.isFinite(options.timeout) ? Math.max(options.timeout, 0) : undefined,
      },
  },
  'the limit on readers is ignored': { opening: without('maxReaders') },
  'the limit on readers is one less': {
    opening: (options) =>
      options?.maxReaders > 1 ? { ...options, maxReaders: options.maxReaders - 1 } : options,
  },
  'a downgrade without room ends the hold': {
    guard: (guard) => ({
      downgrade(to) {
        try {
          guard.downgrade(to)
        } catch (error) {
          guard.release()
          throw error
        }
      },
    }),
  },
  'inspect() shows no limit': {
    lock: (lock) => ({ inspect: () => ({ ...lock.inspect(), maxReaders: null }) }),
  },
  'a steal waits in turn': { steal: (lock, options) => lock.acquireWrite(options) },
  'a steal breaks exclusion': {
    steal: (_lock, options, ref) => new RWLock(`another-${ref}`, { durable: false }).acquireWrite(options),
  },
  'a steal that was given up robs': {
    steal: (lock, { signal, timeout, ...options } = /** @type {any} */ ({})) => {
      const granted = stealCorrectly(lock, options)
      granted.then((guard) => sleep(200).then(() => guard.release()))
      return new Promise((resolve, reject) => {
        if (timeout !== undefined)
          sleep(timeout)
            .then(() => lock.acquireWrite({ timeout: 0 }))
            .catch(reject)
        if (signal?.aborted) reject(signal.reason)
        signal?.addEventListener('abort', () => reject(signal.reason), { once: true })
        granted.then(resolve, reject)
      })
    },
  },
  'a stolen hold is not told': { guard: () => ({ signal: new AbortController().signal }) },
  'a stolen function succeeds': {
    run: (lock, mode, fn, options) => {
      let result
      return lock[mode](async (guard) => {
        result = await fn(guard)
      }, options).then(
        () => result,
        (error) => {
          if (error.code !== 'ERR_LOCK_LOST') throw error
          return result
        },
      )
    },
  },
  'a stolen guard says it is released': {
    guard: (guard) => ({
      upgrade: async (options) => {
        if (!guard.released) await guard.upgrade(options)
      },
    }),
  },
  'every lock can be stolen': { stealable: true },
  'inspect() shows no waiters': { lock: (lock) => ({ inspect: () => ({ ...lock.inspect(), waiters: [] }) }) },
  'contended is false': { guard: () => ({ contended: false }) },
  'inspect() shows no contention': {
    lock: (lock) => ({ inspect: () => ({ ...lock.inspect(), contended: false }) }),
  },
  'a notice is lost': { guard: () => ({ whenContended: () => new Promise(() => {}) }) },
  'a notice comes without a request': { guard: () => ({ async whenContended() {} }) },
  'a yield keeps the lock': { guard: () => ({ async yield() {} }) },
  'a yield loses its place': {
    guard: (guard, lock) => ({
      async yield(options) {
        const { mode } = guard
        guard.release()
        await sleep(50)
        const next = await acquire(lock, mode, options)
        Object.assign(this, { released: false, token: next.token, release: () => next.release() })
      },
    }),
  },
  'the loss of a hold aborts no signal': { guard: () => ({ signal: new AbortController().signal }) },
  ...NESTING_FAULTS,
}

/** An object with the members of `members`, and otherwise those of `target`. */
function withMembers(target, members) {
  return new Proxy(target, {
    get(target, key) {
      if (Object.hasOwn(members, key)) return members[key]
      const value = target[key]
      return typeof value === 'function' ? value.bind(target) : value
    },
    set(_, key, value) {
      members[key] = value
      return true
    },
  })
}

export const faults = Object.keys(FAULTS)

/** What each lock that {@link open} returns stands for. @type {WeakMap<object, any>} */
const correct = new WeakMap()

const {
  lock: lockMembers,
  guard: guardMembers,
  ...fault
} = FAULTS[decodeURIComponent(new URL(import.meta.url).search.slice(1))] ?? {}

fault.change?.()

/**
 * @param {any} ref
 * @param {any} [options]
 */
export function open(ref, { stealable = fault.stealable, ...given } = /** @type {any} */ ({})) {
  const options = fault.opening?.(given) ?? given
  const lock = new RWLock(ref, stealable ? allowingSteals(options) : options)
  const broken = (guard) => guard && (guardMembers ? withMembers(guard, guardMembers(guard, lock)) : guard)
  const changed = fault.options ?? ((options) => options)
  /** @type {Record<string | symbol, unknown>} */
  const members = {}
  for (const mode of /** @type {Mode[]} */ (['read', 'write', 'upgradable'])) {
    members[mode] = (fn, options) =>
      (fault.run ?? runsByItself)(
        lock,
        mode,
        typeof fn === 'function' ? (guard) => fn(broken(guard)) : fn,
        changed(options),
      )
    members[`acquire${NAMES[mode]}`] = async (options) =>
      broken(await (fault.acquire ?? acquire)(lock, mode, changed(options)))
    members[`try${NAMES[mode]}`] = () => {
      const guard = (fault.tryTo ?? tryTo)(lock, mode)
      return guard instanceof Promise ? guard.then(broken) : broken(guard)
    }
  }
  const disguised = withMembers(lock, { ...members, ...lockMembers?.(lock) })
  correct.set(disguised, { lock, ref, broken })
  return disguised
}

/**
 * @param {any} lock
 * @param {any} [options]
 */
export async function steal(lock, options) {
  const { lock: original, ref, broken } = correct.get(lock)
  return broken(await (fault.steal ?? stealCorrectly)(original, options, ref))
}

function runsByItself(lock, mode, fn, options) {
  return lock[mode](fn, options)
}
