// Repeats one thing many times, and reports its resources at the beginning and at the end.
// Started with --expose-gc.
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate, setTimeout } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { RWLock } from 'process-rwlock'

/** The resources of this process. */
function resources() {
  globalThis.gc?.()
  return {
    descriptors: readdirSync('/proc/self/fd').length,
    threads: readdirSync('/proc/self/task').length,
    megabytes: Number(/VmRSS:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) / 1024,
  }
}

/** Waits until the resources are as before, or for a while: an idle thread stays for a second. */
async function settled(before) {
  const deadline = performance.now() + 5000
  let now = resources()
  while (
    (now.descriptors > before.descriptors || now.threads > before.threads) &&
    performance.now() < deadline
  ) {
    await setTimeout(20)
    now = resources()
  }
  return now
}

const lock = new RWLock()

/**
 * Each repeats one thing `times` times.
 *
 * @type {Record<string, (times: number, dir: string) => unknown>}
 */
const things = {
  async names(times) {
    for (let n = 0; n < times; n++) {
      const lock = new RWLock(`lock ${n}`)
      if (n % 2) lock.tryWrite()
      lock.close()
      if (n % 1000 === 0) await setImmediate()
    }
  },

  async acquisitions(times) {
    things.tries(times * 0.4, '')
    await things.scoped(times * 0.4, '')
    await things.contended(times * 0.2, '')
  },

  tries(times) {
    for (let n = 0; n < times; n += 4) {
      lock.tryRead()?.release()
      lock.tryWrite()?.release()
      lock.tryUpgradable()?.release()
      lock.acquireWriteSync().release()
    }
  },

  async scoped(times) {
    const empty = () => {}
    for (let n = 0; n < times; n += 2) {
      await lock.read(empty)
      await lock.write(empty)
    }
  },

  async contended(times) {
    const other = new RWLock(lock.toJSON())
    const inside = async () => {
      await null
    }
    const loop = async (lock, write) => {
      for (let n = 0; n < times; n += 10) await (write ? lock.write(inside) : lock.read(inside))
    }
    await Promise.all(Array.from({ length: 10 }, (_, n) => loop(n % 2 ? lock : other, n % 3 === 0)))
    other.close()
  },

  async unfulfilled(times) {
    const guard = await lock.acquireWrite()
    const whole = new AbortController()
    const refused = (promise) =>
      promise.then(
        () => Promise.reject(new Error('granted')),
        () => {},
      )
    for (let n = 0; n < times; n += 4) {
      const one = new AbortController()
      const waits = [
        lock.acquireRead({ timeout: 0 }),
        lock.acquireWrite({ timeout: 0.01 }),
        lock.acquireWrite({ signal: one.signal }),
        lock.acquireRead({ signal: whole.signal, timeout: 0.01 }),
      ].map(refused)
      one.abort()
      await Promise.all(waits)
    }
    guard.release()
  },

  paths(times, dir) {
    const paths = Array.from({ length: times }, (_, n) => join(dir, `${n}.lock`))
    const base = resources().descriptors
    const locks = paths.map((path) => new RWLock({ path }))
    const open = resources().descriptors - base
    if (open > times) throw new Error(`${times} open locks take ${open} descriptors`)
    for (const lock of locks) lock.tryWrite()
    for (const lock of locks) lock.close()
    for (const path of paths) rmSync(path)
  },

  failures(times, dir) {
    const [foreign, lock] = [join(dir, 'foreign'), join(dir, 'lock')]
    writeFileSync(foreign, 'foreign')
    const open = new RWLock({ path: lock }, { capacity: 1 })
    const refs = [{ path: foreign }, { path: dir }, { path: join(dir, 'missing', 'lock') }, { path: lock }]
    for (let n = 0; n < times; n++) {
      try {
        new RWLock(refs[n % refs.length], { capacity: 2 }).close()
      } catch (error) {
        if (error.code?.startsWith('ERR_LOCK_')) continue
        throw error
      }
      throw new Error('it was opened')
    }
    open.close()
    rmSync(foreign)
    rmSync(lock)
  },

  async workers(times) {
    const names = { held: 'held by the main thread', own: 'of the workers' }
    const held = new RWLock(names.held)
    const guard = await held.acquireWrite()
    // Some end by themselves, some are terminated with holds and waits of both kinds.
    const code = `
      const { parentPort, workerData } = require('node:worker_threads')
      import(workerData.library).then(async ({ RWLock }) => {
        const own = new RWLock(workerData.own)
        globalThis.guard = await own.acquireRead()
        if (workerData.kind === 0) return
        const held = new RWLock(workerData.held)
        parentPort.postMessage('ready')
        if (workerData.kind === 1) await held.acquireWrite()
        else held.acquireWriteSync()
      })`
    const library = import.meta.resolve('process-rwlock')
    for (let n = 0; n < times; n++) {
      const kind = n % 3
      const worker = new Worker(code, { eval: true, workerData: { ...names, library, kind } })
      const end = new Promise((resolve, reject) => {
        worker.once('exit', resolve)
        worker.once('error', reject)
      })
      if (kind !== 0) {
        await new Promise((resolve) => worker.once('message', resolve))
        await worker.terminate()
      }
      await end
    }
    guard.release()
    held.close()
  },

  async collected(times) {
    const base = resources()
    // In a separate function, so that no reference is left on the stack.
    const drop = (n) => {
      const dropped = new RWLock()
      if (n % 2) dropped.tryWrite()?.release()
    }
    for (let n = 0; n < times; n++) {
      drop(n)
      if (n % 100 === 0) await setImmediate()
    }
    // The collector runs at any time, and finalizers run later.
    const { descriptors } = await settled(base)
    if (descriptors > base.descriptors) throw new Error(`${descriptors - base.descriptors} are still open`)
  },
}

const [thing = '', dir = '', times = '', limit = ''] = process.argv.slice(2)
// A tenth to warm up, then quarters until two in a row have added little: a leak adds to every
// quarter, while the memory of the JavaScript engine stops growing.
const { threads } = resources()
await things[thing](Number(times) / 10, dir)
const before = { ...resources(), threads }
const megabytes = [before.megabytes]
/** The growth of the whole, extrapolated from the last two quarters. */
const grown = () => 2 * (megabytes[megabytes.length - 1] - megabytes[megabytes.length - 3])
while (megabytes.length < 3 || (grown() >= Number(limit) && megabytes.length < 12)) {
  await things[thing](Number(times) / 4, dir)
  megabytes.push(resources().megabytes)
}
const after = await settled(before)
lock.close()
process.send?.({ type: 'measured', before, after, megabytes, grown: grown() })
process.disconnect()
