// Processes die at any moment; the others continue within milliseconds.
import { join } from 'node:path'
import { RWLock } from 'process-rwlock'
import {
  afterDeath,
  median,
  openLock,
  spawnChild,
  spawnNode,
  tempDir,
  test,
  timeoutFactor,
  uniqueName,
  waitFor,
} from '../helpers/index.js'
import { queued } from '../helpers/observe.js'
import { random, SEED } from '../helpers/random.js'
import { SharedRecord } from '../helpers/shared-record.js'

// The longest delay of the others after a death, in ms, on a machine that is not busy: usual, and
// maximum.
const USUAL = 20 * timeoutFactor
const EVER = 100 * timeoutFactor
const REPETITIONS = 5

const options = { label: 'victim' }

for (const mode of /** @type {const} */ (['read', 'write', 'upgradable'])) {
  test(`a waiter is granted when the holder (${mode}) is killed`, async (t) => {
    const lock = openLock(t)
    await recovers(t, async (victim) => {
      const held = await victim.ask('hold', { ref: lock.toJSON(), mode, options })
      const rest = lock.acquireWrite()
      return {
        rest,
        died: mode === 'write' ? { pid: victim.pid, threadId: 0, label: 'victim', token: held.token } : null,
      }
    })
  })
}

test('readers are granted when a writer is killed', async (t) => {
  const lock = openLock(t)
  await recovers(t, async (victim) => {
    const { token } = await victim.ask('hold', { ref: lock.toJSON(), mode: 'write', options })
    return { rest: lock.acquireRead(), died: { pid: victim.pid, threadId: 0, label: 'victim', token } }
  })
})

test('a waiter behind a killed waiter is granted', async (t) => {
  const lock = openLock(t)
  const other = await spawnChild(t)
  await recovers(t, async (victim) => {
    const { guard } = await other.ask('hold', { ref: lock.toJSON(), mode: 'upgradable' })
    victim.tell('hold', { ref: lock.toJSON(), mode: 'write' })
    await queued(lock, victim)
    await closed(lock)
    // A read during an upgradable hold: only the victim in the queue blocks it.
    const rest = lock.acquireRead()
    return { rest, died: null, after: () => other.ask('release', { guard }) }
  })
})

test('a request blocked by a draining writer is granted when that writer is killed', async (t) => {
  const lock = openLock(t)
  const reader = await spawnChild(t)
  await recovers(t, async (victim) => {
    const { guard } = await reader.ask('hold', { ref: lock.toJSON(), mode: 'read' })
    victim.tell('hold', { ref: lock.toJSON(), mode: 'write' })
    await queued(lock, victim)
    return { rest: lock.acquireRead(), died: null, after: () => reader.ask('release', { guard }) }
  })
})

test('a request blocked by a draining upgrade is granted when its process is killed', async (t) => {
  const lock = openLock(t)
  const reader = await spawnChild(t)
  await recovers(t, async (victim) => {
    const { guard } = await reader.ask('hold', { ref: lock.toJSON(), mode: 'read' })
    await victim.ask('hold', { ref: lock.toJSON(), mode: 'upgradable' })
    victim.tell('upgrade')
    await waitFor(() =>
      lock.inspect().waiters.some(({ pid, mode }) => pid === victim.pid && mode === 'write'),
    )
    return { rest: lock.acquireRead(), died: null, after: () => reader.ask('release', { guard }) }
  })
})

test('a draining writer is granted when the last reader is killed', async (t) => {
  const lock = openLock(t)
  const writer = await spawnChild(t)
  await recovers(t, async (victim) => {
    await victim.ask('hold', { ref: lock.toJSON(), mode: 'read' })
    const answer = writer.ask('hold', { ref: lock.toJSON(), mode: 'write' })
    await queued(lock, writer)
    const rest = answer.then(({ guard, ownerDied }) => ({
      ownerDied,
      release: () => writer.ask('release', { guard }),
    }))
    return { rest, died: null }
  })
})

test('a draining upgrade is granted when the last reader is killed', async (t) => {
  const lock = openLock(t)
  await recovers(t, async (victim) => {
    await victim.ask('hold', { ref: lock.toJSON(), mode: 'read' })
    const guard = await lock.acquireUpgradable()
    return { rest: guard.upgrade().then(() => guard), died: null }
  })
})

test('a synchronous wait is granted when the holder is killed', async (t) => {
  const lock = openLock(t)
  const waiter = await spawnChild(t)
  await waiter.ask('open', { ref: lock.toJSON() })
  await recovers(t, async (victim) => {
    const { token } = await victim.ask('hold', { ref: lock.toJSON(), mode: 'write', options })
    const answer = waiter.ask('acquireWriteSync')
    await queued(lock, waiter)
    const rest = answer.then(({ guard, ownerDied }) => ({
      ownerDied,
      release: () => waiter.ask('release', { guard }),
    }))
    return { rest, died: { pid: victim.pid, threadId: 0, label: 'victim', token } }
  })
})

for (const mode of /** @type {const} */ (['read', 'write', 'upgradable'])) {
  test(`a try is granted after the holder (${mode}) was killed`, async (t) => {
    const lock = openLock(t)
    const victim = await spawnChild(t)
    await victim.ask('hold', { ref: lock.toJSON(), mode })
    await victim.kill()
    const guard = await waitFor(() => lock.tryWrite(), { what: 'tryWrite() gets the lock' })
    t.is(guard?.ownerDied?.pid, mode === 'write' ? victim.pid : undefined)
  })
}

test('a try is granted after a waiter was killed', async (t) => {
  const lock = openLock(t)
  const holder = await spawnChild(t)
  const victim = await spawnChild(t)
  await holder.ask('hold', { ref: lock.toJSON(), mode: 'upgradable' })
  victim.tell('hold', { ref: lock.toJSON(), mode: 'write' })
  await queued(lock, victim)
  await closed(lock)
  await victim.kill()
  await waitFor(() => lock.tryRead(), { what: 'tryRead() gets the lock' })
  t.is(lock.tryWrite(), null)
})

test('a killed waiting writer does not block other requests', async (t) => {
  const lock = openLock(t)
  const [reader, victim, second] = await Promise.all([spawnChild(t), spawnChild(t), spawnChild(t)])
  await reader.ask('hold', { ref: lock.toJSON(), mode: 'read' })
  victim.tell('hold', { ref: lock.toJSON(), mode: 'write' })
  await queued(lock, victim)
  await victim.kill()
  await lock.read(() => t.pass(), { timeout: 10_000 })
  const next = second.ask('hold', { ref: lock.toJSON(), mode: 'write' })
  await queued(lock, second)
  await reader.ask('release')
  const { ownerDied } = await next
  t.is(ownerDied, null)
})

test('when 10 of 12 processes are killed at once, holding and waiting in every mode, the other two continue', async (t) => {
  const times = []
  const exits = []
  for (const mode of ['write', 'upgradable', 'write']) {
    const lock = openLock(t)
    const ref = lock.toJSON()
    const children = await Promise.all(Array.from({ length: 12 }, () => spawnChild(t)))
    const [holder, ...rest] = children.slice(0, 10)
    const survivors = children.slice(10)
    const { token } = await holder.ask('hold', { ref, mode, options })
    for (const child of rest.splice(0, 3)) {
      if (mode === 'upgradable') await child.ask('hold', { ref, mode: 'read' })
      else child.tell('hold', { ref, mode: 'read' })
    }
    if (mode === 'upgradable') {
      holder.tell('upgrade')
      await queued(lock, holder)
    }
    for (const [index, child] of rest.entries()) {
      child.tell('hold', { ref, mode: ['write', 'upgradable', 'read'][index % 3] })
    }
    const granted = survivors.map((child, index) =>
      child.ask('hold', { ref, mode: ['read', 'write'][index] }),
    )
    for (const child of [...rest, ...survivors]) await queued(lock, child)

    const start = performance.now()
    // Stopped first: a process that still ran while others died could get the lock, and die during
    // the hold.
    for (const child of children.slice(0, 10)) child.stop()
    const ends = children.slice(0, 10).map((child) => child.kill())
    // In any order.
    const first = await Promise.race(
      granted.map((answer, index) => answer.then((guard) => ({ guard, index }))),
    )
    times.push(performance.now() - start)
    const died = mode === 'write' ? { pid: holder.pid, threadId: 0, label: 'victim', token } : null
    t.deepEqual(first.guard.ownerDied, died)
    await survivors[first.index].ask('release')
    const second = await granted[1 - first.index]
    t.deepEqual(second.ownerDied, first.index === 0 ? died : null)
    await survivors[1 - first.index].ask('release')
    await Promise.all(ends)
    exits.push(performance.now() - start)
    const { holders, waiters } = lock.inspect()
    t.deepEqual([...holders, ...waiters], [])
    await Promise.all(survivors.map((child) => child.kill()))
  }
  const shown = times.map((time) => time.toFixed(1)).join(', ')
  t.log(`median ${median(times).toFixed(1)} ms of ${shown}`)
  // The kernel frees the memory of ten processes first, on as many cores as there are.
  t.true(median(times) < afterDeath(EVER, exits), `${shown} ms`)
})

test('6 processes that are killed and stopped at random lose no write, and every torn write is reported as ownerDied', async (t) => {
  const seed = `SEED=${SEED} brings it back`
  const dice = random(SEED)
  const lock = openLock(t)
  const page = join(tempDir(t), 'page')
  const record = new SharedRecord(page)
  let spawned = 0
  const spawn = async () => {
    const job = { ref: lock, page, seed: SEED + ++spawned }
    const child = spawnNode(t, new URL('./programs/killable.js', import.meta.url), [JSON.stringify(job)])
    await child.next('ready')
    return child
  }
  const actors = await Promise.all(Array.from({ length: 6 }, spawn))
  const end = performance.now() + 4000
  while (performance.now() < end) {
    const [dying, stopped] = [dice.below(actors.length), dice.pick(actors)]
    stopped.stop()
    actors[dying].kill()
    actors[dying] = await spawn()
    stopped.resume()
    await lock.read(() => {}, { timeout: 10_000 })
  }
  record.stop()
  const reports = await Promise.all(actors.map((actor) => actor.next('report')))
  t.deepEqual(
    reports.flatMap(({ violations }) => violations),
    [],
    seed,
  )
  // No write overwrote another, and later writes had greater tokens.
  const writes = reports.flatMap(({ writes }) => writes).sort(([a], [b]) => a - b)
  t.true(writes.length > 100, seed)
  for (const [index, [value, token]] of writes.entries()) {
    const before = writes[index - 1] ?? [0, 0n]
    t.true(value > before[0] && token > before[1], `${before} and ${[value, token]}; ${seed}`)
  }
  t.log(`${spawned - actors.length} killed, ${record.value} writes`)
})

test('fencing tokens grow over crashes, reopening and removal', async (t) => {
  const name = uniqueName(t)
  const path = join(tempDir(t), 'lock')
  for (const ref of [{ name }, { path }]) {
    let last = 0n
    const grows = (token) => {
      t.true(token > last, `${token} after ${last}`)
      last = token
    }
    for (let round = 0; round < 3; round++) {
      const lock = openLock(t, ref)
      for (let crash = 0; crash < 2; crash++) {
        await lock.write(({ token }) => grows(token))
        const victim = await spawnChild(t)
        grows((await victim.ask('hold', { ref, mode: 'write' })).token)
        await victim.kill()
        await lock.read(({ ownerDied, token }) => {
          t.is(ownerDied?.token, last)
          t.is(token, last)
        })
      }
      if (round > 0) await lock.write(({ token }) => grows(token))
      lock.close()
      // The first round leaves a dead writer, whose report outlasts it; after the second the lock
      // is created again.
      if (round === 1) RWLock.remove(ref)
    }
  }
})

test('the slots of killed processes are reused, and ownerDied is kept', async (t) => {
  const lock = openLock(t, uniqueName(t), { capacity: 2 })
  /** @type {any} */
  let died = null
  for (let crash = 0; crash < 5; crash++) {
    const victim = await spawnChild(t)
    await victim.ask('open', { ref: lock.toJSON() })
    const held = await victim.ask('acquireWrite', { options })
    t.deepEqual(held.ownerDied, died)
    died = { pid: victim.pid, threadId: 0, label: 'victim', token: held.token }
    await victim.kill()
  }
  t.deepEqual(await lock.read(({ ownerDied }) => ownerDied), died)
  // Slots of dead processes that did not write are reused without a report.
  for (const mode of ['read', 'upgradable', 'read', 'upgradable']) {
    const victim = await spawnChild(t)
    t.deepEqual((await victim.ask('hold', { ref: lock.toJSON(), mode })).ownerDied, died)
    await victim.kill()
  }
  await lock.write(({ ownerDied }) => t.deepEqual(ownerDied, died))
  await lock.write(({ ownerDied }) => t.is(ownerDied, null))
})

test('a lock for a single attachment can be opened again after its writer was killed', async (t) => {
  const name = uniqueName(t)
  /** @type {any} */
  let died = null
  for (let crash = 0; crash < 3; crash++) {
    const victim = await spawnChild(t)
    await victim.ask('open', { ref: name, options: { capacity: 1 } })
    const held = await victim.ask('acquireWrite', { options })
    t.deepEqual(held.ownerDied, died)
    died = { pid: victim.pid, threadId: 0, label: 'victim', token: held.token }
    await victim.kill()
  }
  const lock = openLock(t, name)
  await lock.write(({ ownerDied }) => t.deepEqual(ownerDied, died))
})

/**
 * Kills one process after the other in the situation that `prepare` creates, and measures the time
 * from the kill until `rest` is granted.
 *
 * @param {import('ava').ExecutionContext<any>} t
 * @param {(victim: Awaited<ReturnType<typeof spawnChild>>) => Promise<{
 *   rest: Promise<{ ownerDied: any, release: () => unknown }>, died: any, after?: () => unknown }>} prepare
 */
async function recovers(t, prepare) {
  const isSlow = ({ times, exits }) =>
    median(times) >= afterDeath(USUAL, exits) || Math.max(...times) >= afterDeath(EVER, [Math.max(...exits)])
  let delays = await series(t, prepare)
  // A busy machine may delay one series, but hardly the next one as well.
  if (isSlow(delays)) delays = await series(t, prepare)
  t.false(isSlow(delays), JSON.stringify(delays))
}

/** How long others, and this process, take to learn of a death, in ms. */
async function series(t, prepare) {
  const victims = await Promise.all(Array.from({ length: REPETITIONS }, () => spawnChild(t)))
  const times = []
  const exits = []
  for (const victim of victims) {
    const { rest, died, after } = await prepare(victim)
    const granted = rest.then((guard) => ({ guard, at: performance.now() }))
    await stillWaiting(granted)
    const killedAt = performance.now()
    const end = victim.kill().then(() => exits.push(performance.now() - killedAt))
    const { guard, at } = await granted
    times.push(at - killedAt)
    t.deepEqual(guard.ownerDied, died)
    await guard.release()
    await after?.()
    await end
  }
  t.log(`median ${median(times).toFixed(1)} ms of ${times.map((time) => time.toFixed(1)).join(', ')}`)
  return { times, exits }
}

/**
 * Waits until a waiter has closed the queue to newcomers.
 *
 * @param {import('process-rwlock').RWLock} lock
 */
function closed(lock) {
  return waitFor(() => {
    const guard = lock.tryRead()
    guard?.release()
    return guard === null
  })
}

/** @param {Promise<unknown>} promise */
async function stillWaiting(promise) {
  const pause = new Promise((resolve) => setTimeout(resolve, 20, 'waiting'))
  if ((await Promise.race([promise, pause])) !== 'waiting') throw new Error('it was granted before the death')
}
