// Measures the cost of many waits on one lock until all of them have ended, by their number.
import { RWLock } from 'process-rwlock'

const ends = {
  async 'writers, one after the other'(lock, guard, count) {
    const waits = Array.from({ length: count }, () => lock.write(() => {}))
    guard.release()
    await Promise.all(waits)
  },
  async 'readers, all at once'(lock, guard, count) {
    const waits = Array.from({ length: count }, () => lock.read(() => {}))
    guard.release()
    await Promise.all(waits)
  },
  async 'readers and writers in turn'(lock, guard, count) {
    const waits = Array.from({ length: count }, (_, n) => lock[n % 2 ? 'read' : 'write'](() => {}))
    guard.release()
    await Promise.all(waits)
  },
  async 'timed out'(lock, guard, count) {
    const waits = Array.from({ length: count }, () => lock.acquireWrite({ timeout: 400 }))
    await Promise.allSettled(waits)
    guard.release()
  },
  async 'aborted by a signal of their own, the first first'(lock, guard, count) {
    const signals = Array.from({ length: count }, () => new AbortController())
    const waits = signals.map(({ signal }) => lock.acquireWrite({ signal }))
    for (const signal of signals) signal.abort()
    await Promise.allSettled(waits)
    guard.release()
  },
  async 'aborted by a signal of their own, the last first'(lock, guard, count) {
    const signals = Array.from({ length: count }, () => new AbortController())
    const waits = signals.map(({ signal }) => lock.acquireWrite({ signal }))
    for (const signal of signals.toReversed()) signal.abort()
    await Promise.allSettled(waits)
    guard.release()
  },
  async 'aborted by one signal'(lock, guard, count) {
    const all = new AbortController()
    const waits = Array.from({ length: count }, () => lock.acquireWrite({ signal: all.signal }))
    all.abort()
    await Promise.allSettled(waits)
    guard.release()
  },
  async closed(lock, _guard, count) {
    const waits = Array.from({ length: count }, () => lock.acquireWrite())
    lock.close()
    await Promise.allSettled(waits)
  },
  async 'granted while handles of another lock are closed'(lock, guard, count) {
    const other = new RWLock()
    const handles = Array.from({ length: count / 2 }, () => new RWLock(other.toJSON()))
    const waits = Array.from({ length: count }, () => lock.read(() => {}))
    for (const handle of handles) handle.close()
    other.close()
    guard.release()
    await Promise.all(waits)
  },
  async 'labelled reads, the first released first'(lock, guard, count) {
    guard.release()
    const guards = []
    for (let n = 0; n < count; n++) guards.push(await lock.acquireRead({ label: String(n) }))
    for (const guard of guards) guard.release()
  },
  async 'labelled reads, the last released first'(lock, guard, count) {
    guard.release()
    const guards = []
    for (let n = 0; n < count; n++) guards.push(await lock.acquireRead({ label: String(n) }))
    for (const guard of guards.toReversed()) guard.release()
  },
  async 'labelled reads, closed'(lock, guard, count) {
    guard.release()
    for (let n = 0; n < count; n++) await lock.acquireRead({ label: String(n) })
    lock.close()
  },
}

/** Processor time, in ms: unlike the time on the clock it does not depend on other processes. */
const spent = (since) => {
  const { user, system } = process.cpuUsage(since)
  return (user + system) / 1000
}

const times = {}
for (const [what, end] of Object.entries(ends)) {
  times[what] = {}
  for (const count of [1000, 10_000]) {
    let best = Number.POSITIVE_INFINITY
    for (let turn = 0; turn < 2; turn++) {
      const lock = new RWLock()
      const guard = await lock.acquireWrite()
      const began = process.cpuUsage()
      await end(lock, guard, count)
      best = Math.min(best, spent(began))
      lock.close()
    }
    times[what][count] = best
  }
}
process.send?.({ type: 'measured', times })
