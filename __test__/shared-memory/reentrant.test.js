// Re-entrant locks: synchronous calls, memory, and what only a lock in shared memory has.
import { subscribe, tracingChannel, unsubscribe } from 'node:diagnostics_channel'
import { setImmediate } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { RWLock } from 'process-rwlock'
import { allowingSteals } from '../../dist/steal.js'
import { childPool } from '../helpers/child-pool.js'
import { openLock, test, uniqueName, waitFor } from '../helpers/index.js'
import { isFree, never } from '../helpers/modes.js'

const pooledChild = childPool()

const BOUND = { timeout: 10_000 }

/** Two objects of one re-entrant lock. */
function openTwo(t, name = uniqueName(t)) {
  return [openLock(t, name, { reentrant: true }), openLock(t, name, { reentrant: true })]
}

/** Whether a call of this mode, from outside of every hold, is granted. */
function isGranted(lock, mode) {
  const guard = mode === 'read' ? lock.tryRead() : lock.tryWrite()
  guard?.release()
  return guard !== null
}

test('synchronous calls nest in synchronous ones: W-R-W, and to depth 4', (t) => {
  const [lock, outsider] = openTwo(t)
  const result = lock.writeSync((outer) =>
    lock.readSync((read) => {
      t.is(read.mode, 'read')
      return lock.writeSync(
        (write) =>
          lock.readSync((inner) => {
            t.is(write.mode, 'write')
            t.is(inner.token, outer.token)
            t.false(isGranted(outsider, 'read'))
            return 'depth 4'
          }, BOUND),
        BOUND,
      )
    }, BOUND),
  )
  t.is(result, 'depth 4')
  t.true(isFree(outsider))
})

test('readSync in readSync begins at once although a writer waits', async (t) => {
  const name = uniqueName(t)
  const [lock] = openTwo(t, name)
  const child = await pooledChild(t)
  await child.ask('open', { ref: name })
  let written
  await lock.read(async () => {
    written = child.ask('acquireWrite')
    await waitFor(() => lock.inspect().waiters.length === 1)
    const times = Array.from({ length: 5 }, () => {
      const begin = performance.now()
      t.is(
        lock.readSync(() => lock.readSync(() => 'nested')),
        'nested',
      )
      return performance.now() - begin
    })
    t.true(Math.min(...times) < 90, 'it did not wait for the grace period of other reads')
  })
  t.like(await written, { mode: 'write' })
})

test('writeSync in readSync is an error that keeps the read', (t) => {
  const [lock, outsider] = openTwo(t)
  lock.readSync((guard) => {
    t.throws(() => lock.writeSync(never, BOUND), {
      code: 'ERR_LOCK_DEADLOCK',
      message: /lock\.upgradable\(\)/,
    })
    t.false(guard.released)
    t.false(isGranted(outsider, 'write'))
    t.is(
      lock.readSync(() => 'read'),
      'read',
    )
  })
  t.true(isFree(outsider))
})

test('synchronous calls nest in asynchronous ones', async (t) => {
  const [lock, outsider] = openTwo(t)
  await lock.write(async (guard) => {
    t.is(
      lock.writeSync(({ token }) => lock.readSync(() => token), BOUND),
      guard.token,
    )
    await setImmediate()
    t.is(
      lock.readSync(() => 'nested', BOUND),
      'nested',
    )
    t.false(isGranted(outsider, 'read'))
  })
  await lock.read(() => t.throws(() => lock.writeSync(never, BOUND), { code: 'ERR_LOCK_DEADLOCK' }))
  t.true(isFree(outsider))
})

test('an asynchronous call in a synchronous one is outside of it', async (t) => {
  const [lock, outsider] = openTwo(t)
  let asynchronous
  lock.writeSync(() => {
    asynchronous = lock.write(() => 'after it')
    t.is(lock.inspect().waiters.length, 1)
  })
  t.is(await asynchronous, 'after it')
  await lock.write(async (guard) => {
    // In an asynchronous call around the synchronous one it is inside of that.
    await lock.writeSync(() => ({ inside: lock.write(({ token }) => t.is(token, guard.token), BOUND) }))
      .inside
  })
  t.true(isFree(outsider))
})

test('a synchronous call in an asynchronous one of the same hold sees the errors of both', async (t) => {
  const [lock, outsider] = openTwo(t)
  const error = new Error('broken')
  const failing = () => {
    throw error
  }
  await lock.write((guard) => {
    t.is(
      t.throws(() => lock.writeSync(() => lock.readSync(failing))),
      error,
    )
    t.false(guard.released)
  })
  t.throws(() => lock.writeSync(() => lock.writeSync(failing)), { is: error })
  t.throws(() => lock.writeSync(() => lock.readSync(async () => 'a promise')), {
    code: 'ERR_INVALID_ARG_VALUE',
  })
  t.true(isFree(outsider))
})

test('writeSync in upgradable excludes readers for its duration only', async (t) => {
  const [lock, outsider] = openTwo(t)
  await lock.upgradable((guard) => {
    lock.writeSync((write) => {
      t.is(write.mode, 'write')
      t.false(isGranted(outsider, 'read'))
      lock.writeSync(() => t.false(isGranted(outsider, 'read')))
      t.false(isGranted(outsider, 'read'))
    }, BOUND)
    t.is(guard.mode, 'upgradable')
    t.true(isGranted(outsider, 'read'))
    t.false(isGranted(outsider, 'write'))
  })
  t.true(isFree(outsider))
})

test('writeSync in upgradable blocks until the readers of other processes have left', async (t) => {
  const name = uniqueName(t)
  const [lock, outsider] = openTwo(t, name)
  const child = await pooledChild(t)
  await child.ask('open', { ref: name })
  await child.ask('acquireRead')
  await lock.upgradable((guard) => {
    const error = t.throws(() => lock.writeSync(never, { timeout: 30 }), { code: 'ERR_LOCK_TIMEOUT' })
    t.like(error, { holders: [{ mode: 'upgradable' }, { pid: child.pid, mode: 'read' }] })
    t.throws(() => lock.writeSync(never, { timeout: 0 }), { code: 'ERR_LOCK_TIMEOUT' })
    t.is(guard.mode, 'upgradable')
    child.tell('busy', { ms: 60 })
    child.tell('release')
    t.is(
      lock.writeSync(({ mode }) => mode, BOUND),
      'write',
    )
    t.true(isGranted(outsider, 'read'))
  })
  t.true(isFree(outsider))
})

test('writeSync in upgradable, behind a read hold of its own thread, is an error at once', async (t) => {
  const [lock, outsider] = openTwo(t)
  const reader = await outsider.acquireRead()
  await lock.upgradable(() => {
    t.throws(() => lock.writeSync(never, BOUND), { code: 'ERR_LOCK_DEADLOCK' })
  })
  reader.release()
  t.true(isFree(outsider))
})

test('writeSync in upgradable goes before a nested write that waits, which then runs', async (t) => {
  const name = uniqueName(t)
  const [lock, outsider] = openTwo(t, name)
  const child = await pooledChild(t)
  await child.ask('open', { ref: name })
  await child.ask('acquireRead')
  const order = []
  await lock.upgradable(async () => {
    const written = lock.write(() => order.push('write'), BOUND)
    await setImmediate()
    t.throws(() => lock.writeSync(never, { timeout: 20 }), { code: 'ERR_LOCK_TIMEOUT' })
    child.tell('busy', { ms: 60 })
    child.tell('release')
    lock.writeSync(() => order.push('writeSync'), BOUND)
    await written
  })
  t.deepEqual(order, ['writeSync', 'write'])
  t.true(isFree(outsider))
})

test('the option is checked', (t) => {
  t.throws(() => new RWLock(uniqueName(t), { reentrant: /** @type {any} */ (1) }), {
    code: 'ERR_INVALID_ARG_TYPE',
  })
  t.throws(() => new RWLock(uniqueName(t), /** @type {any} */ (null)), { code: 'ERR_INVALID_ARG_TYPE' })
})

test('a re-entrant lock does not allow steals', (t) => {
  t.throws(() => new RWLock(uniqueName(t), allowingSteals({ reentrant: true })), {
    code: 'ERR_INVALID_ARG_VALUE',
  })
})

test('the calls of one hold count as one reader', async (t) => {
  const name = uniqueName(t)
  const lock = openLock(t, name, { reentrant: true, maxReaders: 1 })
  await lock.read(() => lock.read(() => t.is(lock.inspect().holders[0]?.count, 1), BOUND))
  t.true(isFree(lock))
})

test('a recursion without end leaves no hold behind', async (t) => {
  for (const nest of [
    (lock, deeper) => lock.readSync(deeper),
    (lock, deeper) => lock.writeSync(deeper),
    (lock, deeper) => lock.writeSync(() => lock.readSync(deeper)),
  ]) {
    const [lock, outsider] = openTwo(t)
    let depth = 0
    const deeper = () => {
      depth++
      nest(lock, deeper)
    }
    t.throws(() => nest(lock, deeper), { instanceOf: RangeError })
    t.true(depth > 10)
    t.true(isFree(outsider))
    t.is(
      lock.writeSync(() => lock.readSync(() => 'afterwards')),
      'afterwards',
    )
  }
  const [lock, outsider] = openTwo(t)
  /** @type {Promise<any>[]} */
  const calls = []
  const overflow = () => {
    calls.push(lock.write(() => {}))
    overflow()
  }
  t.throws(overflow, { instanceOf: RangeError })
  await Promise.allSettled(calls)
  t.true(isFree(outsider))
})

// Functions of the module: a closure would keep the variables around it.
const runOn = () => setInterval(() => {}, 1000)

async function collect() {
  setFlagsFromString('--expose-gc')
  const gc = runInNewContext('gc')
  for (let turn = 0; turn < 5; turn++) {
    await setImmediate()
    gc()
  }
}

/** How many of these are left. @param {WeakRef<object>[]} references */
const left = (references) => references.filter((reference) => reference.deref() !== undefined).length

test('a context that runs on keeps neither the lock nor its holds', async (t) => {
  /** @type {WeakRef<object>[]} */
  const references = []
  /** @type {NodeJS.Timeout[]} */
  const timers = []
  await (async () => {
    const lock = new RWLock(uniqueName(t), { reentrant: true })
    references.push(new WeakRef(lock))
    await lock.write(async (guard) => {
      references.push(new WeakRef(guard))
      timers.push(runOn())
      await lock.read((nested) => {
        references.push(new WeakRef(nested))
        timers.push(runOn())
      })
    })
    lock.close()
  })()
  await collect()
  t.is(references.length, 3)
  t.is(left(references), 0)
  for (const timer of timers) clearInterval(timer)
})

test('calls that each begin in the one before, which ends meanwhile, do not make a chain', async (t) => {
  const locks = Array.from({ length: 3 }, () => openLock(t, uniqueName(t), { reentrant: true }))
  /** @type {WeakRef<object>[]} */
  const scopes = []
  let end = () => {}
  const last = new Promise((resolve) => {
    // Two calls overlap at each moment, so that a scope whose outer one lasts is passed on.
    const step = (index) => {
      const ended = locks[index % 3].read(async (guard) => {
        scopes.push(new WeakRef(/** @type {any} */ (guard).scope))
        if (index === 50) return new Promise((resolve) => (end = () => resolve(undefined)))
        await setImmediate()
        step(index + 1)
        await setImmediate()
      })
      if (index === 50) resolve(ended)
    }
    step(0)
  })
  await waitFor(() => scopes.length === 51)
  await collect()
  t.true(left(scopes) < 5, `${left(scopes)} of 51 scopes are left`)
  end()
  await last
})

test('each call is traced once, and closing ends its trace', async (t) => {
  /** @type {string[]} */
  const events = []
  const channel = tracingChannel('process-rwlock:acquire')
  const subscriber = {
    start: (/** @type {any} */ { mode, upgrade }) =>
      void events.push(`acquire ${mode}${upgrade ? ', upgrade' : ''}`),
  }
  const released = (/** @type {any} */ { mode }) => void events.push(`release ${mode}`)
  channel.subscribe(/** @type {any} */ (subscriber))
  subscribe('process-rwlock:release', released)
  t.teardown(() => {
    channel.unsubscribe(/** @type {any} */ (subscriber))
    unsubscribe('process-rwlock:release', released)
  })
  const [lock, second] = openTwo(t)
  const traced = async (call) => {
    events.length = 0
    await call()
    return [...events]
  }
  t.deepEqual(await traced(() => lock.upgradable(() => lock.write(() => lock.readSync(() => {})))), [
    'acquire upgradable',
    'acquire write',
    'acquire read',
    'release read',
    'release write',
    'release upgradable',
  ])
  const reader = second.tryRead()
  t.deepEqual(
    await traced(() =>
      lock.upgradable(async () => {
        setTimeout(() => reader?.release(), 5)
        await lock.write(() => {})
      }),
    ),
    ['acquire upgradable', 'acquire write', 'release read', 'release write', 'release upgradable'],
  )
  t.deepEqual(
    (
      await traced(() =>
        lock.write(async () => {
          await second.read(() => lock.close())
        }),
      )
    ).toSorted(),
    ['acquire read', 'acquire write', 'release read', 'release write'],
  )
})
