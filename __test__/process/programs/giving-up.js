// An actor that gives up most of its requests, by timeout or by abort, at random moments around the
// grant.
import { setTimeout as sleep, setImmediate as tick } from 'node:timers/promises'
import { RWLock } from 'process-rwlock'
import { random } from '../../helpers/random.js'
import { SharedRecord } from '../../helpers/shared-record.js'

const { ref, page, actor, seed, tasks, times } = JSON.parse(process.argv[2])
const ABORTED = new Error('aborted by the test')
const record = new SharedRecord(page, actor)
const lock = new RWLock(ref)
/** @type {string[]} */
const violations = []
const outcomes = { granted: 0, timedOut: 0, aborted: 0 }
let writes = 0
let asked = 0

process.send?.({ type: 'ready' })
while (!record.started) await sleep(1)
await Promise.all(Array.from({ length: tasks }, (_, task) => run(random(seed + actor * 1000 + task))))
// No grant was lost: every mode can be acquired.
for (const mode of ['read', 'upgradable', 'write']) await lock[mode](() => {}, { timeout: 10_000 })
lock.close()
process.send?.({ type: 'report', violations: [...violations, ...record.violations], outcomes, writes })
process.disconnect()

/** @param {ReturnType<typeof random>} dice */
async function run(dice) {
  const ways = [withFunction, withFunction, withGuard, withGuard, upgrading, blocking]
  while (asked < times) {
    asked++
    const way = dice.pick(ways)
    const mode = dice.pick(['read', 'write', 'upgradable'])
    try {
      await way(dice, mode)
      outcomes.granted++
    } catch (error) {
      if (error.code === 'ERR_LOCK_TIMEOUT') outcomes.timedOut++
      else if (error === ABORTED) outcomes.aborted++
      // Another task of this thread holds it.
      else if (error.code === 'ERR_LOCK_DEADLOCK') asked--
      else throw error
    }
    if (dice.chance(0.2)) await tick()
  }
}

/** Limits a wait to about the time of the other holds. */
function waitLimit(dice) {
  if (dice.chance(0.5)) return { timeout: dice.next() * 4 }
  const controller = new AbortController()
  const abort = () => controller.abort(ABORTED)
  dice.pick([
    () => queueMicrotask(abort),
    () => setImmediate(abort),
    () => setImmediate(() => setImmediate(abort)),
    () => setTimeout(abort, 1),
    () => setTimeout(abort, 2),
    () => setTimeout(abort, 3),
  ])()
  return { signal: controller.signal }
}

async function withFunction(dice, mode) {
  let ran = false
  try {
    await lock[mode](() => {
      ran = true
      return hold(dice, mode)
    }, waitLimit(dice))
  } catch (error) {
    if (ran) violations.push('a function ran, and its acquisition was rejected')
    throw error
  }
  if (!ran) violations.push('an acquisition was granted, and its function did not run')
}

async function withGuard(dice, mode) {
  const acquire = { read: 'acquireRead', write: 'acquireWrite', upgradable: 'acquireUpgradable' }[mode]
  const guard = await lock[acquire](waitLimit(dice))
  await hold(dice, mode)
  guard.release()
}

async function upgrading(dice) {
  const guard = await lock.acquireUpgradable(waitLimit(dice))
  try {
    await guard.upgrade(waitLimit(dice))
    await hold(dice, 'write')
  } catch (error) {
    if (guard.mode !== 'upgradable') violations.push(`an upgrade failed and left mode ${guard.mode}`)
    await hold(dice, 'upgradable')
    throw error
  } finally {
    guard.release()
  }
}

async function blocking(dice, mode) {
  const timeout = dice.next() * 2
  const guard = mode === 'read' ? lock.acquireReadSync({ timeout }) : lock.acquireWriteSync({ timeout })
  await hold(dice, guard.mode)
  guard.release()
}

async function hold(dice, role) {
  record.enter(role)
  if (role === 'write') {
    await record.write(() => pause(dice))
    writes++
  } else {
    const value = record.check()
    await pause(dice)
    record.check(value)
  }
  record.leave(role)
}

async function pause(dice) {
  const kind = dice.below(10)
  if (kind < 4) return
  if (kind < 9) return tick()
  await sleep(1)
}
