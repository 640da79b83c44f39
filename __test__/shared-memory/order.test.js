// The order of grants between processes, fairness, and nested reads. Other tests of the order are
// in ../contract.
import { setTimeout } from 'node:timers/promises'
import { childPool } from '../helpers/child-pool.js'
import { openLock, test, uniqueName, waitFor } from '../helpers/index.js'
import { acquire, MODES, never, ops } from '../helpers/modes.js'
import { overtakings, queued, requests, timed } from '../helpers/observe.js'
import { random, SEED } from '../helpers/random.js'

const pooledChild = childPool()

// A waiter that does not respond within some milliseconds may be skipped, which can happen to any
// process on a busy machine. So these tests may take several attempts. With another order than that
// of the queue they would hardly ever succeed.
const GOES = 12

test('with fairness 0, the requests of processes are granted in their order', async (t) => {
  const name = uniqueName(t)
  const lock = openLock(t, name, { fairness: 0 })
  const children = await Promise.all(Array.from({ length: 4 }, () => pooledChild(t)))
  for (const child of children) await child.ask('open', { ref: name, options: { fairness: 0 } })

  const asked = [0, 1, 2, 3, 'here']
  /** @type {unknown[]} */
  let served = []
  for (let go = 0; go < GOES && `${served}` !== `${asked}`; go++) {
    const first = await lock.acquireWrite()
    served = []
    const waits = []
    for (const [index, child] of children.entries()) {
      const op = ops[index % 2 ? 'upgradable' : 'write'].acquire
      waits.push(
        child.ask(op).then(async () => {
          served.push(index)
          await child.ask('release')
        }),
      )
      await queued(lock, child)
    }
    waits.push(lock.write(() => served.push('here')))
    t.deepEqual(
      lock.inspect().waiters.map(({ pid }) => pid),
      [...children.map(({ pid }) => pid), process.pid],
    )
    first.release()
    await Promise.all(waits)
  }
  t.deepEqual(served, asked)
})

test('with fairness 0, 120 requests of six processes, of all modes, are granted in their order', async (t) => {
  const name = uniqueName(t)
  const lock = openLock(t, name, { fairness: 0 })
  const children = await Promise.all(Array.from({ length: 6 }, () => pooledChild(t)))
  for (const child of children) await child.ask('open', { ref: name, options: { fairness: 0 } })
  t.log(`SEED=${SEED}`)
  const dice = random(SEED)

  /** @type {number[][]} */
  let wrong = []
  for (let go = 0; go < GOES; go++) {
    const left = children.map(() => 20)
    const asked = Array.from({ length: 120 }, () => {
      const by = dice.pick([...left.keys()].filter((by) => left[by] > 0))
      left[by]--
      return { by, mode: dice.pick([...MODES]), nth: 20 - left[by] }
    })
    const first = await lock.acquireWrite()
    /** @type {number[]} */
    const granted = []
    /** @type {Promise<any>[]} */
    const waits = []
    for (const [number, { by, mode, nth }] of asked.entries()) {
      const child = children[by]
      waits.push(
        child.ask(ops[mode].acquire).then(({ guard }) => {
          granted.push(number)
          return child.ask('release', { guard })
        }),
      )
      await queued(lock, child, nth)
    }
    // Each process has an entry for each of its first three requests, and a count of the rest.
    t.deepEqual(
      lock.inspect().waiters.map(({ pid, mode, count, more }) => ({ pid, mode, count, more })),
      asked
        .filter(({ nth }) => nth <= 3)
        .map(({ by, mode, nth }) => ({ pid: children[by].pid, mode, count: 1, more: nth === 3 ? 17 : 0 })),
    )
    first.release()
    await Promise.all(waits)
    t.is(granted.length, 120)
    wrong = overtakings(
      asked.map(({ mode }) => mode),
      granted,
    )
    if (wrong.length === 0) break
    t.log(`attempt ${go + 1}: ${wrong.length} of the pairs were granted in another order`)
  }
  t.deepEqual(wrong, [])
})

test('adjacent readers of several processes in the queue are granted together', async (t) => {
  const name = uniqueName(t)
  const lock = openLock(t, name, { fairness: 0 })
  const queue = /** @type {const} */ (['read', 'read', 'write', 'read'])
  const children = await Promise.all(queue.map(() => pooledChild(t)))
  for (const child of children) await child.ask('open', { ref: name, options: { fairness: 0 } })
  const look = () => {
    const { holders, waiters } = lock.inspect()
    const indexes = (parties) => parties.map(({ pid }) => children.findIndex((child) => child.pid === pid))
    return `holding ${indexes(holders).sort()}; waiting ${indexes(waiters)}`
  }

  const together = 'holding 0,1; waiting 2,3'
  const expected = [together, together, 'holding 2; waiting 3', 'holding 3; waiting ']
  /** @type {string[]} */
  let seen = []
  for (let go = 0; go < GOES && `${seen}` !== `${expected}`; go++) {
    const first = await lock.acquireWrite()
    seen = []
    /** @type {Promise<any>[]} */
    const waits = []
    for (const [index, child] of children.entries()) {
      waits.push(child.ask(ops[queue[index]].acquire))
      await queued(lock, child)
    }
    const both = Promise.all([waits[0], waits[1]])
    const served = children.map(async (child, index) => {
      await waits[index]
      if (index < 2) await Promise.race([both, setTimeout(1000)])
      seen.push(look())
      await child.ask('release')
    })
    first.release()
    await Promise.all(served)
  }
  t.deepEqual(seen, expected)
})

for (const fairness of [0, undefined]) {
  const title = fairness === undefined ? 'with the default fairness' : `with fairness ${fairness}`

  test(`${title}, a hold that yields is behind the processes that wait, and before those that come later`, async (t) => {
    const name = uniqueName(t)
    const lock = openLock(t, name, { fairness })
    const children = await Promise.all(Array.from({ length: 4 }, () => pooledChild(t)))
    for (const child of children) await child.ask('open', { ref: name, options: { fairness } })
    const modes = /** @type {const} */ (['write', 'upgradable', 'read', 'write'])

    const expected = [0, 1, 'here', 2, 3]
    /** @type {unknown[]} */
    let served = []
    for (let go = 0; go < GOES && `${served}` !== `${expected}`; go++) {
      const guard = await lock.acquireWrite()
      served = []
      /** @type {Promise<any>[]} */
      const uses = []
      let allCame = () => {}
      const come = new Promise((resolve) => {
        allCame = () => resolve(undefined)
      })
      const request = async (/** @type {number} */ index) => {
        const use = children[index].ask(ops[modes[index]].acquire).then(async () => {
          served.push(index)
          await come
          await children[index].ask('release')
        })
        uses.push(use)
        await queued(lock, children[index])
      }
      await request(0)
      await request(1)
      const back = guard.yield().then(() => {
        served.push('here')
        t.is(guard.mode, 'write')
        guard.release()
      })
      // While the first one holds the lock, so that only the queue decides.
      await waitFor(() => served.length > 0)
      await request(2)
      await request(3)
      allCame()
      await Promise.all([back, ...uses])
    }
    t.deepEqual(served, expected)
  })
}

// ---- fairness in ms

test('newcomers overtake a writer that waits for an upgradable hold until its fairness time has passed, and not after', async (t) => {
  const name = uniqueName(t)
  const lock = openLock(t, name)
  const [holder, writer] = await Promise.all([pooledChild(t), pooledChild(t)])
  await holder.ask('hold', { ref: name, mode: 'upgradable' })
  await writer.ask('open', { ref: name, options: { fairness: 600 } })
  const start = performance.now()
  const waits = writer.ask('acquireWrite')
  await queued(lock, writer)
  let overtaken = 0
  await waitFor(() => {
    const guard = lock.tryRead()
    if (guard) overtaken++
    guard?.release()
    return !guard
  })
  t.true(performance.now() - start >= 600)
  t.true(overtaken > 0)
  await holder.ask('release')
  t.is((await waits).mode, 'write')
})

test('with a large fairness, newcomers overtake for that time', async (t) => {
  const name = uniqueName(t)
  const lock = openLock(t, name, { fairness: 60_000 })
  const holder = await pooledChild(t)
  await holder.ask('hold', { ref: name, mode: 'upgradable' })
  const waits = lock.acquireWrite()
  for (let round = 0; round < 10; round++) {
    await setTimeout(5)
    const guard = lock.tryRead()
    t.is(guard?.mode, 'read')
    guard?.release()
  }
  await holder.ask('release')
  t.is((await waits).mode, 'write')
})

// ---- nested reads

test('a read within a read is granted even if a writer of another process waits', async (t) => {
  const name = uniqueName(t)
  const lock = openLock(t, name, { fairness: 0 })
  const child = await pooledChild(t)
  await child.ask('open', { ref: name, options: { fairness: 0 } })
  /** @type {Promise<any> | undefined} */
  let writer
  const { value, ms } = await lock.read(async () => {
    writer = child.ask('acquireWrite')
    await queued(lock, child)
    t.is(lock.tryRead(), null, 'the writer keeps newcomers out')
    return timed(() => lock.read((guard) => guard.mode))
  })
  t.is(value, 'read')
  // About 100 ms.
  t.true(ms < 3000, `${ms} ms`)
  t.is((await writer).mode, 'write')
})

test('deeply nested reads are granted, and the waiting writer after the last release', async (t) => {
  const name = uniqueName(t)
  const lock = openLock(t, name, { fairness: 0 })
  const child = await pooledChild(t)
  await child.ask('open', { ref: name, options: { fairness: 0 } })
  let written = false
  /** @type {Promise<any> | undefined} */
  let writer
  await lock.read(async () => {
    writer = child.ask('acquireWrite').then(() => {
      written = true
    })
    await queued(lock, child)
    await lock.read(() => lock.read(() => t.false(written)))
    t.false(written)
  })
  await writer
  t.true(written)
})

test('a read within a read is granted even if a writer of the same thread waits', async (t) => {
  const lock = openLock(t, uniqueName(t), { fairness: 0 })
  const log = []
  /** @type {Promise<any> | undefined} */
  let writer
  await lock.read(async () => {
    writer = lock.write(() => log.push('write'))
    const { ms } = await timed(() => lock.read(() => log.push('nested read')))
    t.true(ms < 3000, `${ms} ms`)
  })
  await writer
  t.deepEqual(log, ['nested read', 'write'])
})

test('a read within a read is granted by another handle of the thread', async (t) => {
  const name = uniqueName(t)
  const [a, b] = [openLock(t, name, { fairness: 0 }), openLock(t, name, { fairness: 0 })]
  const child = await pooledChild(t)
  await child.ask('open', { ref: name, options: { fairness: 0 } })
  await a.read(async () => {
    child.tell('acquireWrite')
    await queued(a, child)
    const { ms } = await timed(() => b.read(() => {}))
    t.true(ms < 3000, `${ms} ms`)
  })
})

test('a read within an upgradable hold is granted even if a writer of another process waits', async (t) => {
  const name = uniqueName(t)
  const lock = openLock(t, name, { fairness: 0 })
  const child = await pooledChild(t)
  await child.ask('open', { ref: name, options: { fairness: 0 } })
  await lock.upgradable(async () => {
    child.tell('acquireWrite')
    await queued(lock, child)
    const { value, ms } = await timed(() => lock.read((guard) => guard.mode))
    t.is(value, 'read')
    t.true(ms < 3000, `${ms} ms`)
  })
})

test('a synchronous read within a read is granted at once even if a writer waits', async (t) => {
  const name = uniqueName(t)
  const lock = openLock(t, name, { fairness: 0 })
  const child = await pooledChild(t)
  await child.ask('open', { ref: name, options: { fairness: 0 } })
  for (const mode of /** @type {const} */ (['read', 'upgradable'])) {
    const guard = await acquire[mode](lock)
    const writer = child.ask('acquireWrite')
    await queued(lock, child)
    const start = performance.now()
    t.is(
      lock.readSync((guard) => guard.mode, { timeout: 5000 }),
      'read',
    )
    t.true(performance.now() - start < 1000, `${performance.now() - start} ms`)
    guard.release()
    await writer
    await child.ask('release')
  }
})

test('a nested read that times out before it is let in leaves no trace', async (t) => {
  const name = uniqueName(t)
  const lock = openLock(t, name, { fairness: 0 })
  const child = await pooledChild(t)
  await child.ask('open', { ref: name, options: { fairness: 0 } })
  const guard = await lock.acquireRead()
  const writer = child.ask('acquireWrite')
  await queued(lock, child)
  await t.throwsAsync(lock.read(never, { timeout: 10 }), { code: 'ERR_LOCK_TIMEOUT' })
  t.like(lock.inspect(), { holders: [{ mode: 'read', count: 1 }], waiters: [{ pid: child.pid }] })
  t.is(lock.inspect().waiters.length, 1)
  guard.release()
  t.is((await writer).mode, 'write')
})

// ---- nestedReads: 'queue', and strict order within a process

test("with nestedReads 'queue', a read within a read waits behind the writer", async (t) => {
  const name = uniqueName(t)
  const lock = openLock(t, name, { fairness: 0, nestedReads: 'queue' })
  const child = await pooledChild(t)
  await child.ask('open', { ref: name, options: { fairness: 0 } })
  for (const mode of /** @type {const} */ (['read', 'upgradable'])) {
    /** @type {string[]} */
    let log = []
    for (let go = 0; go < GOES && `${log}` !== 'write,read'; go++) {
      log = []
      const guard = await acquire[mode](lock)
      const free = await lock.acquireRead()
      free.release()
      const writer = child.ask('acquireWrite').then(() => log.push('write'))
      await queued(lock, child)
      const nested = lock.read(() => log.push('read'))
      t.throws(() => lock.readSync(never), { code: 'ERR_LOCK_DEADLOCK' })
      await setTimeout(250)
      t.deepEqual(
        lock.inspect().waiters.map(({ pid, mode }) => [pid, mode]),
        [
          [child.pid, 'write'],
          [process.pid, 'read'],
        ],
      )
      guard.release()
      await writer
      await child.ask('release')
      await nested
    }
    t.deepEqual(log, ['write', 'read'])
  }
})

test('each handle decides about its own nested reads', async (t) => {
  const name = uniqueName(t)
  const [inTurn, admitted] = [openLock(t, name, { nestedReads: 'queue' }), openLock(t, name)]
  const child = await pooledChild(t)
  await child.ask('open', { ref: name, options: { fairness: 0 } })
  const guard = await inTurn.acquireRead()
  const writer = child.ask('acquireWrite')
  await queued(inTurn, child)
  // Without a guard, which would keep out a writer that was skipped.
  const waits = inTurn.read(() => {})
  await admitted.read(() => {})
  t.is(requests(inTurn.inspect().waiters), 2)
  guard.release()
  await writer
  await child.ask('release')
  await waits
})

test('with fairness 0, readers do not overtake a writer behind a read of its own process', async (t) => {
  const name = uniqueName(t)
  const lock = openLock(t, name, { fairness: 0 })
  const child = await pooledChild(t)
  await child.ask('open', { ref: name, options: { fairness: 0 } })
  const logs = []
  const inOrder = () => logs.filter((log) => log === 'first,20 ms,write,read').length
  for (let go = 0; go < GOES && inOrder() < 5; go++) {
    const holder = await lock.acquireWrite()
    /** @type {string[]} */
    const log = []
    const first = child.ask('acquireRead').then(() => log.push('first'))
    await queued(lock, child)
    const write = child.ask('acquireWrite').then(() => log.push('write'))
    await queued(lock, child, 2)
    const late = lock.read(() => log.push('read'))
    holder.release()
    await first
    await setTimeout(20)
    log.push('20 ms')
    await child.ask('release')
    await write
    await child.ask('release')
    await late
    logs.push(log.join())
  }
  t.is(inOrder(), 5, logs.join('; '))
})
