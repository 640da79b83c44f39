// Scenarios with several copies of the package in one thread:  uses-copies.js WHAT …  (with
// --expose-gc)
import { setImmediate, setTimeout } from 'node:timers/promises'
import vm from 'node:vm'
import { RWLock } from 'process-rwlock'
import { evaluate } from '../evaluate.js'

const [what = '', name = '', ...rest] = process.argv.slice(2)
const say = (/** @type {string} */ type, value = {}) => process.send?.({ type, ...value })
/** A context with enough content to measure its collection. */
const context = () => {
  const globals = vm.createContext({ process, Buffer, URL, AbortController })
  vm.runInContext('globalThis.big = Array.from({ length: 50_000 }, (_, i) => ({ i }))', globals)
  return globals
}
const collect = async () => {
  for (let turn = 0; turn < 3; turn++) {
    globalThis.gc?.()
    await setImmediate()
  }
}
const isListed = (/** @type {string} */ name) => RWLock.list().some((lock) => lock.name === name)
const until = async (/** @type {() => unknown} */ condition) => {
  const end = performance.now() + 10_000
  while (!condition()) {
    if (performance.now() > end) throw new Error(`never: ${condition}`)
    await collect()
    await setTimeout(1)
  }
}

/** @type {Record<string, () => unknown>} */
const things = {
  /** Only the wait of one copy keeps this process alive until the other copy releases. */
  async alive() {
    const other = evaluate()
    const guard = new RWLock(name).tryWrite()
    const waiting = new other.RWLock(name).acquireWrite()
    setTimeout(20).then(() => guard?.release())
    await waiting
    say('granted')
    process.disconnect()
  },

  /** For each kind of use: whether the context is collected, and what is left of the lock. */
  async contexts() {
    const gone = new Set()
    const registry = new FinalizationRegistry((kind) => gone.add(kind))
    const holder = new RWLock(`${name}/waits`)
    const guard = holder.tryWrite()
    /** @type {Record<string, (own: typeof import('process-rwlock')) => unknown>} */
    const uses = {
      nothing() {},
      closed(own) {
        const lock = new own.RWLock(`${name}/closed`)
        lock.tryWrite()?.release()
        lock.close()
      },
      open(own) {
        const lock = new own.RWLock(`${name}/open`)
        lock.tryRead()?.release()
        lock.tryWrite()?.release()
      },
      async settled(own) {
        const lock = new own.RWLock(`${name}/settled`)
        const guard = lock.tryWrite()
        const waits = [
          lock.read(() => {}),
          lock.write(() => {}),
          lock.acquireRead({ timeout: 1 }).catch(() => {}),
        ]
        await waits[2]
        guard?.release()
        await Promise.all(waits)
      },
      holds(own) {
        const lock = new own.RWLock(`${name}/holds`)
        lock.tryRead()
        lock.tryRead()?.release()
      },
      waits(own) {
        new own.RWLock(`${name}/waits`).acquireWrite().then((guard) => guard.release())
      },
    }
    for (const [kind, use] of Object.entries(uses)) {
      // In a separate function, so that no reference is left on the stack.
      await (async () => {
        const globals = context()
        registry.register(globals, kind)
        await use(evaluate(globals))
      })()
    }
    await until(() => gone.size === 5)
    say('gone', { kinds: [...gone].toSorted() })
    await until(() => !isListed(`${name}/open`) && !isListed(`${name}/settled`))
    const others = new RWLock(`${name}/holds`)
    say('left', { write: others.tryWrite() === null, holders: others.inspect().holders.length })
    guard?.release()
    await until(() => gone.has('waits'))
    await until(() => holder.inspect().waiters.length === 0 && holder.tryWrite())
    say('done')
    process.disconnect()
  },

  /** The memory that a collected context leaves, in MB: without the package, and with it. */
  async memory() {
    const times = Number(rest[0])
    const grow = async (/** @type {boolean} */ loads) => {
      await collect()
      const before = process.memoryUsage()
      for (let turn = 0; turn < times; turn++) {
        const globals = context()
        if (loads) {
          const lock = new (evaluate(globals).RWLock)(name)
          lock.tryWrite()?.release()
          await lock.read(() => {})
          if (turn % 2) lock.close()
        }
        await collect()
      }
      await collect()
      const { heapUsed, rss } = process.memoryUsage()
      return { heap: (heapUsed - before.heapUsed) / times / 1e6, rss: (rss - before.rss) / times / 1e6 }
    }
    await grow(true)
    say('measured', { bare: await grow(false), loaded: await grow(true) })
    process.disconnect()
  },

  /** Module registries that are reset: every copy is collected. */
  async resets() {
    const times = Number(rest[0])
    let gone = 0
    const registry = new FinalizationRegistry(() => gone++)
    const use = async () => {
      const own = evaluate()
      registry.register(own.RWLock, 0)
      await new own.RWLock(name).write(() => {})
    }
    for (let turn = 0; turn < times; turn++) {
      await use()
      if (turn % 20 === 0) await collect()
    }
    await until(() => gone === times)
    say('gone', { gone, listed: isListed(name) })
    process.disconnect()
  },
}

await things[what]?.()
