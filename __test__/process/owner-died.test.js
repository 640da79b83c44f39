// A write hold that ends without release is told to everybody who comes after, until one ends normally.
import { join } from 'node:path'
import { openLock, spawnChild, spawnNode, spawnThread, tempDir, test, uniqueName } from '../helpers/index.js'
import { queued } from '../helpers/observe.js'

/**
 * @typedef {import('ava').ExecutionContext<any>} Test
 * @typedef {import('process-rwlock').RWLock} RWLock
 */

test('it names the process, the thread, the label and the token of the hold', async (t) => {
  const lock = openLock(t)
  const victim = await spawnChild(t)
  await victim.ask('open', { ref: lock.toJSON(), options: { label: 'indexer' } })
  const { token } = await victim.ask('acquireWrite')
  await victim.kill()
  await lock.read(({ ownerDied }) => {
    t.deepEqual(ownerDied, { pid: victim.pid, threadId: 0, label: 'indexer', token })
  })
})

test('it has the label of the hold, if that had one of its own', async (t) => {
  const lock = openLock(t)
  const victim = await spawnChild(t)
  await victim.ask('open', { ref: lock.toJSON(), options: { label: 'indexer' } })
  await victim.ask('acquireWrite', { options: { label: 'an earlier hold' } })
  await victim.ask('release')
  const { token } = await victim.ask('acquireWrite', { options: { label: 'rebuild' } })
  await victim.kill()
  await lock.read(({ ownerDied }) => {
    t.deepEqual(ownerDied, { pid: victim.pid, threadId: 0, label: 'rebuild', token })
  })
})

test('readers, upgradables and writers are told, and whoever looks, in every process', async (t) => {
  const lock = openLock(t)
  const other = await spawnChild(t)
  await other.ask('open', { ref: lock.toJSON() })
  const died = await dieInside(t, lock)

  t.deepEqual(await lock.read(({ ownerDied }) => ownerDied), died)
  t.deepEqual(await lock.upgradable(({ ownerDied }) => ownerDied), died)
  t.deepEqual(
    lock.readSync(({ ownerDied }) => ownerDied),
    died,
  )
  t.deepEqual(lock.inspect().ownerDied, died)
  t.deepEqual((await other.ask('acquireRead')).ownerDied, died)
  await other.ask('release')
  t.deepEqual((await other.ask('inspect')).ownerDied, died)
  t.deepEqual((await other.ask('acquireWrite')).ownerDied, died)
})

test('an upgradable is told when it becomes the writer', async (t) => {
  const lock = openLock(t)
  const died = await dieInside(t, lock)
  for (const way of ['upgrade', 'tryUpgrade']) {
    const becomesWriter = lock.upgradable(async (guard) => {
      t.deepEqual(guard.ownerDied, died)
      await guard[way]()
      t.is(guard.mode, 'write')
      t.deepEqual(guard.ownerDied, died)
      fail()
    })
    await t.throwsAsync(becomesWriter, { message: 'failed on purpose' })
  }
})

for (const [how, end] of /** @type {Array<[string, (lock: RWLock) => unknown]>} */ ([
  ['a function that writes returns', (lock) => lock.write(() => {})],
  ['a function that writes synchronously returns', (lock) => lock.writeSync(() => {})],
  ['a writer releases', async (lock) => (await lock.acquireWrite()).release()],
  ['a writer that tried releases', (lock) => lock.tryWrite()?.release()],
  ['a writer disposes of its guard', async (lock) => (await lock.acquireWrite())[Symbol.dispose]()],
  ['a writer downgrades to read', async (lock) => (await lock.acquireWrite()).downgrade()],
  ['a writer downgrades to upgradable', async (lock) => (await lock.acquireWrite()).downgrade('upgradable')],
  ['an upgradable that became the writer returns', (lock) => lock.upgradable((guard) => guard.upgrade())],
])) {
  test(`it is over when ${how}`, async (t) => {
    const lock = openLock(t)
    const died = await dieInside(t, lock)
    t.deepEqual(await lock.read(({ ownerDied }) => ownerDied), died)
    await end(lock)
    t.is(lock.inspect().ownerDied, null)
    t.is(await lock.read(({ ownerDied }) => ownerDied), null)
    const other = await spawnChild(t)
    t.is((await other.ask('hold', { ref: lock.toJSON(), mode: 'read' })).ownerDied, null)
  })
}

for (const [how, end] of /** @type {Array<[string, (lock: RWLock) => unknown]>} */ ([
  ['a function that writes throws', (lock) => lock.write(fail)],
  ['a function that writes rejects', (lock) => lock.write(async () => fail())],
  ['a function that writes synchronously throws', (lock) => lock.writeSync(fail)],
  [
    'an upgradable that became the writer throws',
    (lock) => lock.upgradable((guard) => guard.upgrade().then(fail)),
  ],
  ['a reader returns', (lock) => lock.read(() => {})],
  ['an upgradable returns', (lock) => lock.upgradable(() => {})],
  ['an upgradable downgrades', async (lock) => lock.upgradable((guard) => guard.downgrade())],
  ['a writer that waited gives up', (lock) => timesOutBehindReader(lock)],
])) {
  test(`it stays when ${how}`, async (t) => {
    const lock = openLock(t)
    const died = await dieInside(t, lock)
    await Promise.resolve()
      .then(() => end(lock))
      .catch((error) => t.is(error.message, 'failed on purpose'))
    t.deepEqual(lock.inspect().ownerDied, died)
    t.deepEqual(await lock.write(({ ownerDied }) => ownerDied), died)
    t.is(lock.inspect().ownerDied, null)
  })
}

test('a function that throws does not cause it', async (t) => {
  const lock = openLock(t)
  await t.throwsAsync(lock.write(fail), { message: 'failed on purpose' })
  await t.throwsAsync(
    lock.upgradable((guard) => guard.upgrade().then(fail)),
    { message: 'failed on purpose' },
  )
  t.throws(() => lock.writeSync(fail), { message: 'failed on purpose' })
  t.is(await lock.read(({ ownerDied }) => ownerDied), null)
})

test('a write that the closing of the lock overtook, before its function ran, settles nothing', async (t) => {
  const lock = openLock(t)
  const died = await dieInside(t, lock)
  const closing = openLock(t, lock.toJSON())
  const reading = closing.tryRead()
  const writing = closing.write(() => t.fail('the lock is closed'))
  reading?.release() // grants the write
  closing.close()
  await t.throwsAsync(writing, { code: 'ERR_LOCK_CLOSED' })
  t.deepEqual(lock.tryRead()?.ownerDied, died)
})

test('a guard keeps what it was told when it was granted', async (t) => {
  const lock = openLock(t)
  const died = await dieInside(t, lock)
  const guard = await lock.acquireRead()
  guard.release()
  await lock.write(() => {})
  t.deepEqual(guard.ownerDied, died)
})

test('deaths of others later change nothing about it', async (t) => {
  const lock = openLock(t)
  const died = await dieInside(t, lock)
  for (const mode of ['read', 'upgradable']) {
    const victim = await spawnChild(t)
    await victim.ask('hold', { ref: lock.toJSON(), mode })
    await victim.kill()
    t.deepEqual(await lock.upgradable(({ ownerDied }) => ownerDied), died)
  }
  const victim = await spawnChild(t)
  const guard = await lock.acquireUpgradable()
  victim.tell('hold', { ref: lock.toJSON(), mode: 'write' })
  await queued(lock, victim)
  await victim.kill()
  guard.release()
  t.deepEqual(await lock.upgradable(({ ownerDied }) => ownerDied), died)
})

test('of several writers that died inside, the latest is named', async (t) => {
  const lock = openLock(t)
  for (let i = 0; i < 4; i++) {
    const died = await dieInside(t, lock)
    t.deepEqual(await lock.read(({ ownerDied }) => ownerDied), died)
  }
})

for (const kind of ['name', 'path']) {
  test(`who opens the lock when all have gone is told still (${kind})`, async (t) => {
    const ref = kind === 'name' ? { name: uniqueName(t) } : { path: join(tempDir(t), 'lock') }
    const lock = openLock(t, ref)
    const died = await dieInside(t, lock)
    lock.close()
    for (let i = 0; i < 2; i++) {
      const later = openLock(t, ref)
      t.deepEqual(await later.read(({ ownerDied }) => ownerDied), died)
      later.close()
    }
    const child = await spawnChild(t)
    t.deepEqual((await child.ask('hold', { ref, mode: 'write' })).ownerDied, died)
    await child.ask('release')
    await child.ask('close')
    t.is(await openLock(t, ref).read(({ ownerDied }) => ownerDied), null)
  })

  test(`who opens the lock after its only user died inside is told (${kind})`, async (t) => {
    const ref = kind === 'name' ? { name: uniqueName(t) } : { path: join(tempDir(t), 'lock') }
    const victim = await spawnChild(t)
    const { token } = await victim.ask('hold', { ref, mode: 'write', options: { label: 'rebuild' } })
    await victim.kill()
    const lock = openLock(t, ref)
    await lock.read(({ ownerDied }) => {
      t.deepEqual(ownerDied, { pid: victim.pid, threadId: 0, label: 'rebuild', token })
    })
  })
}

for (const [what, spawn] of /** @type {Array<[string, (t: Test) => Promise<any>]>} */ ([
  ['process', spawnChild],
  ['thread', spawnThread],
])) {
  /** @type {Array<[string, (victim: any) => unknown]>} */
  const ends = [
    ['calls process.exit()', (victim) => victim.tell('exit')],
    ['throws what nobody catches', (victim) => victim.tell('throw')],
    ['ends by itself', (victim) => victim.tell('finish')],
    what === 'thread'
      ? ['is terminated', (victim) => victim.terminate()]
      : ['is ended by SIGTERM', (victim) => victim.kill('SIGTERM')],
  ]
  for (const [how, end] of ends) {
    test(`a ${what} that ${how} inside a write hold is an owner that died`, async (t) => {
      const lock = openLock(t)
      const victim = await spawn(t)
      const { token } = await victim.ask('hold', {
        ref: lock.toJSON(),
        mode: 'write',
        options: { label: 'rebuild' },
      })
      const waiting = lock.acquireWrite({ timeout: 10_000 })
      await queued(lock, { pid: process.pid })
      const exitedAt = victim.exited.then(() => performance.now())
      end(victim)
      const guard = await waiting
      const grantedAt = performance.now()
      t.deepEqual(guard.ownerDied, {
        pid: victim.pid,
        threadId: victim.threadId ?? 0,
        label: 'rebuild',
        token,
      })
      t.true(guard.token > token)
      t.true(grantedAt - (await exitedAt) < 100)
      if (how === 'throws what nobody catches') {
        t.regex(victim.error?.message ?? victim.stderr, /thrown on command/)
      }
    })

    test(`a ${what} that ${how} while it reads, or may upgrade, or waits, is none`, async (t) => {
      for (const mode of ['read', 'upgradable', 'waits']) {
        const lock = openLock(t)
        const victim = await spawn(t)
        if (mode === 'waits') {
          await lock.write(async () => {
            victim.tell('hold', { ref: lock.toJSON(), mode: 'write' })
            await queued(lock, victim)
            // Its pending wait would keep it alive.
            if (how === 'ends by itself') return victim.tell('close')
            end(victim)
            await victim.exited
          })
        } else {
          await victim.ask('hold', { ref: lock.toJSON(), mode })
          end(victim)
        }
        await lock.write(({ ownerDied }) => t.is(ownerDied, null, mode), { timeout: 10_000 })
        lock.close()
      }
    })
  }
}

test('a process that ends while one of its threads writes is told with the thread', async (t) => {
  const lock = openLock(t)
  const victim = spawnNode(t, new URL('./programs/holds-in-worker.js', import.meta.url), [
    JSON.stringify({ ref: lock, mode: 'write' }),
  ])
  const { threadId, token } = await victim.next('held')
  t.true(threadId > 0)
  await victim.kill()
  const died = await lock.read(({ ownerDied }) => ownerDied)
  t.like(died, { pid: victim.pid, threadId, token })
})

test('a thread that dies inside does not take the holds of its siblings along', async (t) => {
  const lock = openLock(t)
  const [victim, sibling] = [await spawnThread(t), await spawnThread(t)]
  await sibling.ask('open', { ref: lock.toJSON() })
  const { token } = await victim.ask('hold', { ref: lock.toJSON(), mode: 'write' })
  const answer = sibling.ask('acquireRead')
  await queued(lock, sibling)
  await victim.terminate()
  t.like((await answer).ownerDied, { pid: process.pid, threadId: victim.threadId, token })
  t.is(lock.tryWrite(), null)
  t.deepEqual(
    lock.inspect().holders.map(({ threadId }) => threadId),
    [sibling.threadId],
  )
})

/**
 * Has a process die inside a write hold; by then everybody is told.
 *
 * @param {Test} t
 * @param {RWLock} lock
 */
async function dieInside(t, lock) {
  const victim = await spawnChild(t)
  const label = `victim ${victim.pid}`
  const { token } = await victim.ask('hold', { ref: lock.toJSON(), mode: 'write', options: { label } })
  await victim.kill()
  return { pid: victim.pid, threadId: 0, label, token }
}

function fail() {
  throw new Error('failed on purpose')
}

/** @param {RWLock} lock */
async function timesOutBehindReader(lock) {
  const guard = await lock.acquireUpgradable()
  await lock.write(() => {}, { timeout: 20 }).catch(() => {})
  guard.release()
}
