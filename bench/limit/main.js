// node bench/limit/main.js: what maxReaders costs: pairs, and the handoff of the last hold between
// two processes. All locks take turns; ratios are medians of the ratios within one round.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { RWLock } from 'process-rwlock'
import { readArguments } from '../../scripts/lib/arguments.js'
import { median } from '../../scripts/lib/statistics.js'
import { measure, ratiosTo } from '../inprocess/measure.js'
import { fresh } from '../scratch.js'
import { handoffs } from '../workloads/handoff.js'

const HELP = `
node bench/limit/main.js            read pairs, and handoffs, with limits of 1, 4 and 64 and without one
node bench/limit/main.js --quick    with fewer and shorter rounds
`
const { values } = readArguments(HELP, { quick: { type: 'boolean', default: false } })
const LIMITS = [undefined, 1, 4, 64]
const PAIRS = values.quick ? { rounds: 11, batch: 5 } : { rounds: 51, batch: 20 }
const HANDOFFS = values.quick ? { rounds: 4, times: 20 } : { rounds: 15, times: 50 }
/** The other attachments that have read, and so are scanned. */
const OTHERS = [0, 15]

/** @type {Record<string, (lock: RWLock, times: number) => unknown>} */
const WAYS = {
  'tryRead() and release()'(lock, times) {
    for (let n = 0; n < times; n++) lock.tryRead()?.release()
  },
  async 'await read(() => {})'(lock, times) {
    for (let n = 0; n < times; n++) await lock.read(() => {})
  },
}

const worker = fileURLToPath(new URL('worker.js', import.meta.url))
const nameOf = (/** @type {number | undefined} */ limit) =>
  limit === undefined ? 'no limit' : `maxReaders ${limit}`

console.log(`Node.js ${process.versions.node}\n`)
for (const others of OTHERS) await pairs(others)
await handoff()

/** @param {number} others */
async function pairs(others) {
  const locks = LIMITS.map((maxReaders) => ({
    maxReaders,
    lock: new RWLock({ path: fresh() }, { maxReaders }),
  }))
  const children = []
  for (let n = 0; n < others; n++) children.push(await start(locks.map(({ lock }) => lock)))
  for (const [what, run] of Object.entries(WAYS)) {
    const cases = locks.map(({ maxReaders, lock }) => ({
      name: nameOf(maxReaders),
      run: (/** @type {number} */ times) => run(lock, times),
    }))
    const measured = await measure(cases, PAIRS)
    const ratios = ratiosTo(measured, nameOf(undefined))
    console.log(`${what}, ${others} other processes that have read`)
    for (const { name, times } of measured) show(name, median(times), ratios[name])
  }
  for (const child of children) child.disconnect()
  for (const { lock } of locks) lock.close()
}

/** The handoff of the write hold, or of the last read hold, from one process to another. */
async function handoff() {
  const teams = []
  for (const maxReaders of LIMITS) {
    const lock = new RWLock({ path: fresh() }, { maxReaders })
    for (let held = 1; held < (maxReaders ?? 1); held++) await lock.acquireRead()
    teams.push({
      name: nameOf(maxReaders),
      mode: maxReaders === undefined ? 'write' : 'read',
      lock,
      children: [await start([lock]), await start([lock])],
      medians: /** @type {number[]} */ ([]),
    })
  }
  for (let round = 0; round < HANDOFFS.rounds; round++) {
    for (let turn = 0; turn < teams.length; turn++) {
      const { mode, children, medians } = teams[(turn + round) % teams.length]
      const answers = children.map((child) => once(child, 'message'))
      for (const child of children) child.send({ mode, times: HANDOFFS.times })
      medians.push(median(handoffs((await Promise.all(answers)).map(([holds]) => holds))))
    }
  }
  console.log('handoff between two processes (without a limit: of the write hold)')
  for (const { name, medians } of teams) {
    show(name, median(medians), median(medians.map((ns, round) => ns / teams[0].medians[round])))
  }
  for (const { lock, children } of teams) {
    for (const child of children) child.disconnect()
    lock.close()
  }
}

/** A process that has these locks open, and has read each. @param {RWLock[]} locks */
async function start(locks) {
  const child = fork(worker, [JSON.stringify(locks)])
  await once(child, 'message')
  return child
}

/** @param {string} name @param {number} ns @param {number} ratio */
function show(name, ns, ratio) {
  console.log(`  ${name.padEnd(14)} ${ns.toFixed(0).padStart(9)} ns  ${ratio.toFixed(2).padStart(6)}`)
}
