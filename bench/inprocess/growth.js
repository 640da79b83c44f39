// How costs grow with the number of locks, waiters and holds of a process:
//
//   PROCESS_RWLOCK_DIR=… node growth.js \
//     '{"locks":[…],"named":[…],"waiters":[…],"holds":[…],"rounds":n,"scratch":path}'
//
// The directory must have no other locks.
// Prints ns. For one of n locks: the time to open it, to acquire and release a read while taking
// turns with the others, and to close it. For one of n named locks: the time to list it, to inspect it,
// and to find that prune() must keep it, and for comparison that to open, read and close a file. For
// one of n waiters: the time to request, to be granted
// and finish, to be aborted, and to close a handle of another lock meanwhile. For one of n labelled
// read holds: the time to acquire and to release it.
import { closeSync, openSync, readSync, rmSync, writeFileSync } from 'node:fs'
import { Worker } from 'node:worker_threads'
import { RWLock } from 'process-rwlock'
import { median } from '../../scripts/lib/statistics.js'

const { locks, named, waiters, holds, rounds, scratch } = JSON.parse(process.argv[2])
let count = 0
const fresh = () => `${scratch}-${count++}`

/**
 * @param {number} many
 * @param {() => unknown} act
 */
async function each(many, act) {
  const start = performance.now()
  await act()
  return ((performance.now() - start) * 1e6) / many
}

async function ofLocks(/** @type {number} */ many) {
  /** @type {RWLock[]} */
  let open = []
  const opening = await each(many, () => {
    for (let i = 0; i < many; i++) open.push(new RWLock({ path: fresh() }, { capacity: 8 }))
  })
  const turns = Math.ceil(20_000 / many)
  const reading = await each(many * turns, () => {
    for (let turn = 0; turn < turns; turn++) for (const lock of open) lock.tryRead()?.release()
  })
  const closing = await each(many, () => {
    for (const lock of open) lock.close()
  })
  open = []
  return { opening, reading, closing }
}

async function ofNamed(/** @type {number} */ many) {
  const open = Array.from({ length: many }, (_, index) => new RWLock(`named-${index}`))
  // Half of them are held: that is probed.
  const guards = open.filter((_, index) => index % 2 === 0).map((lock) => lock.acquireReadSync())
  const files = open.map(fresh)
  const page = Buffer.alloc(4096)
  for (const file of files) writeFileSync(file, page)
  const floor = await each(many, () => {
    for (const file of files) {
      const descriptor = openSync(file, 'r')
      readSync(descriptor, page, 0, page.length, 0)
      closeSync(descriptor)
    }
  })
  for (const file of files) rmSync(file)
  let seen = 0
  const listing = await each(many, () => {
    seen = RWLock.list().length
  })
  if (seen !== many) throw new Error(`${seen} of ${many} locks were listed`)
  const inspecting = await each(many, () => {
    for (const lock of open) lock.inspect()
  })
  const pruning = await each(many, () => RWLock.prune())
  for (const guard of guards) guard.release()
  for (const lock of open) lock.close()
  return { floor, listing, inspecting, pruning }
}

async function ofWaiters(/** @type {number} */ many) {
  const path = fresh()
  const lock = new RWLock({ path })
  const other = await holder(path)
  /** @type {Promise<unknown>[]} */
  let pending = []
  const asking = await each(many, () => {
    for (let i = 0; i < many; i++) pending.push(lock.write(() => {}))
  })
  other.postMessage('release')
  await pending[0]
  const finishing = await each(Math.max(1, many - 1), () => Promise.all(pending))
  await holder(path, other)
  const abort = new AbortController()
  pending = Array.from({ length: many }, () => lock.write(() => {}, { signal: abort.signal }))
  const another = fresh()
  const stays = new RWLock({ path: another })
  const handles = Array.from({ length: 100 }, () => new RWLock({ path: another }))
  const closing = await each(handles.length, () => {
    for (const handle of handles) handle.close()
  })
  stays.close()
  const calling = await each(many, () => {
    abort.abort()
    return Promise.allSettled(pending)
  })
  await other.terminate()
  lock.close()
  return { asking, finishing, calling, closing }
}

async function ofHolds(/** @type {number} */ many) {
  const lock = new RWLock({ path: fresh() })
  /** @type {import('process-rwlock').Guard[]} */
  const guards = []
  const acquiring = await each(many, async () => {
    for (let i = 0; i < many; i++) guards.push(await lock.acquireRead({ label: `read ${i}` }))
  })
  const releasing = await each(many, () => {
    for (const guard of guards) guard.release()
  })
  lock.close()
  return { acquiring, releasing }
}

/**
 * Another thread that holds the lock.
 *
 * @param {string} path
 * @param {Worker} [known]
 * @returns {Promise<Worker>}
 */
async function holder(path, known) {
  const source = `
    const { parentPort } = require('node:worker_threads')
    import(${JSON.stringify(import.meta.resolve('process-rwlock'))}).then(({ RWLock }) => {
      const lock = new RWLock({ path: ${JSON.stringify(path)} })
      let guard
      parentPort.on('message', (what) => {
        if (what === 'release') guard.release()
        else { guard = lock.acquireWriteSync(); parentPort.postMessage('held') }
      })
    })`
  const worker = known ?? new Worker(source, { eval: true })
  const held = new Promise((resolve) => worker.once('message', resolve))
  worker.postMessage('hold')
  await held
  return worker
}

/**
 * @param {number[]} sizes
 * @param {(many: number) => Promise<Record<string, number>>} measured
 */
async function grow(sizes, measured) {
  /** @type {Map<number, Record<string, number>[]>} */
  const found = new Map(sizes.map((size) => [size, []]))
  for (let round = -1; round < rounds; round++) {
    for (const size of sizes) {
      const one = await measured(size)
      if (round >= 0) found.get(size)?.push(one) // the first round warms up
    }
  }
  return [...found].map(([size, samples]) => ({
    size,
    ...Object.fromEntries(
      Object.keys(samples[0]).map((key) => [key, median(samples.map((sample) => sample[key]))]),
    ),
  }))
}

const result = {
  locks: await grow(locks, ofLocks),
  named: await grow(named, ofNamed),
  waiters: await grow(waiters, ofWaiters),
  holds: await grow(holds, ofHolds),
}
process.stdout.write(JSON.stringify(result))
process.exit()
