// Several copies of the package in one thread: symbolic and hard links, tsx and the like that mix
// `import` and `require()`, resets of a module registry, vm contexts. Each copy settles its own
// requests, and a grant that no copy claims is returned.
import { copyFileSync, cpSync, linkSync, mkdirSync, readdirSync, symlinkSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import {
  openLock,
  spawnChild,
  spawnNode,
  tempDir,
  test,
  timeoutFactor,
  uniqueName,
  waitFor,
} from '../helpers/index.js'
import { evaluate } from './evaluate.js'
import { opening } from './opening.js'

const { binding } = await import(new URL('../../dist/shared-memory/binding.js', import.meta.url).href)
const root = fileURLToPath(new URL('../../', import.meta.url))
const script = new URL('./programs/uses-copies.js', import.meta.url)
const addon = readdirSync(root).find((file) => /^process-rwlock\..*\.node$/.test(file)) ?? ''

/**
 * Loads the package from another directory.
 *
 * @param {import('ava').ExecutionContext<any>} t
 * @param {(from: string, to: string) => void} place how its addon gets there
 * @returns {Promise<typeof import('process-rwlock')>}
 */
async function installed(t, place) {
  const directory = join(tempDir(t), 'node_modules', 'process-rwlock')
  mkdirSync(directory, { recursive: true })
  cpSync(join(root, 'dist'), join(directory, 'dist'), { recursive: true })
  cpSync(join(root, 'package.json'), join(directory, 'package.json'))
  place(join(root, addon), join(directory, addon))
  const entry = createRequire(join(directory, 'package.json')).resolve('process-rwlock')
  return import(pathToFileURL(entry).href)
}

/**
 * A hard link, or a copy if the directories are on different file systems: that is another addon.
 */
function hardLink(/** @type {string} */ from, /** @type {string} */ to) {
  try {
    linkSync(from, to)
  } catch (error) {
    if (error.code !== 'EXDEV') throw error
    copyFileSync(from, to)
  }
}

/** @type {Record<string, (t: import('ava').ExecutionContext<any>) => any>} */
const WAYS = {
  'a symbolic link to the addon': (t) => installed(t, (from, to) => symlinkSync(from, to)),
  'a hard link of the addon, as of pnpm and bun': (t) => installed(t, hardLink),
  'another copy of the addon': (t) => installed(t, (from, to) => copyFileSync(from, to)),
  'a module registry that was reset': async () => evaluate(),
}

for (const [way, load] of Object.entries(WAYS)) {
  test(`${way}: loading a second copy does not affect the waits of the first`, async (t) => {
    const lock = openLock(t)
    const holder = await spawnChild(t)
    const { guard } = await holder.ask('hold', { ref: lock.toJSON(), mode: 'write' })
    const early = lock.read(() => 'granted')
    await load(t)
    const late = lock.write(() => 'granted, too')
    await waitFor(() => lock.inspect().waiters.length === 2)
    await holder.ask('release', { guard })
    t.deepEqual(await Promise.all([early, late]), ['granted', 'granted, too'])
    t.deepEqual(lock.inspect().holders, [])
  })

  test(`${way}: the waits of both copies are settled, whichever copy releases`, async (t) => {
    const lock = openLock(t)
    const { RWLock } = await load(t)
    const other = new RWLock(lock.toJSON())
    const holder = await spawnChild(t)
    // Another process, this copy, that copy.
    for (const turn of ['process', 'this', 'that']) {
      const held =
        turn === 'process'
          ? (await holder.ask('hold', { ref: lock.toJSON(), mode: 'write' })).guard
          : (turn === 'this' ? lock : other).tryWrite()
      const waits = [
        lock.read(() => 'this'),
        other.read(() => 'that'),
        lock.write(() => 'this'),
        other.write(() => 'that'),
        other.acquireWrite({ timeout: 1 }).catch(({ code }) => code),
        lock.acquireWrite({ timeout: 1 }).catch(({ code }) => code),
      ]
      t.deepEqual(await Promise.all(waits.slice(4)), ['ERR_LOCK_TIMEOUT', 'ERR_LOCK_TIMEOUT'])
      if (turn === 'process') await holder.ask('release', { guard: held })
      else held.release()
      t.deepEqual(await Promise.all(waits.slice(0, 4)), ['this', 'that', 'this', 'that'], turn)
    }
    other.close()
    t.deepEqual(lock.inspect().holders, [])
  })
}

test('a wait is granted by the release of another copy, even if only this wait keeps the process alive', async (t) => {
  const child = spawnNode(t, script, ['alive', uniqueName(t)])
  await child.next('granted')
  t.deepEqual(await child.exited, { code: 0, signal: null })
})

test('closing the handle of one copy does not affect the holds and waits of others', async (t) => {
  const lock = openLock(t)
  const other = new (evaluate().RWLock)(lock.toJSON())
  const guard = lock.tryWrite()
  const waits = [other.acquireRead().catch(({ code }) => code), lock.acquireRead()]
  other.close()
  t.is(await waits[0], 'ERR_LOCK_CLOSED')
  t.is(lock.inspect().holders[0].mode, 'write')
  guard?.release()
  const read = /** @type {import('process-rwlock').Guard} */ (await waits[1])
  t.is(read.mode, 'read')
  read.release()
})

test('the label of a hold is shown again after a later hold of another copy has ended', (t) => {
  const lock = openLock(t)
  const other = new (evaluate().RWLock)(lock.toJSON())
  const shown = () => /** @type {string | undefined} */ (lock.inspect().holders[0]?.label)
  /** @type {import('process-rwlock').Guard[]} */
  const ends = []
  return (async () => {
    for (const [of, label] of /** @type {const} */ ([
      [lock, 'first'],
      [other, 'second'],
      [lock, 'third'],
    ])) {
      ends.push(await of.acquireRead({ label }))
      t.is(shown(), label)
    }
    ends[1].release()
    t.is(shown(), 'third')
    ends[2].release()
    t.is(shown(), 'first')
    other.close()
    t.is(shown(), 'first')
    ends[0].release()
    t.is(shown(), undefined)
  })()
})

// ---- unclaimed grants

/** A copy that handles outcomes by `claim`, and has `name` open. */
function copyThat(name, claim) {
  const copy = binding.register(claim)
  const object = {}
  const { handle, attachment } = binding.open(copy.number, object, opening(name))
  const close = () => binding.close(copy.number, handle)
  return { copy, object, attachment, close }
}

/** @param {import('process-rwlock').RWLock} lock */
const nameOf = (lock) => /** @type {{ name: string }} */ (lock.toJSON()).name

const [READ, UPGRADABLE, WRITE] = [1, 2, 3]
const NEVER = Number.POSITIVE_INFINITY

for (const [what, claim] of /** @type {[string, any][]} */ ([
  ['does not know', () => false],
  ['answers wrongly', () => undefined],
])) {
  for (const [mode, code] of Object.entries({ read: READ, upgradable: UPGRADABLE, write: WRITE })) {
    test(`a grant for ${mode} that its copy ${what} is returned`, async (t) => {
      const lock = openLock(t)
      const { copy, attachment, close } = copyThat(nameOf(lock), claim)
      // Immediately.
      binding.request(copy.number, 1, attachment, code, NEVER, 0, false)
      t.deepEqual(lock.inspect(), { ...lock.inspect(), holders: [], waiters: [] })
      // From a call of this thread.
      const guard = lock.tryWrite()
      binding.request(copy.number, 2, attachment, code, NEVER, 0, false)
      const next = lock.acquireWrite()
      guard?.release()
      // It does not delay the requests behind it.
      ;(await next).release()
      // From the event loop.
      const holder = await spawnChild(t)
      const { guard: held } = await holder.ask('hold', { ref: lock.toJSON(), mode: 'write' })
      binding.request(copy.number, 3, attachment, code, NEVER, 0, false)
      await holder.ask('release', { guard: held })
      await waitFor(() => lock.inspect().waiters.length === 0 && lock.inspect().holders.length === 0)
      close()
    })
  }
}

test('a claim that throws is repeated by the event loop, then reported, and the grant is returned', async (t) => {
  const name = uniqueName(t)
  const child = spawnNode(t, new URL('./programs/throws-in-claim.js', import.meta.url), [name])
  const { calls, errors, holders } = await child.next('thrown')
  t.deepEqual(calls, [1, 1])
  t.deepEqual(errors, ['claim'])
  t.deepEqual(holders, [])
  t.deepEqual(await child.exited, { code: 0, signal: null })
})

test('an undelivered grant is returned when its request is withdrawn', async (t) => {
  const lock = openLock(t)
  for (const code of [READ, UPGRADABLE, WRITE]) {
    const { copy, attachment, close } = copyThat(nameOf(lock), () => {
      throw new Error('not now')
    })
    const request = binding.request(copy.number, 1, attachment, code, NEVER, 0, false)
    t.is(lock.inspect().holders.length, 1)
    binding.cancel(attachment, request)
    binding.advance(attachment)
    t.deepEqual(lock.inspect().holders, [])
    close()
  }
})

test('an unclaimed upgrade leaves an upgradable hold, and ownerDied stays set', async (t) => {
  const name = uniqueName(t)
  const lock = openLock(t, name)
  const doomed = await spawnChild(t)
  await doomed.ask('hold', { ref: name, mode: 'write' })
  await doomed.kill()
  t.is(
    (await lock.acquireUpgradable().then((guard) => [guard.ownerDied, guard.release()]))[0]?.pid,
    doomed.pid,
  )
  const { copy, attachment, close } = copyThat(name, () => false)
  t.not(binding.tryUpgradable(attachment), 0)
  binding.requestUpgrade(copy.number, 1, attachment, NEVER)
  t.like(lock.inspect(), { holders: [{ mode: 'upgradable' }], ownerDied: { pid: doomed.pid } })
  binding.returnGrant(attachment, UPGRADABLE)
  t.like(lock.inspect(), { holders: [], ownerDied: { pid: doomed.pid } })
  close()
})

test('with no stack left, a release ends its hold, and the next request is granted', async (t) => {
  const lock = openLock(t)
  for (let turn = 0; turn < 20; turn++) {
    const guard = await lock.acquireWrite()
    const next = lock.acquireWrite()
    let deepest = true
    const descend = () => {
      try {
        descend()
      } catch (error) {
        if (!(error instanceof RangeError)) throw error
      }
      // From the deepest frame up, until it succeeds.
      if (!deepest) return
      try {
        guard.release()
        deepest = false
      } catch (error) {
        if (!(error instanceof RangeError)) throw error
      }
    }
    descend()
    t.true(guard.released)
    ;(await next).release()
  }
  t.deepEqual(lock.inspect().holders, [])
})

/**
 * Calls `act` in each frame, from the deepest that fits on the stack, until it has succeeded
 * `enough` times.
 *
 * @param {() => void} act
 */
function fromTheEndOfTheStack(act, enough = 1) {
  let left = enough
  const descend = () => {
    try {
      descend()
    } catch (error) {
      if (!(error instanceof RangeError)) throw error
    }
    if (left === 0) return
    try {
      act()
      left--
    } catch (error) {
      if (!(error instanceof RangeError)) throw error
    }
  }
  descend()
}

test('with no stack left, a wait that cannot begin rejects, and is never granted later', async (t) => {
  const lock = openLock(t)
  for (let turn = 0; turn < 5; turn++) {
    const guard = await lock.acquireWrite()
    /** @type {Promise<any>[]} */
    const waits = []
    fromTheEndOfTheStack(() => {
      waits[waits.length] = lock.acquireWrite()
    }, 1000)
    const ends = Promise.allSettled(waits.map((wait) => wait.then((guard) => guard.release())))
    guard.release()
    for (const end of await ends) {
      if (end.status === 'rejected') t.is(end.reason.constructor, RangeError)
    }
    t.deepEqual(lock.inspect().holders, [])
    t.deepEqual(lock.inspect().waiters, [])
  }
})

for (const method of ['readSync', 'writeSync']) {
  test(`with no stack left, ${method}(fn) leaves no hold`, async (t) => {
    const lock = openLock(t)
    for (let turn = 0; turn < 20; turn++) {
      fromTheEndOfTheStack(() => {
        try {
          lock[method](() => {})
        } catch (error) {
          if (error.code !== 'ERR_LOCK_DEADLOCK') throw error // caused by the frame below, until the next turn
        }
      }, 1000)
      await null
      t.deepEqual(lock.inspect().holders, [])
    }
  })
}

for (const [what, acquire, change] of /** @type {[string, (lock: any) => any, (guard: any) => void][]} */ ([
  ['a downgrade to read', (lock) => lock.tryWrite(), (guard) => guard.downgrade()],
  ['a downgrade to upgradable', (lock) => lock.tryWrite(), (guard) => guard.downgrade('upgradable')],
  ['an upgrade of a read hold', (lock) => lock.tryRead(), (guard) => guard.tryUpgrade()],
  ['an upgrade of an upgradable hold', (lock) => lock.tryUpgradable(), (guard) => guard.tryUpgrade()],
])) {
  test(`with no stack left, ${what} leaves a hold that can be released`, (t) => {
    const lock = openLock(t)
    for (let turn = 0; turn < 40; turn++) {
      const guard = acquire(lock)
      let frame = 0
      // In one frame only, to detect partial success.
      const descend = () => {
        try {
          descend()
        } catch (error) {
          if (!(error instanceof RangeError)) throw error
        }
        if (frame++ !== turn) return
        try {
          change(guard)
        } catch (error) {
          if (!(error instanceof RangeError)) throw error
        }
      }
      descend()
      t.false(guard.released)
      t.deepEqual(
        lock.inspect().holders.map(({ mode }) => mode),
        [guard.mode],
      )
      guard.release()
      t.deepEqual(lock.inspect().holders, [])
    }
  })
}

test('with no stack left, an acquisition that throws leaves no hold', async (t) => {
  const lock = openLock(t)
  for (const acquire of [
    () => lock.tryRead(),
    () => lock.tryWrite(),
    () => lock.tryUpgradable(),
    () => lock.acquireReadSync(),
  ]) {
    /** @type {import('process-rwlock').Guard[]} */
    const guards = []
    const descend = () => {
      try {
        descend()
      } catch (error) {
        if (!(error instanceof RangeError)) throw error
      }
      if (guards.length > 0) return
      let guard
      try {
        guard = acquire()
      } catch (error) {
        if (!(error instanceof RangeError)) throw error
      }
      if (guard) guards[0] = guard
    }
    descend()
    t.is(lock.inspect().holders.length, 1)
    guards[0].release()
    t.deepEqual(lock.inspect().holders, [])
  }
})

for (const method of ['read', 'write', 'upgradable']) {
  test(`with no stack left, ${method}(fn) that does not reach fn leaves no hold`, async (t) => {
    const lock = openLock(t)
    /** @type {Promise<string>[]} */
    const runs = []
    let through = false
    const descend = () => {
      try {
        descend()
      } catch (error) {
        if (!(error instanceof RangeError)) throw error
      }
      if (through) return
      try {
        runs[runs.length] = lock[method](() => 'ran', { timeout: 5000 })
        through = runs.length > 20
      } catch (error) {
        if (!(error instanceof RangeError)) throw error
      }
    }
    descend()
    const ends = await Promise.allSettled(runs)
    for (const end of ends) if (end.status === 'rejected') t.is(end.reason.constructor, RangeError)
    t.deepEqual(lock.inspect().holders, [])
    t.deepEqual(lock.inspect().waiters, [])
  })
}

// ---- garbage collection

test('vm contexts that used the package are collected, and their locks close', async (t) => {
  t.timeout(60_000 * timeoutFactor)
  const child = spawnNode(t, script, ['contexts', uniqueName(t)], { execArgv: ['--expose-gc'] })
  // Its hold stays after the context is collected; a context with a wait is kept until the wait
  // ends.
  const kinds = ['closed', 'holds', 'nothing', 'open', 'settled']
  t.deepEqual((await child.next('gone', { bound: 30_000 })).kinds, kinds)
  t.like(await child.next('left', { bound: 15_000 }), { write: true, holders: 1 })
  await child.next('done')
  t.deepEqual(await child.exited, { code: 0, signal: null })
})

test('a collected vm context that loaded the package leaves no more memory than one that did not', async (t) => {
  t.timeout(60_000 * timeoutFactor)
  const child = spawnNode(t, script, ['memory', uniqueName(t), '30'], { execArgv: ['--expose-gc'] })
  const { bare, loaded } = await child.next('measured', { bound: 50_000 })
  t.log(
    `heap ${bare.heap.toFixed(2)} and ${loaded.heap.toFixed(2)} MB, RSS ${bare.rss.toFixed(2)} and ${loaded.rss.toFixed(2)} MB`,
  )
  // The content of each context takes 2 MB.
  t.true(loaded.heap - bare.heap < 0.5, `${loaded.heap} and ${bare.heap} MB`)
  t.true(loaded.rss - bare.rss < 1, `${loaded.rss} and ${bare.rss} MB`)
})

test('200 copies from resets of a module registry are all collected, and their lock closes', async (t) => {
  const name = uniqueName(t)
  const child = spawnNode(t, script, ['resets', name, '200'], { execArgv: ['--expose-gc'] })
  t.like(await child.next('gone', { bound: 20_000 }), { gone: 200 })
  t.deepEqual(await child.exited, { code: 0, signal: null })
})
