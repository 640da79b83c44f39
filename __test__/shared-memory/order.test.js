// Whose turn it is: first come, first served; fairness; nobody starves; nested reads go on.
import { setImmediate, setTimeout } from 'node:timers/promises'
import { childPool } from '../helpers/child-pool.js'
import { openLock, spawnThread, test, uniqueName, waitFor } from '../helpers/index.js'
import { acquire, isFree, MODES, never, ops } from '../helpers/modes.js'
import { queued, stream, timed } from '../helpers/observe.js'

const pooledChild = childPool()

// ---- first come, first served

test('with fairness 0 a thread is served in the order it asked in, readers side by side', async (t) => {
  const lock = openLock(t, uniqueName(t), { fairness: 0 })
  const log = []
  const use = (name, mode) =>
    lock[mode](async () => {
      log.push(`+${name}`)
      await setImmediate()
      log.push(`-${name}`)
    })
  const first = await lock.acquireWrite()
  const uses = [
    use('w1', 'write'),
    use('r2', 'read'),
    use('r3', 'read'),
    use('w4', 'write'),
    use('u5', 'upgradable'),
    use('w6', 'write'),
    use('r7', 'read'),
  ]
  first.release()
  await Promise.all(uses)
  t.deepEqual(log, [
    ...['+w1', '-w1'],
    ...['+r2', '+r3', '-r2', '-r3'],
    ...['+w4', '-w4'],
    ...['+u5', '-u5'],
    ...['+w6', '-w6'],
    ...['+r7', '-r7'],
  ])
})

test('an upgradable reader is served beside the readers before and after it', async (t) => {
  const lock = openLock(t, uniqueName(t), { fairness: 0 })
  const first = await lock.acquireWrite()
  const waits = [lock.acquireRead(), lock.acquireUpgradable(), lock.acquireRead()]
  first.release()
  const guards = await Promise.all(waits)
  t.deepEqual(
    guards.map(({ mode }) => mode),
    ['read', 'upgradable', 'read'],
  )
})

// Who does not come within some milliseconds when it is his turn may be passed over, and on a busy machine that is
// anybody: so these may take several goes. In any other order than that of the queue they would hardly ever succeed.
const GOES = 12

test('with fairness 0 processes are served in the order they asked in', async (t) => {
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

test('readers of several processes that are next to each other in the queue are served together', async (t) => {
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

for (const held of /** @type {const} */ (['read', 'upgradable'])) {
  test(`with fairness 0 newcomers do not overtake a writer that waits for a ${held} hold to end`, async (t) => {
    const name = uniqueName(t)
    const lock = openLock(t, name, { fairness: 0 })
    const [holder, writer] = await Promise.all([pooledChild(t), pooledChild(t)])
    await holder.ask('hold', { ref: name, mode: held })
    await writer.ask('open', { ref: name, options: { fairness: 0 } })
    const waits = writer.ask('acquireWrite')
    await queued(lock, writer)

    t.is(lock.tryRead(), null)
    t.is(lock.tryUpgradable(), null)
    await t.throwsAsync(lock.read(never, { timeout: 60 }), { code: 'ERR_LOCK_TIMEOUT' })
    await holder.ask('release')
    t.is((await waits).mode, 'write')
    await writer.ask('release')
    t.is(lock.tryRead()?.mode, 'read')
  })
}

// ---- fairness in ms

test('until fairness ms have passed newcomers overtake a writer that waits for an upgradable hold, and then no more', async (t) => {
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

test('with a large fairness newcomers overtake for as long', async (t) => {
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

test('the queue is open again when the one who had it closed has left', async (t) => {
  const name = uniqueName(t)
  const lock = openLock(t, name, { fairness: 0 })
  const reader = await pooledChild(t)
  await reader.ask('hold', { ref: name, mode: 'read' })
  await t.throwsAsync(lock.write(never, { timeout: 20 }), { code: 'ERR_LOCK_TIMEOUT' })
  t.is(lock.tryRead()?.mode, 'read')
  const other = await pooledChild(t)
  await other.ask('open', { ref: name })
  t.is((await other.ask('tryRead')).mode, 'read')
})

// ---- nobody starves

// What a stream of others lets through in this time, at the very least; it is milliseconds where the machine is idle.
const ROUNDS = 5

for (const [streaming, wanted] of /** @type {const} */ ([
  ['read', 'write'],
  ['read', 'upgradable'],
  ['write', 'read'],
  ['write', 'write'],
  ['upgradable', 'write'],
  ['upgradable', 'read'],
])) {
  test(`an endless stream of ${streaming} holds of several processes does not starve ${wanted}`, async (t) => {
    const name = uniqueName(t)
    const streams = await Promise.all(
      [3, 3, 3].map((lanes) => stream(t, { ref: name, mode: streaming, lanes, hold: 2 })),
    )
    const lock = openLock(t, name)
    for (let round = 0; round < ROUNDS; round++) {
      await lock[wanted]((guard) => t.is(guard.mode, wanted), { timeout: 10_000 })
      await setTimeout(2)
    }
    // Nor does it starve the stream.
    for (const { stop } of streams) t.true((await stop()) > 0)
  })

  test(`an endless stream of ${streaming} holds of this thread does not starve ${wanted}, here or elsewhere`, async (t) => {
    const name = uniqueName(t)
    const lock = openLock(t, name)
    let stopped = false
    let count = 0
    const lanes = [0, 1, 2].map(async (lane) => {
      await setTimeout(lane * 3)
      while (!stopped) {
        await lock[streaming](() => setTimeout(9))
        count++
      }
    })
    await waitFor(() => count >= 3)
    const child = await pooledChild(t)
    await child.ask('open', { ref: name })
    for (let round = 0; round < ROUNDS; round++) {
      await lock[wanted]((guard) => t.is(guard.mode, wanted), { timeout: 10_000 })
      t.is((await child.ask(ops[wanted].acquire, { options: { timeout: 10_000 } })).mode, wanted)
      await child.ask('release')
    }
    stopped = true
    await Promise.all(lanes)
    t.true(isFree(lock))
  })
}

// ---- nested reads

test('a read inside a read goes on though a writer of another process waits in between', async (t) => {
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

test('reads nested deeply go on, too, and the writer comes when all have gone', async (t) => {
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

test('a read inside a read goes on though a writer of the same thread waits in between', async (t) => {
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

test('a read inside a read goes on by another handle of the thread', async (t) => {
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

test('a read inside an upgradable hold goes on though a writer of another process waits', async (t) => {
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

test('a synchronous read inside a read goes on at once though a writer waits', async (t) => {
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

// ---- many

test('many waits of every mode, in threads and processes, are all served', async (t) => {
  const name = uniqueName(t)
  const lock = openLock(t, name)
  const others = await Promise.all([pooledChild(t), pooledChild(t), spawnThread(t)])
  await Promise.all(others.map((other) => other.ask('open', { ref: name })))
  const writer = await lock.acquireWrite()
  let served = 0
  const here = Array.from({ length: 300 }, (_, i) =>
    lock[MODES[i % 3]](async () => {
      if (i % 10 === 0) await setImmediate()
      served++
    }),
  )
  const elsewhere = others.map(async (other) => {
    for (let i = 0; i < 20; i++) {
      const { guard } = await other.ask(ops[MODES[i % 3]].acquire)
      await other.ask('release', { guard })
      served++
    }
  })
  await Promise.all(others.map((other) => queued(lock, other)))
  writer.release()
  await Promise.all([...here, ...elsewhere])
  t.is(served, 360)
  t.deepEqual(lock.inspect().waiters, [])
  t.true(isFree(lock))
})
