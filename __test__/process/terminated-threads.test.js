// Worker threads that are terminated while they use a lock.
import { setTimeout as sleep } from 'node:timers/promises'
import { median, openLock, spawnNode, spawnThread, test, timeoutFactor } from '../helpers/index.js'
import { queued } from '../helpers/observe.js'
import { SEED } from '../helpers/random.js'

const TIMES = 200

test(`${TIMES} threads that hold, wait, block and upgrade are terminated, and the others continue`, async (t) => {
  t.timeout(60_000 * timeoutFactor)
  const lock = openLock(t)
  const job = { ref: lock, times: TIMES, atOnce: 4, seed: SEED }
  const child = spawnNode(t, new URL('./programs/terminates-threads.js', import.meta.url), [
    JSON.stringify(job),
  ])
  await child.next('ready')
  let ended = false
  let turns = 0
  const others = (async () => {
    while (!ended) {
      for (const mode of ['read', 'write', 'upgradable']) await lock[mode](() => sleep(1), { timeout: 5000 })
      turns++
    }
  })()
  const report = await child.next('report', { bound: 60_000 }).finally(() => {
    ended = true
  })
  await others
  // A wake-up for a terminated thread would have aborted the process.
  t.deepEqual(await child.exited, { code: 0, signal: null })
  t.is(child.stderr, '')
  t.is(
    Object.values(report.terminated).reduce((sum, count) => sum + count),
    TIMES,
  )
  t.is(Object.keys(report.terminated).length, 11)
  t.true(report.turns > 20 && turns > 20, `${report.turns} and ${turns} turns`)
  t.log(`${report.turns} and ${turns} turns of the others, the longest took ${report.longest.toFixed(1)} ms`)
  const { holders, waiters } = lock.inspect()
  t.deepEqual([...holders, ...waiters], [])
  const guard = lock.tryWrite()
  t.truthy(guard)
  guard?.release()
})

for (const [what, op] of [
  ['is blocked in acquireWriteSync', 'acquireWriteSync'],
  ['is blocked in acquireReadSync', 'acquireReadSync'],
  ['waits for the lock', 'acquireWrite'],
]) {
  test(`a thread that ${what} is terminated immediately, and leaves nothing in the queue`, async (t) => {
    const lock = openLock(t)
    const guard = await lock.acquireWrite()
    const times = []
    for (let repetition = 0; repetition < 5; repetition++) {
      const thread = await spawnThread(t)
      await thread.ask('open', { ref: lock.toJSON() })
      thread.tell(op)
      await queued(lock, thread)
      const start = performance.now()
      await thread.terminate()
      times.push(performance.now() - start)
      t.deepEqual(lock.inspect().waiters, [])
    }
    t.false(guard.released)
    t.is(lock.inspect().holders.length, 1)
    const shown = times.map((time) => time.toFixed(1)).join(', ')
    t.log(`median ${median(times).toFixed(1)} ms of ${shown}`)
    t.true(median(times) < 100, `${shown} ms`)
  })
}

test('a process that exits while its threads hold, wait and block ends immediately', async (t) => {
  const lock = openLock(t)
  const job = { ref: lock, ways: ['holds read', 'waits for write', 'blocks for write', 'waits for read'] }
  const child = spawnNode(t, new URL('./programs/exits-with-threads.js', import.meta.url), [
    JSON.stringify(job),
  ])
  await child.next('begun')
  const start = performance.now()
  child.send('exit')
  t.deepEqual(await child.exited, { code: 7, signal: null })
  const took = performance.now() - start
  t.is(child.stderr, '')
  t.true(took < 5000, `${took} ms`)
  await lock.write(({ ownerDied }) => t.is(ownerDied, null), { timeout: 10_000 })
})
