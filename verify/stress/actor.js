// One thread that acquires the lock in every possible way, at random, in several concurrent tasks.
import { setTimeout as sleep, setImmediate as tick } from 'node:timers/promises'
import { RWLock } from '../../dist/index.js'
import { allowingSteals, steal } from '../../dist/steal.js'
import {
  ABORTED,
  CLOSED,
  CONSISTENT,
  DEADLOCK,
  FAILED,
  READ,
  REFUSED,
  STEAL,
  STOLEN,
  SYNC,
  TIMED_OUT,
  TRY,
  UPGRADABLE,
  WAIT,
  WRITE,
} from './numbers.js'

/** @typedef {ReturnType<typeof import('../../scripts/lib/random.js').random>} Dice */
/** @typedef {import('../../dist/index.js').Guard} Guard */

const ABORT = new Error('aborted by the stress test')
/** How long a hold is kept, at most, if no other process wants it, in ms. */
const KEEP = 1500
const THROWN = new Error('thrown by the stress test')
const MODES = { read: READ, upgradable: UPGRADABLE, write: WRITE }
const OUTCOMES = {
  ERR_LOCK_TIMEOUT: TIMED_OUT,
  ERR_LOCK_CLOSED: CLOSED,
  ERR_LOCK_LOST: CLOSED,
  ERR_LOCK_DEADLOCK: DEADLOCK,
}
const METHODS = {
  read: { acquire: 'acquireRead', try: 'tryRead', sync: 'acquireReadSync' },
  upgradable: { acquire: 'acquireUpgradable', try: 'tryUpgradable' },
  write: { acquire: 'acquireWrite', try: 'tryWrite', sync: 'acquireWriteSync' },
}

/** A hold of this thread, with its number in the record. */
class Held {
  /** The lock was closed meanwhile, or the hold was stolen. */
  ended = false

  /**
   * @param {number} id
   * @param {Guard} guard
   */
  constructor(id, guard) {
    this.id = id
    this.guard = guard
  }

  get mode() {
    return MODES[this.guard.mode]
  }
}

export class Actor {
  #recorder
  #ref
  #options
  #lock
  /** @type {Set<Held>} */
  #held = new Set()

  /**
   * @param {any} recorder
   * @param {import('../../dist/index.js').RWLockRef} ref
   * @param {number} fairness
   */
  constructor(recorder, ref, fairness) {
    this.#recorder = recorder
    this.#ref = ref
    this.#options = allowingSteals({ fairness, label: 'stress' })
    this.#lock = new RWLock(ref, this.#options)
  }

  /** @param {Dice} dice */
  async run(dice) {
    /** @type {('read' | 'upgradable' | 'write')[]} */
    const modes = ['read', 'read', 'upgradable', 'write', 'write']
    while (!this.#recorder.isOver) {
      const mode = dice.pick(modes)
      const kind = dice.below(21)
      if (kind < 6) await this.#withGuard(dice, mode)
      else if (kind < 11) await this.#withFunction(dice, mode)
      else if (kind < 15) await this.#try(dice, mode)
      else if (kind < 18) await this.#sync(dice, dice.pick(['read', 'write']))
      else if (kind < 19) this.#look(() => this.#lock.inspect().value)
      else if (kind < 20) {
        if (dice.chance(0.3)) await this.#steal(dice)
      } else if (dice.chance(0.3)) this.#reopen(dice)
      await this.#pause(dice)
      if (this.#recorder.isCalm) await sleep(10 + dice.below(50))
      // A thread without a pause would never run its timers.
      else await (dice.chance(0.3) ? sleep(dice.below(8)) : tick())
    }
  }

  close() {
    this.#close()
  }

  // ---- taking the lock

  /** @param {Dice} dice @param {'read' | 'upgradable' | 'write'} mode */
  async #withGuard(dice, mode) {
    const op = this.#recorder.acquire(MODES[mode], WAIT)
    await this.#awaitGuard(dice, op, this.#lock[METHODS[mode].acquire](waitLimits(dice)))
  }

  /** @param {Dice} dice */
  async #steal(dice) {
    const op = this.#recorder.acquire(WRITE, STEAL)
    await this.#awaitGuard(dice, op, steal(this.#lock, waitLimits(dice)))
  }

  /** @param {Dice} dice @param {number} op @param {Promise<Guard>} granted */
  async #awaitGuard(dice, op, granted) {
    let guard
    try {
      guard = await granted
    } catch (error) {
      return this.#denied(op, error)
    }
    if (guard.released) return this.#recorder.denied(op, CLOSED)
    const held = this.#granted(op, guard)
    await this.#use(dice, held)
    if (!held.ended) this.#release(held)
  }

  /** @param {Dice} dice @param {'read' | 'upgradable' | 'write'} mode */
  async #withFunction(dice, mode) {
    const op = this.#recorder.acquire(MODES[mode], WAIT)
    /** @type {Held | undefined} */
    let held
    let release = 0
    try {
      await this.#lock[mode](async (guard) => {
        held = this.#granted(op, guard)
        await this.#use(dice, held)
        if (held.ended) return
        this.#held.delete(held)
        const fails = dice.chance(0.1)
        release = this.#recorder.release(held.id, held.mode, fails ? FAILED : CONSISTENT)
        if (fails) throw THROWN
      }, waitLimits(dice))
    } catch (error) {
      if (!held) return this.#denied(op, error)
      if (error !== THROWN && !(held.ended && error.code === 'ERR_LOCK_LOST')) throw error
    }
    if (release !== 0) this.#recorder.done(release)
  }

  /** @param {Dice} dice @param {'read' | 'upgradable' | 'write'} mode */
  async #try(dice, mode) {
    const op = this.#recorder.acquire(MODES[mode], TRY)
    const guard = this.#lock[METHODS[mode].try]()
    if (!guard) return this.#recorder.denied(op, REFUSED)
    const held = this.#granted(op, guard)
    await this.#use(dice, held)
    if (!held.ended) this.#release(held)
  }

  /** @param {Dice} dice @param {'read' | 'write'} mode */
  async #sync(dice, mode) {
    const op = this.#recorder.acquire(MODES[mode], SYNC)
    let guard
    try {
      guard = this.#lock[METHODS[mode].sync](this.#syncLimits(dice))
    } catch (error) {
      return this.#denied(op, error)
    }
    const held = this.#granted(op, guard)
    await this.#use(dice, held)
    if (!held.ended) this.#release(held)
  }

  /**
   * How long a thread may block. Two threads that hold all reads of a limited lock, and block for one more, would wait for
   * ever.
   *
   * @param {Dice} dice
   */
  #syncLimits(dice) {
    const isRisky = this.#recorder.limit > 0 && this.#held.size > 0
    return isRisky || dice.chance(0.7) ? { timeout: dice.next() * 5 } : undefined
  }

  /** @param {number} op @param {Guard} guard */
  #granted(op, guard) {
    const held = new Held(op, guard)
    this.#held.add(held)
    this.#recorder.granted(op, held.mode, guard.token, guard.ownerDied ?? undefined)
    guard.signal.addEventListener('abort', () => this.#lost(held))
    return held
  }

  /** @param {number} op @param {any} error */
  #denied(op, error) {
    const outcome = error === ABORT ? ABORTED : OUTCOMES[error.code]
    if (outcome === undefined) throw error
    this.#recorder.denied(op, outcome)
  }

  /**
   * The hold is being stolen: it ends when this has returned, so what is half-written is completed here.
   *
   * @param {Held} held
   */
  #lost(held) {
    if (held.ended) return // the lock was closed
    held.ended = true
    this.#held.delete(held)
    const { guard, mode } = held
    if (mode === WRITE) {
      for (let step = 0; step < this.#recorder.steps; step++) this.#recorder.writeCanary(step, guard.token)
    }
    const op = this.#recorder.release(held.id, mode, STOLEN)
    queueMicrotask(() => this.#recorder.done(op))
  }

  /** @param {Held} held */
  #release(held) {
    this.#held.delete(held)
    const op = this.#recorder.release(held.id, held.mode, CONSISTENT)
    held.guard.release()
    this.#recorder.done(op)
  }

  /**
   * Closes the lock, with all that wait for it and read it, and opens it again. Not while something is half-written, which
   * closing would pass off as whole.
   *
   * @param {Dice} dice
   */
  #reopen(dice) {
    if ([...this.#held].some(({ guard }) => guard.mode === 'write')) return
    // Granting something to a task that does not know it yet when the lock is closed.
    const [first] = this.#held
    if (first && dice.chance(0.5)) {
      first.ended = true
      this.#release(first)
    }
    this.#close()
    this.#lock = new RWLock(this.#ref, this.#options)
  }

  #close() {
    const ends = [...this.#held].map((held) => {
      held.ended = true
      return this.#recorder.release(held.id, held.mode, CONSISTENT)
    })
    this.#held.clear()
    this.#lock.close()
    for (const op of ends) this.#recorder.done(op)
  }

  // ---- inside

  /** @param {Dice} dice @param {Held} held */
  async #use(dice, held) {
    if (dice.chance(0.05)) await this.#keep(held)
    if (held.ended) return
    if (held.guard.mode === 'write') {
      await this.#write(dice, held)
      if (!held.ended && dice.chance(0.3)) await this.#downgrade(dice, held)
      return
    }
    await this.#read(dice, held)
    // Sometimes closes and opens the lock again while a death is to be reported.
    if (!held.ended && held.guard.ownerDied && dice.chance(0.2)) this.#reopen(dice)
    if (held.ended || dice.chance(0.5)) return
    if (held.guard.mode === 'upgradable') await this.#fromUpgradable(dice, held)
    else await this.#tryUpgrade(dice, held)
  }

  /** Keeps a hold until somebody wants it. @param {Held} held */
  async #keep(held) {
    const op = this.#recorder.notice(held.id, held.mode)
    const controller = new AbortController()
    const timer = setTimeout(() => controller.abort(ABORT), KEEP)
    try {
      await held.guard.whenContended({ signal: controller.signal })
      this.#recorder.done(op)
    } catch (error) {
      if (error !== ABORT) throw error
      this.#recorder.denied(op, TIMED_OUT)
    } finally {
      clearTimeout(timer)
    }
  }

  /** @param {Dice} dice @param {Held} held */
  async #fromUpgradable(dice, held) {
    const kind = dice.below(4)
    if (kind === 0) return this.#downgrade(dice, held)
    if (kind === 1) return this.#tryUpgrade(dice, held)
    const op = this.#recorder.upgrade(held.id, WAIT)
    try {
      await held.guard.upgrade(waitLimits(dice))
    } catch (error) {
      this.#denied(op, error)
      if (!held.ended) await this.#read(dice, held)
      return
    }
    if (held.ended) return this.#recorder.denied(op, CLOSED)
    this.#recorder.upgraded(op, UPGRADABLE, held.guard.token, held.guard.ownerDied ?? undefined)
    await this.#write(dice, held)
  }

  /** @param {Dice} dice @param {Held} held */
  async #tryUpgrade(dice, held) {
    const { mode } = held
    const op = this.#recorder.upgrade(held.id, TRY)
    if (!held.guard.tryUpgrade()) return this.#recorder.denied(op, REFUSED)
    this.#recorder.upgraded(op, mode, held.guard.token, held.guard.ownerDied ?? undefined)
    await this.#write(dice, held)
  }

  /** @param {Dice} dice @param {Held} held */
  async #downgrade(dice, held) {
    const to = held.guard.mode === 'write' ? dice.pick(/** @type {const} */ (['read', 'upgradable'])) : 'read'
    const canary = this.#recorder.canary()
    const op = this.#recorder.downgrade(held.id, held.mode, MODES[to])
    try {
      held.guard.downgrade(to)
    } catch (error) {
      if (error.code !== 'ERR_LOCK_BUSY') throw error
      return this.#recorder.staysUpgradable(op) // all read holds that the lock allows are in use
    }
    this.#recorder.done(op)
    await this.#pause(dice)
    if (held.ended) return
    this.#recorder.checkCanary(canary)
  }

  /** @param {Dice} dice @param {Held} held */
  async #read(dice, held) {
    const canary = this.#recorder.canary()
    if (dice.chance(0.3)) this.#look(() => held.guard.value)
    await this.#pause(dice)
    if (!held.ended) this.#recorder.checkCanary(canary)
  }

  /** @param {Dice} dice @param {Held} held */
  async #write(dice, held) {
    const rest = dice.below(this.#recorder.steps)
    for (let step = 0; step < this.#recorder.steps; step++) {
      if (step === rest) {
        this.#setValue(dice, held)
        if (dice.chance(0.001)) {
          this.#recorder.ends()
          process.exit(0)
        }
        await this.#pause(dice)
        if (held.ended) return
      }
      this.#recorder.writeCanary(step, held.guard.token)
    }
  }

  /** @param {Dice} dice @param {Held} held */
  #setValue(dice, held) {
    for (let i = dice.below(4); i > 1; i--) {
      const { op, value } = this.#recorder.setValue(held.id, dice.chance(0.06))
      held.guard.setValue(value ?? null)
      this.#recorder.done(op)
    }
    if (dice.chance(0.3)) this.#look(() => held.guard.value)
  }

  /** @param {() => Uint8Array | null} value */
  #look(value) {
    const op = this.#recorder.look()
    this.#recorder.saw(op, value())
  }

  /** @param {Dice} dice */
  async #pause(dice) {
    const kind = dice.below(10)
    if (kind < 5) return
    if (kind < 9) await tick()
    else await sleep(dice.below(4))
  }
}

/** How long to wait, if not for ever. @param {Dice} dice */
function waitLimits(dice) {
  const kind = dice.below(4)
  if (kind < 2) return undefined
  if (kind === 2) return { timeout: dice.next() * 8 }
  const controller = new AbortController()
  const abort = () => controller.abort(ABORT)
  dice.pick([
    () => queueMicrotask(abort),
    () => setImmediate(abort),
    () => setTimeout(abort, dice.below(6)),
  ])()
  return { signal: controller.signal }
}
