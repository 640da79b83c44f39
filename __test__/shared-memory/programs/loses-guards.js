// Loses guards and locks, and sends the warnings:  loses-guards.js WHAT NAME …  (guards: with
// --expose-gc)
import { spawnSync } from 'node:child_process'
import { setImmediate } from 'node:timers/promises'
import { acquireAll, RWLock } from 'process-rwlock'

const [what = '', name = '', other = ''] = process.argv.slice(2)
/** @type {any[]} */
const warnings = []
process.on('warning', (/** @type {any} */ { name, code, message }) => warnings.push({ name, code, message }))

const collect = async (rounds = 10) => {
  for (let round = 0; round < rounds; round++) {
    globalThis.gc?.()
    await setImmediate()
    await setImmediate()
  }
}
/** Waits for a warning. */
const reported = async () => {
  const end = performance.now() + 10_000
  while (warnings.length === 0 && performance.now() < end) await collect(1)
  await collect()
}

/**
 * Each begins a write hold and loses its guard.
 *
 * @type {Record<string, (lock: RWLock) => unknown>}
 */
const losses = {
  tried: (lock) => lock.tryWrite(),
  upgraded: async (lock) => (await lock.acquireUpgradable()).upgrade(),
  async 'waited for'(lock) {
    const before = lock.tryWrite()
    const next = lock.acquireWrite()
    before?.release()
    await next
  },
  'in a function that never ends': (lock) => {
    lock.write(() => new Promise(() => {}))
  },
  synchronous: (lock) => lock.acquireWriteSync(),
  'one of several': (lock) => acquireAll([{ lock }]),
  'dropped with its lock': () => new RWLock(`${name}/dropped`).tryWrite(),
}

const things = {
  async warnings() {
    const locks = [new RWLock(name), new RWLock(other)]
    await (async () => {
      await locks[0].acquireWrite({ label: 'nightly' })
    })()
    await reported()
    await (async () => {
      await locks[1].acquireWrite()
    })()
    await collect()
    process.send?.({ type: 'warnings', warnings })
    globalThis.kept = locks
  },
  async one() {
    const lock = new RWLock(name)
    await (async () => {
      await losses[other](lock)
    })()
    await reported()
    process.send?.({ type: 'warnings', codes: warnings.map(({ code }) => code) })
    globalThis.kept = lock
  },
  async none() {
    await (async () => {
      for (let n = 0; n < 20; n++) {
        const lock = new RWLock(`${name}/${n}`)
        lock.tryWrite()?.release()
        const guard = await lock.acquireWrite()
        if (n === 0) globalThis.kept = guard
        else if (n % 4 === 0) guard.downgrade()
        else if (n % 4 === 1) guard.downgrade('upgradable')
        else if (n % 4 === 2) await collect(2)
        if (n > 0 && n % 4 > 1) n % 4 === 2 ? lock.close() : guard.release()
      }
    })()
    await collect(20)
    process.send?.({ type: 'warnings', codes: warnings.map(({ code }) => code) })
  },
}
/** Opens many locks and drops them. */
const many = {
  async 'in turns of the event loop'(times) {
    for (let n = 0; n < times; n++) {
      await new RWLock(`${name}/${n}`).write(() => new Promise((resolve) => setTimeout(resolve)))
    }
  },
  'at once'(times) {
    for (let n = 0; n < times; n++) new RWLock(`${name}/${n}`).tryWrite()?.release()
  },
  'together with some that are held or kept'(times) {
    const kept = Array.from({ length: 20 }, (_, n) => new RWLock(`${name}/kept/${n}`))
    for (const lock of kept.slice(0, 10)) lock.tryRead()
    for (let n = 0; n < times; n++) new RWLock(`${name}/${n}`)
    for (const lock of kept.slice(10)) lock.tryWrite()?.release()
    if (kept.some((lock, n) => lock.inspect().holders.length !== (n < 10 ? 1 : 0)))
      throw new Error('one was lost')
  },
  'that it keeps'(times) {
    globalThis.kept = []
    for (let n = 0; n < times; n++) globalThis.kept.push(new RWLock(`${name}/${n}`))
  },
}
if (what === 'many') {
  const [, , , , , , descriptors] = process.argv
  if (descriptors)
    spawnSync('prlimit', ['--pid', String(process.pid), `--nofile=${descriptors}:${descriptors}`])
  const outcome = await (async () => many[other](Number(process.argv[5])))().then(
    () => 'opened',
    ({ code, message }) => ({ code, message }),
  )
  process.send?.({ type: 'outcome', outcome })
} else {
  await things[what]()
}
process.disconnect()
