// Processes that do not respond to a grant, because they are stopped or busy, delay the others only
// for a moment.
import { afterDeath, median, openLock, spawnChild, test, timeoutFactor, waitFor } from '../helpers/index.js'
import { queued } from '../helpers/observe.js'

/**
 * @typedef {import('ava').ExecutionContext<any>} Test
 * @typedef {Awaited<ReturnType<typeof spawnChild>>} Child
 */

/** The longest delay of the others, in ms. */
const MOMENT = 100 * timeoutFactor
const REPETITIONS = 3

// Longer than all measured times.
const HANG = 600 * timeoutFactor

/** @type {Array<[string, (child: Child) => Promise<() => unknown>]>} How a process does so, and what ends it. */
const absences = [
  [
    'is stopped',
    async (child) => {
      child.stop()
      return () => child.resume()
    },
  ],
  [
    'has a hung event loop',
    async (child) => {
      child.tell('busy', { ms: HANG })
      await child.next('busy')
      return () => {}
    },
  ],
]

for (const [absent, leave] of absences) {
  for (const mode of /** @type {const} */ (['read', 'upgradable', 'write'])) {
    test(`a process that is first in the queue (${mode}) and ${absent} does not stop the others, and gets its turn`, async (t) => {
      const lock = openLock(t)
      const sleeper = await spawnChild(t)
      await sleeper.ask('open', { ref: lock.toJSON() })
      const times = []
      for (let repetition = 0; repetition < REPETITIONS; repetition++) {
        const held = await lock.acquireWrite()
        const answer = sleeper.ask(ACQUIRE[mode])
        await queued(lock, sleeper)
        const back = await leave(sleeper)
        const rest = lock.acquireWrite()
        const start = performance.now()
        held.release()
        const guard = await rest
        times.push(performance.now() - start)
        t.is(guard.ownerDied, null)
        // It resumes while others hold the lock, and must not hold it together with them.
        await back()
        guard.release()
        const others = writeUntil(answer, lock)
        const { token } = await answer
        if (mode === 'write') t.true(token > guard.token)
        await sleeper.ask('release')
        await others
      }
      inMoments(t, times)
    })
  }

  for (const from of /** @type {const} */ (['write', 'upgrade'])) {
    test(`a process that drains readers (${from}) and ${absent} does not stop the others after they have left`, async (t) => {
      const lock = openLock(t)
      const [sleeper, reader] = [await spawnChild(t), await spawnChild(t)]
      await sleeper.ask('open', { ref: lock.toJSON() })
      await reader.ask('open', { ref: lock.toJSON() })
      const times = []
      for (let repetition = 0; repetition < REPETITIONS; repetition++) {
        await reader.ask('acquireRead')
        if (from === 'upgrade') await sleeper.ask('acquireUpgradable')
        const answer = sleeper.ask(from === 'upgrade' ? 'upgrade' : 'acquireWrite')
        await queued(lock, sleeper)
        const back = await leave(sleeper)
        // A granted upgradable hold blocks other writers, but not readers.
        const rest = from === 'upgrade' ? lock.acquireRead() : lock.acquireWrite()
        await queued(lock, { pid: process.pid })
        await reader.ask('release')
        const start = performance.now()
        const guard = await rest
        times.push(performance.now() - start)
        t.is(guard.ownerDied, null)
        const notYet = answer.then(() => t.true(guard.released, 'it was granted together with the others'))
        await back()
        if (absent === 'is stopped') await new Promise((resolve) => setTimeout(resolve, 50))
        guard.release()
        await notYet
        t.is((await sleeper.ask('describe')).mode, 'write')
        await sleeper.ask('release')
      }
      inMoments(t, times)
    })
  }

  test(`while a waiting process ${absent}, the others continue at their usual pace`, async (t) => {
    const lock = openLock(t)
    const [sleeper, other] = [await spawnChild(t), await spawnChild(t)]
    await other.ask('open', { ref: lock.toJSON() })
    const pace = async () => {
      const start = performance.now()
      for (let turn = 0; turn < 20; turn++) {
        await other.ask(turn % 2 ? 'acquireWrite' : 'acquireUpgradable')
        const next = lock.write(() => {})
        await other.ask('release')
        await next
      }
      return performance.now() - start
    }
    const usual = await pace()
    const held = await lock.acquireWrite()
    const answer = sleeper.ask('hold', { ref: lock.toJSON(), mode: 'write' })
    await queued(lock, sleeper)
    const back = await leave(sleeper)
    held.release()
    const took = await pace()
    t.true(took < 3 * usual + MOMENT, `20 turns took ${took} ms, and ${usual} ms before`)
    await back()
    const others = writeUntil(answer, lock)
    await answer
    await sleeper.ask('release')
    await others
  })
}

test('a process whose event loop hangs before the grant is not a holder meanwhile', async (t) => {
  const lock = openLock(t)
  const sleeper = await spawnChild(t)
  await sleeper.ask('open', { ref: lock.toJSON() })
  const held = await lock.acquireWrite()
  const answers = ['acquireWrite', 'acquireRead', 'acquireUpgradable', 'acquireWrite'].map((op) =>
    sleeper.ask(op),
  )
  await queued(lock, sleeper, answers.length)
  sleeper.tell('busy', { ms: HANG })
  await sleeper.next('busy')
  held.release()
  const end = performance.now() + HANG / 2
  while (performance.now() < end) {
    t.deepEqual(
      lock.inspect().holders.filter(({ pid }) => pid === sleeper.pid),
      [],
    )
    await lock.write(() => {})
  }
  for (const answer of answers) await sleeper.ask('release', { guard: (await answer).guard })
  t.deepEqual(lock.inspect().holders, [])
})

test('a stopped holder keeps the lock, and waits for it time out with an error that names it', async (t) => {
  for (const mode of ['write', 'upgradable', 'read']) {
    const lock = openLock(t)
    const [holder, blocker] = [await spawnChild(t), await spawnChild(t)]
    await blocker.ask('open', { ref: lock.toJSON() })
    await holder.ask('hold', { ref: lock.toJSON(), mode, options: { label: 'rebuild' } })
    holder.stop()
    const timeout = 300
    const waits = [
      () => lock.acquireWrite({ timeout }),
      () => blocker.ask('acquireWriteSync', { options: { timeout } }),
    ]
    if (mode === 'write') waits.push(() => lock.acquireRead({ timeout }))
    if (mode !== 'read') waits.push(() => lock.acquireUpgradable({ timeout }))
    for (const wait of waits) {
      const start = performance.now()
      const error = await t.throwsAsync(wait, { code: 'ERR_LOCK_TIMEOUT' })
      const took = performance.now() - start
      t.true(took >= timeout - 1 && took < timeout + 5000, `${took} ms`)
      const by = `held for ${mode} by pid ${holder.pid} \\('rebuild'\\) for [0-9]+ (ms|s)`
      t.regex(error.message, new RegExp(by))
      t.like(/** @type {any} */ (error).holders, [
        { pid: holder.pid, threadId: 0, mode, label: 'rebuild', count: 1 },
      ])
    }
    const next = lock.acquireWrite()
    holder.resume()
    await holder.ask('release')
    const guard = await next
    t.is(guard.ownerDied, null)
    lock.close()
  }
})

test('a process that is killed while it is stopped counts as dead', async (t) => {
  const lock = openLock(t)
  const [holder, waiter] = [await spawnChild(t), await spawnChild(t)]
  const { token } = await holder.ask('hold', { ref: lock.toJSON(), mode: 'write' })
  waiter.tell('hold', { ref: lock.toJSON(), mode: 'write' })
  await queued(lock, waiter)
  holder.stop()
  waiter.stop()
  const rest = lock.acquireWrite()
  const start = performance.now()
  const ends = Promise.all([waiter.kill(), holder.kill()]).then(() => performance.now() - start)
  const guard = await rest
  const time = performance.now() - start
  t.true(time < afterDeath(MOMENT, [await ends]), `${time} ms`)
  t.like(guard.ownerDied, { pid: holder.pid, token })
})

test('a waiter that responds is not skipped, not even by readers during an upgradable hold', async (t) => {
  const lock = openLock(t, undefined, { fairness: 0 })
  const [upgradable, writer] = [await spawnChild(t), await spawnChild(t)]
  for (const child of [upgradable, writer]) {
    await child.ask('open', { ref: lock.toJSON(), options: { fairness: 0 } })
  }
  /** @type {string[]} */
  let order = []
  // On a busy machine the writer may be too late when it is its turn, and is skipped then.
  for (let go = 0; go < 12 && `${order}` !== 'writer,reader'; go++) {
    order = []
    await upgradable.ask('acquireUpgradable')
    const written = writer.ask('acquireWrite').then(async () => {
      order.push('writer')
      await writer.ask('release')
    })
    await queued(lock, writer)
    await waitFor(() => {
      const guard = lock.tryRead()
      guard?.release()
      return guard === null
    })
    const read = lock.read(() => order.push('reader'))
    // Many times the grace period before a skip.
    await new Promise((resolve) => setTimeout(resolve, 200))
    t.deepEqual(order, [])
    await upgradable.ask('release')
    await Promise.all([written, read])
  }
  t.deepEqual(order, ['writer', 'reader'])
})

const ACQUIRE = { read: 'acquireRead', upgradable: 'acquireUpgradable', write: 'acquireWrite' }

/**
 * Keeps a lock contended until a promise is settled.
 *
 * @param {Promise<unknown>} promise
 * @param {import('process-rwlock').RWLock} lock
 */
async function writeUntil(promise, lock) {
  let settled = false
  const end = () => {
    settled = true
  }
  promise.then(end, end)
  while (!settled) {
    await lock.write(() => {})
    await new Promise((resolve) => setImmediate(resolve))
  }
}

/**
 * @param {Test} t
 * @param {number[]} times
 */
function inMoments(t, times) {
  const shown = times.map((time) => time.toFixed(1)).join(', ')
  t.log(`median ${median(times).toFixed(1)} ms of ${shown}`)
  t.true(median(times) < MOMENT, `${shown} ms`)
}
