// A write hold that ends without release is reported to every later holder, until a write hold ends
// normally.
import { afterDeath, waitFor } from '../helpers/index.js'
import { queued } from '../helpers/observe.js'
import { contract } from './contract.js'

contract(({ test, open, newRef, refs, exitDetection, has, host, otherProcess, otherThread }) => {
  /** @typedef {import('process-rwlock').AsyncRWLock} RWLock */
  const waitsEnd = has('waits end with processes')

  test(
    'ownerDied gives the process, the thread, the label and the token of the hold',
    ['ownerDied', 'processes'],
    async (t) => {
      const ref = newRef(t)
      const lock = open(t, ref)
      const victim = await otherProcess(t)
      await victim.ask('open', { ref, options: { label: 'indexer' } })
      const { token } = await victim.ask('acquireWrite')
      await victim.kill()
      await lock.read(({ ownerDied }) => {
        t.deepEqual(ownerDied, { pid: victim.pid, threadId: 0, label: 'indexer', token, ...host })
      })
    },
  )

  test('ownerDied has the label of the hold, if the hold had one', ['ownerDied', 'processes'], async (t) => {
    const ref = newRef(t)
    const lock = open(t, ref)
    const victim = await otherProcess(t)
    await victim.ask('open', { ref, options: { label: 'indexer' } })
    await victim.ask('acquireWrite', { options: { label: 'an earlier hold' } })
    await victim.ask('release')
    const { token } = await victim.ask('acquireWrite', { options: { label: 'rebuild' } })
    await victim.kill()
    await lock.read(({ ownerDied }) => {
      t.deepEqual(ownerDied, { pid: victim.pid, threadId: 0, label: 'rebuild', token, ...host })
    })
  })

  test(
    'ownerDied is reported to readers, upgradables, writers and inspect(), in every process',
    ['upgradable', 'ownerDied', 'processes'],
    async (t) => {
      const ref = newRef(t)
      const lock = open(t, ref)
      const other = await otherProcess(t)
      await other.ask('open', { ref })
      const died = await dieInside(t, ref)

      t.deepEqual(await lock.read(({ ownerDied }) => ownerDied), died)
      t.deepEqual(await lock.upgradable(({ ownerDied }) => ownerDied), died)
      t.deepEqual((await lock.inspect()).ownerDied, died)
      t.deepEqual((await other.ask('acquireRead')).ownerDied, died)
      await other.ask('release')
      t.deepEqual((await other.ask('inspect')).ownerDied, died)
      t.deepEqual((await other.ask('acquireWrite')).ownerDied, died)
    },
  )

  test(
    'ownerDied is reported to an upgradable hold that becomes the writer',
    ['upgradable', 'ownerDied', 'processes'],
    async (t) => {
      const ref = newRef(t)
      const lock = open(t, ref)
      const died = await dieInside(t, ref)
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
    },
  )

  for (const [how, end] of /** @type {Array<[string, (lock: RWLock) => unknown]>} */ ([
    ['a function that writes returns', (lock) => lock.write(() => {})],
    ['a writer releases', async (lock) => (await lock.acquireWrite()).release()],
    // Over PostgreSQL, the end of a session frees its locks one after the other: that of a reader first.
    ['a writer that tried releases', async (lock) => (await waitFor(() => lock.tryWrite()))?.release()],
    ['a writer disposes of its guard', async (lock) => (await lock.acquireWrite())[Symbol.asyncDispose]()],
    ['a writer downgrades to read', async (lock) => (await lock.acquireWrite()).downgrade()],
    [
      'a writer downgrades to upgradable',
      async (lock) => (await lock.acquireWrite()).downgrade('upgradable'),
    ],
    ['an upgradable that became the writer returns', (lock) => lock.upgradable((guard) => guard.upgrade())],
  ])) {
    test(`ownerDied is cleared when ${how}`, ['upgradable', 'ownerDied', 'processes'], async (t) => {
      const ref = newRef(t)
      const lock = open(t, ref)
      const died = await dieInside(t, ref)
      t.deepEqual(await lock.read(({ ownerDied }) => ownerDied), died)
      await end(lock)
      t.is((await lock.inspect()).ownerDied, null)
      t.is(await lock.read(({ ownerDied }) => ownerDied), null)
      const other = await otherProcess(t)
      t.is((await other.ask('hold', { ref, mode: 'read' })).ownerDied, null)
    })
  }

  for (const [how, end] of /** @type {Array<[string, (lock: RWLock) => unknown]>} */ ([
    ['a function that writes throws', (lock) => lock.write(fail)],
    ['a function that writes rejects', (lock) => lock.write(async () => fail())],
    [
      'an upgradable that became the writer throws',
      (lock) => lock.upgradable((guard) => guard.upgrade().then(fail)),
    ],
    ['a reader returns', (lock) => lock.read(() => {})],
    ['an upgradable returns', (lock) => lock.upgradable(() => {})],
    ['an upgradable downgrades', async (lock) => lock.upgradable((guard) => guard.downgrade())],
    ['a writer that waited gives up', (lock) => timesOutBehindReader(lock)],
  ])) {
    test(`ownerDied stays set when ${how}`, ['upgradable', 'ownerDied', 'processes'], async (t) => {
      const ref = newRef(t)
      const lock = open(t, ref)
      const died = await dieInside(t, ref)
      await Promise.resolve()
        .then(() => end(lock))
        .catch((error) => t.is(error.message, 'failed on purpose'))
      t.deepEqual((await lock.inspect()).ownerDied, died)
      t.deepEqual(await lock.write(({ ownerDied }) => ownerDied), died)
      t.is((await lock.inspect()).ownerDied, null)
    })
  }

  test('a function that throws does not set ownerDied', ['upgradable', 'ownerDied'], async (t) => {
    const ref = newRef(t)
    const lock = open(t, ref)
    await t.throwsAsync(lock.write(fail), { message: 'failed on purpose' })
    await t.throwsAsync(
      lock.upgradable((guard) => guard.upgrade().then(fail)),
      { message: 'failed on purpose' },
    )
    t.is(await lock.read(({ ownerDied }) => ownerDied), null)
  })

  test(
    'a write that was closed before its function ran does not clear ownerDied',
    ['ownerDied', 'processes'],
    async (t) => {
      const ref = newRef(t)
      const lock = open(t, ref)
      const died = await dieInside(t, ref)
      const closing = open(t, ref)
      const reading = await closing.acquireRead()
      const writing = closing.write(() => t.fail('the lock is closed'))
      void reading.release() // grants the write
      closing.close()
      await t.throwsAsync(writing, { code: 'ERR_LOCK_CLOSED' })
      t.deepEqual((await lock.acquireRead()).ownerDied, died)
    },
  )

  test('a guard keeps the ownerDied of its grant', ['ownerDied', 'processes'], async (t) => {
    const ref = newRef(t)
    const lock = open(t, ref)
    const died = await dieInside(t, ref)
    const guard = await lock.acquireRead()
    await guard.release()
    await lock.write(() => {})
    t.deepEqual(guard.ownerDied, died)
  })

  test(
    'later deaths of readers, upgradables and waiters do not change ownerDied',
    ['upgradable', 'ownerDied', 'processes'],
    async (t) => {
      const ref = newRef(t)
      const lock = open(t, ref)
      const died = await dieInside(t, ref)
      for (const mode of ['read', 'upgradable']) {
        const victim = await otherProcess(t)
        await victim.ask('hold', { ref, mode })
        await victim.kill()
        t.deepEqual(await lock.upgradable(({ ownerDied }) => ownerDied), died)
      }
      if (!waitsEnd) return
      const victim = await otherProcess(t)
      const guard = await lock.acquireUpgradable()
      victim.tell('hold', { ref, mode: 'write' })
      await queued(lock, victim)
      await victim.kill()
      await guard.release()
      t.deepEqual(await lock.upgradable(({ ownerDied }) => ownerDied), died)
    },
  )

  test(
    'ownerDied is the latest of several writers that died during a hold',
    ['ownerDied', 'processes'],
    async (t) => {
      const ref = newRef(t)
      const lock = open(t, ref)
      for (let i = 0; i < 4; i++) {
        const died = await dieInside(t, ref)
        t.deepEqual(await lock.read(({ ownerDied }) => ownerDied), died)
      }
    },
  )

  for (const [kind, makeRef] of refs) {
    test(
      `ownerDied outlasts the last close of the lock (opened by ${kind})`,
      ['ownerDied', 'processes'],
      async (t) => {
        const ref = makeRef(t)
        const lock = open(t, ref)
        const died = await dieInside(t, ref)
        await lock.close()
        for (let i = 0; i < 2; i++) {
          const later = open(t, ref)
          t.deepEqual(await later.read(({ ownerDied }) => ownerDied), died)
          await later.close()
        }
        const child = await otherProcess(t)
        t.deepEqual((await child.ask('hold', { ref, mode: 'write' })).ownerDied, died)
        await child.ask('release')
        await child.ask('close')
        t.is(await open(t, ref).read(({ ownerDied }) => ownerDied), null)
      },
    )

    test(
      `ownerDied is reported after the only user of the lock died (opened by ${kind})`,
      ['ownerDied', 'processes'],
      async (t) => {
        const ref = makeRef(t)
        const victim = await otherProcess(t)
        const { token } = await victim.ask('hold', { ref, mode: 'write', options: { label: 'rebuild' } })
        await victim.kill()
        const lock = open(t, ref)
        await lock.read(({ ownerDied }) => {
          t.deepEqual(ownerDied, { pid: victim.pid, threadId: 0, label: 'rebuild', token, ...host })
        })
      },
    )
  }

  for (const what of ['process', 'thread']) {
    const owner = what === 'process' ? 'processes' : 'threads'
    const spawn = (t) => (what === 'process' ? otherProcess(t) : otherThread(t))

    /** @type {Array<[string, (victim: any) => unknown]>} */
    const ends = [
      ['calls process.exit()', (victim) => victim.tell('exit')],
      ['throws an uncaught error', (victim) => victim.tell('throw')],
      ['ends by itself', (victim) => victim.tell('finish')],
      what === 'thread'
        ? ['is terminated', (victim) => victim.terminate()]
        : ['is ended by SIGTERM', (victim) => victim.kill('SIGTERM')],
    ]
    for (const [how, end] of ends) {
      test(`a ${what} that ${how} during a write hold sets ownerDied`, ['ownerDied', owner], async (t) => {
        const ref = newRef(t)
        const lock = open(t, ref)
        const victim = await spawn(t)
        const { token } = await victim.ask('hold', {
          ref,
          mode: 'write',
          options: { label: 'rebuild' },
        })
        const waiting = lock.acquireWrite({ timeout: 10_000 })
        await queued(lock, { pid: process.pid })
        const exitedAt = victim.exited.then(() => performance.now())
        const toldAt = performance.now()
        end(victim)
        const guard = await waiting
        const grantedAt = performance.now()
        t.deepEqual(guard.ownerDied, {
          pid: victim.pid,
          threadId: victim.threadId ?? 0,
          label: 'rebuild',
          token,
          ...host,
        })
        t.true(guard.token > token)
        const exit = await exitedAt
        t.true(grantedAt - exit < afterDeath(exitDetection, [exit - toldAt]))
        if (how === 'throws an uncaught error') {
          await waitFor(() => /thrown on command/.test(victim.error?.message ?? victim.stderr))
        }
      })

      test(
        `a ${what} that ${how} during a read hold, an upgradable hold or a wait does not set ownerDied`,
        ['upgradable', 'ownerDied', owner],
        async (t) => {
          for (const mode of ['read', 'upgradable', 'waits']) {
            if (mode === 'waits' && !waitsEnd) continue
            const ref = newRef(t)
            const lock = open(t, ref)
            const victim = await spawn(t)
            if (mode === 'waits') {
              await lock.write(async () => {
                victim.tell('hold', { ref, mode: 'write' })
                await queued(lock, victim)
                // Its pending wait would keep it alive, so it closes the lock instead.
                if (how === 'ends by itself') return victim.tell('close')
                end(victim)
                await victim.exited
              })
            } else {
              await victim.ask('hold', { ref, mode })
              end(victim)
              await victim.exited
            }
            await lock.write(({ ownerDied }) => t.is(ownerDied, null, mode), { timeout: 10_000 })
            await lock.close()
          }
        },
      )
    }
  }

  test(
    'the death of a thread during a hold does not end the holds of other threads',
    ['upgradable', 'ownerDied', 'threads'],
    async (t) => {
      const ref = newRef(t)
      const lock = open(t, ref)
      const [victim, sibling] = [await otherThread(t), await otherThread(t)]
      await sibling.ask('open', { ref })
      const { token } = await victim.ask('hold', { ref, mode: 'write' })
      const answer = sibling.ask('acquireRead')
      await queued(lock, sibling)
      await victim.terminate()
      t.like((await answer).ownerDied, { pid: process.pid, threadId: victim.threadId, token })
      t.is(await lock.tryWrite(), null)
      t.deepEqual(
        (await lock.inspect()).holders.map(({ threadId }) => threadId),
        [sibling.threadId],
      )
    },
  )

  /**
   * Kills a process during a write hold.
   *
   * @param {import('./engines.js').Test} t
   * @param {any} ref
   */
  async function dieInside(t, ref) {
    const victim = await otherProcess(t)
    const label = `victim ${victim.pid}`
    const { token } = await victim.ask('hold', { ref, mode: 'write', options: { label } })
    await victim.kill()
    return { pid: victim.pid, threadId: 0, label, token, ...host }
  }

  function fail() {
    throw new Error('failed on purpose')
  }

  /** @param {RWLock} lock */
  async function timesOutBehindReader(lock) {
    const guard = await lock.acquireUpgradable()
    await lock.write(() => {}, { timeout: 20 }).catch(() => {})
    await guard.release()
  }
})
