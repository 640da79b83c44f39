// An actor that may be killed at any moment: acquires one lock in random modes, writes a shared
// record, and repairs what dead writers left. Reports its writes when the stop flag of the record
// is set.
import { setTimeout as sleep, setImmediate as tick } from 'node:timers/promises'
import { RWLock } from 'process-rwlock'
import { random } from '../../helpers/random.js'
import { SharedRecord } from '../../helpers/shared-record.js'

const { ref, page, seed } = JSON.parse(process.argv[2])
const record = new SharedRecord(page)
const dice = random(seed)
const lock = new RWLock(ref)
/** @type {string[]} */
const violations = []
/** The written values, each with the token of its hold. @type {Array<[number, bigint]>} */
const writes = []
let repairs = 0

process.send?.({ type: 'ready' })
while (!record.stopped) {
  const options = dice.chance(0.3) ? { timeout: dice.below(10) } : undefined
  try {
    await dice.pick([read, write, write, upgrade])(options)
  } catch (error) {
    if (error.code !== 'ERR_LOCK_TIMEOUT') throw error
  }
  await pause()
}
lock.close()
process.send?.({ type: 'report', violations: [...violations, ...record.violations], writes, repairs })
process.disconnect()

function read(options) {
  return lock.read(reading, options)
}

function write(options) {
  return lock.write(writing, options)
}

function upgrade(options) {
  return lock.upgradable(async (guard) => {
    const before = await reading(guard)
    await guard.upgrade(options)
    unchanged(before)
    await writing(guard)
  }, options)
}

async function reading({ ownerDied }) {
  if (record.torn && ownerDied === null) violations.push('a torn record without ownerDied')
  const before = record.copy()
  await pause()
  unchanged(before)
  return before
}

async function writing({ ownerDied, token }) {
  if (record.torn) {
    if (ownerDied === null) violations.push('a torn record without ownerDied')
    record.repair()
    repairs++
  }
  writes.push([await record.write(pause), token])
}

/** @param {Float64Array} before */
function unchanged(before) {
  const now = record.copy()
  if (before.some((word, index) => word !== now[index])) violations.push('the record changed under a hold')
}

async function pause() {
  const kind = dice.below(10)
  if (kind < 3) return
  if (kind < 8) return tick()
  await sleep(1)
}
