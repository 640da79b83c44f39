// node bench/reentrant.js: what re-entrant calls cost, as ratios. The contenders take turns in short
// batches. Of the batches of each, the 10th percentile counts, which other load of the machine
// changes least.
import { RWLock } from 'process-rwlock'

const CALLS = 1000 // in a batch
const BATCHES = 300
const WARM_UP = 20

const nothing = () => {}
const plain = new RWLock()
const reentrant = new RWLock(undefined, { reentrant: true })

async function asyncFunction() {
  await null
  await null
}

/** @type {(call: () => unknown) => () => Promise<void>} */
const awaited = (call) => async () => {
  for (let i = 0; i < CALLS; i++) await call()
}

/** @type {(call: () => unknown) => () => void} */
const repeated = (call) => () => {
  for (let i = 0; i < CALLS; i++) call()
}

const ANY = {
  asyncFunction: awaited(asyncFunction),
  plainRead: awaited(() => plain.read(nothing)),
}
const ALL = {
  ...ANY,
  plainReadSync: repeated(() => plain.readSync(nothing)),
  read: awaited(() => reentrant.read(nothing)),
  readSync: repeated(() => reentrant.readSync(nothing)),
  readInRead: () => reentrant.read(awaited(() => reentrant.read(nothing))),
  writeInWrite: () => reentrant.write(awaited(() => reentrant.write(nothing))),
}

/**
 * The time of a call, in ns.
 *
 * @template {Record<string, () => unknown>} Contenders
 * @param {Contenders} contenders
 * @returns {Promise<Record<keyof Contenders, number>>}
 */
async function measure(contenders) {
  /** @type {Record<string, number[]>} */
  const times = Object.fromEntries(Object.keys(contenders).map((name) => [name, []]))
  for (let batch = -WARM_UP; batch < BATCHES; batch++) {
    for (const [name, run] of Object.entries(contenders)) {
      const start = process.hrtime.bigint()
      await run()
      if (batch >= 0) times[name]?.push(Number(process.hrtime.bigint() - start) / CALLS)
    }
  }
  const low = (/** @type {number[]} */ all) => all.toSorted((a, b) => a - b)[BATCHES / 10]
  return /** @type {any} */ (Object.fromEntries(Object.entries(times).map(([name, all]) => [name, low(all)])))
}

const before = await measure(ANY)
await reentrant.read(nothing) // from here on, the thread follows its asynchronous contexts
const after = await measure(ALL)

const ratios = {
  'an async function that awaits twice, after / before the first call of a re-entrant lock':
    after.asyncFunction / before.asyncFunction,
  'await read(fn) of a plain lock, after / before': after.plainRead / before.plainRead,
  'await read(fn), re-entrant / plain': after.read / after.plainRead,
  '… inside a read': after.readInRead / after.plainRead,
  '… write(fn) inside a write': after.writeInWrite / after.plainRead,
  'readSync(fn), re-entrant / plain': after.readSync / after.plainReadSync,
}
console.log(`Node.js ${process.versions.node}`)
for (const [what, ratio] of Object.entries(ratios)) console.log(ratio.toFixed(2).padStart(6), what)
plain.close()
reentrant.close()
