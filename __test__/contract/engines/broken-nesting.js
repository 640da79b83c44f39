// Faults of re-entrant locks, for broken.js: each changes one method of src/reentrant, or one operation.
import { AsyncLocalStorage } from 'node:async_hooks'
import { CONSISTENT, MODE_NAMES, WRITE } from '../../../dist/modes.js'
import { JointHold } from '../../../dist/reentrant/joint-hold.js'
import { NestingEngine } from '../../../dist/reentrant/nesting-engine.js'
import { ScopedHold } from '../../../dist/reentrant/scoped-hold.js'

/** Replaces a method; the replacement gets the original as its first argument. */
const changes = (type, name, method) => ({
  change() {
    const original = type.prototype[name]
    type.prototype[name] = function (...args) {
      return method.call(this, original.bind(this), ...args)
    }
  },
})

/** Replaces a property. */
const reads = (type, name, get) => ({
  change: () => Object.defineProperty(type.prototype, name, { get, configurable: true }),
})

/** A hold of the engine that never ends, and is none. */
const NO_HOLD = { released: false, ownerDied: null, token: 0n, downgrade() {}, release() {}, fail() {} }

const inside = new AsyncLocalStorage()
/** @type {Promise<any>} */
let turn = Promise.resolve()

/** @type {WeakMap<object, string>} */
const identities = new WeakMap()
let objects = 0

/** @this {object} */
function ownIdentity() {
  if (!identities.has(this)) identities.set(this, `object ${objects++}`)
  return identities.get(this)
}

/** @type {Record<string, object>} */
export const NESTING_FAULTS = {
  'a call inside a call waits for it': {
    opening: ({ reentrant, ...options } = /** @type {any} */ ({})) => options,
  },
  'what runs on after its call is inside': changes(JointHold, 'remove', (remove, hold, end) => {
    const removed = remove(hold, end)
    const joint = Object.assign(new JointHold(hold.grant.engine, hold.grant.identity, WRITE), {
      hold: NO_HOLD,
    })
    hold.scope.hold = { ended: false, held: WRITE, grant: joint }
    return removed
  }),
  'a hold ends with its outermost call': changes(JointHold, 'remove', (remove, hold, end) => {
    if (hold.scope.outer === undefined) hold.grant.hold.release()
    return remove(hold, end)
  }),
  'the outermost call does not wait for the others': changes(JointHold, 'remove', (remove, hold, end) => {
    const removed = remove(hold, end)
    return hold.grant.isUnused ? removed : undefined
  }),
  'a nested call ends the hold': changes(JointHold, 'remove', (remove, hold, end) => {
    hold.grant.hold.release()
    return remove(hold, end)
  }),
  'a nested write writes beside readers': {
    change() {
      JointHold.prototype.assertGrantable = () => {}
      JointHold.prototype.tryRaise = () => true
    },
  },
  'a nested write excludes readers until the hold ends': changes(JointHold, 'lower', () => {}),
  'calls of one hold take turns': {
    run(lock, mode, fn, options) {
      const call = () => inside.run(true, () => lock[mode](fn, options))
      if (!inside.getStore()) return call()
      turn = turn.then(call)
      return turn
    },
  },
  'an acquired guard is that of a call': {
    acquire: (lock, mode, options) =>
      new Promise((resolve, reject) => {
        lock[mode]((guard) => {
          resolve(guard)
          return new Promise(() => {})
        }, options).catch(reject)
      }),
  },
  'every lock is the same': reads(NestingEngine, 'identity', () => 'the same'),
  'every object is a lock of its own': reads(NestingEngine, 'identity', ownIdentity),
  'a nested write that fails repairs': changes(JointHold, 'remove', (remove, hold) =>
    remove(hold, CONSISTENT),
  ),
  'nested calls survive the close of their lock': {
    change() {
      JointHold.prototype.lose = () => {}
      ScopedHold.prototype.lose = () => {}
    },
  },
  'a guard lowers the mode of other calls': changes(NestingEngine, 'downgrade', (_, hold, to) => {
    hold.grant.setMode(hold, to)
    return hold.grant.hold.downgrade(MODE_NAMES[to])
  }),
  'a call yields what another one holds': reads(JointHold, 'isShared', () => false),
}
