// Moves money between accounts, each a file with a lock of its own:  transfers.js JOB (JSON). Reports what it did.
import { readFileSync, writeFileSync } from 'node:fs'
import { acquireAll, lockAll, RWLock } from 'process-rwlock'
import { random } from '../../helpers/random.js'

/**
 * @typedef Job
 * @property {any[]} refs
 * @property {string[]} files one for each lock
 * @property {boolean} reverse whether it names the locks in the opposite order
 * @property {number} seed
 * @property {number} rounds
 * @property {number} timeout
 */

/** @type {Job} */
const { refs, files, reverse, seed, rounds, timeout } = JSON.parse(process.argv[2] ?? '')
const locks = refs.map((ref) => new RWLock(ref))
const dice = random(seed)
/** @type {{ all: number, some: number, timeouts: number, errors: string[] }} */
const report = { all: 0, some: 0, timeouts: 0, errors: [] }

process.send?.({ type: 'ready' })
await new Promise((resolve) => process.once('message', resolve))
for (let round = 0; round < rounds; round++) {
  try {
    await (dice.chance(0.5) ? withAll() : withSome())
  } catch (error) {
    report.errors.push(`${error.code}: ${error.message}`)
    break
  }
}
for (const lock of locks) lock.close()
process.send?.({ type: 'report', report })
process.disconnect()

/** Every lock, in this process' order. */
async function withAll() {
  const order = reverse ? locks.toReversed() : locks
  await lockAll(
    order.map((lock) => ({ lock })),
    () => transfer(dice.below(locks.length), dice.below(locks.length)),
    { timeout },
  )
  report.all++
}

/** Some, in any order, and some more to read. Does without if they are not granted soon. */
async function withSome() {
  const order = locks.map((_, index) => index).sort(() => dice.next() - 0.5)
  const [from = 0, to = 0, ...others] = order
  const readers = others.slice(0, dice.below(4))
  const wants = [...readers.map((index) => ({ lock: locks[index], mode: /** @type {const} */ ('read') }))]
  for (const index of [from, to]) {
    wants.splice(dice.below(wants.length), 0, /** @type {any} */ ({ lock: locks[index] }))
  }
  const isHasty = dice.chance(0.3)
  let group
  try {
    group = await acquireAll(wants, { timeout: isHasty ? dice.next() * 3 : timeout })
  } catch (error) {
    if (!isHasty || error.code !== 'ERR_LOCK_TIMEOUT') throw error
    report.timeouts++
    return
  }
  for (const index of readers) read(index)
  if (dice.chance(0.5)) await new Promise((resolve) => setImmediate(resolve))
  transfer(from, to)
  group.release()
  report.some++
}

/** @param {number} from @param {number} to */
function transfer(from, to) {
  const amount = dice.below(10)
  write(from, read(from) - amount)
  write(to, read(to) + amount)
}

/** @param {number} index */
function read(index) {
  const text = readFileSync(files[index] ?? '', 'utf8')
  if (!/^-?\d+\n$/.test(text)) report.errors.push(`torn: ${JSON.stringify(text)}`)
  return Number(text)
}

/** @param {number} index @param {number} balance */
function write(index, balance) {
  writeFileSync(files[index] ?? '', `${balance}\n`)
}
