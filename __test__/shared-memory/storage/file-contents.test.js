// What a `{ path }` lock does with the content of its file, and with damage to the file while it is
// in use.
import { existsSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { LockError, RWLock } from 'process-rwlock'
import { linuxTest, openLock, spawnChild, spawnNode, tempDir, test, waitFor } from '../../helpers/index.js'
import { endOf, refused } from '../../helpers/refused.js'
import { AT, BYTES, GATE, noise, peek, poke, u32, u64 } from './layout.js'

const ADVICE = /remove|another path|other path/i
/** The time limit for a wait that cannot continue; far longer than it takes. */
const SOON = { bound: 5000 }

/** The bytes of a valid lock that is not open. */
function goodLock(t) {
  const path = join(tempDir(t), 'good.lock')
  const lock = new RWLock({ path })
  lock.tryWrite()?.release()
  lock.close()
  return readFileSync(path)
}

/** @param {Buffer} bytes @param {number} offset @param {Uint8Array} value */
function changed(bytes, offset, value) {
  const copy = Buffer.from(bytes)
  copy.set(value, offset)
  return copy
}

async function worksAsLock(t, path) {
  const lock = openLock(t, { path })
  const other = await spawnChild(t)
  await other.ask('open', { ref: { path } })
  const guard = lock.tryWrite()
  t.truthy(guard)
  t.is(await other.ask('tryWrite'), null)
  guard?.release()
  t.truthy(await other.ask('tryWrite'))
  t.is(lock.tryRead(), null)
  await other.ask('close')
  lock.close()
}

// ---- not open

test('the memory layout in these tests is that of the library', async (t) => {
  const path = join(tempDir(t), 'lock')
  const lock = openLock(t, { path })
  t.is(statSync(path).size, BYTES)
  t.is(readFileSync(path).toString('latin1', 0, 8), 'PRWLOCK1')
  t.is(peek(path, AT.gate) & GATE.mode, 0n)
  const write = await lock.acquireWrite()
  t.is(peek(path, AT.gate) & (GATE.mode | GATE.owner(0xfff)), GATE.writing | GATE.owner(0))
  t.is(peek(path, AT.lastToken), write.token)
  write.release()
  const upgradable = lock.tryUpgradable()
  t.is(peek(path, AT.gate) & GATE.mode, GATE.upgradable)
  upgradable?.release()
  const read = lock.tryRead()
  t.is(peek(path, AT.reads(0)) & 0xffff_ffffn, 1n)
  read?.release()
})

test('an empty file becomes a lock', async (t) => {
  const path = join(tempDir(t), 'empty')
  writeFileSync(path, '')
  await worksAsLock(t, path)
})

test('a file whose creator died before it was complete becomes a lock', async (t) => {
  const good = goodLock(t)
  const unfinished = Buffer.from('PRWLOCK0')
  const stages = {
    'the magic alone': unfinished,
    'some of the pages': Buffer.concat([unfinished, Buffer.alloc(4088)]),
    'all but the magic': changed(good, AT.magic, unfinished),
    'more than is needed': Buffer.concat([unfinished, noise(2 * BYTES)]),
    // The state after a loss of power shortly after the lock was created, for example on ext4.
    'zeros of its length': Buffer.alloc(BYTES),
    'zeros of the shortest lock': Buffer.alloc(3328 + 2 * 384 + 64),
  }
  for (const [stage, content] of Object.entries(stages)) {
    const path = join(tempDir(t), 'unfinished')
    writeFileSync(path, content)
    await t.notThrowsAsync(worksAsLock(t, path), stage)
    t.is(statSync(path).size, BYTES, stage)
  }
})

test('a file that is not a lock is refused with the reason, and not changed', async (t) => {
  const good = goodLock(t)
  const files = {
    'a single byte': 'P',
    'a lock cut off within its magic': good.subarray(0, 7),
    'a lock cut off after its magic': good.subarray(0, 8),
    'a lock cut off within its header': good.subarray(0, 100),
    'a lock without slots': good.subarray(0, 1024),
    'a lock of half its length': good.subarray(0, BYTES / 2),
    'a lock without its last byte': good.subarray(0, BYTES - 1),
    'a lock and one byte more': Buffer.concat([good, Buffer.alloc(1)]),
    'zeros by the block': Buffer.alloc(32_768),
    'a zero more than a lock has': Buffer.alloc(BYTES + 1),
    'few zeros': Buffer.alloc(8),
    'random bytes': noise(BYTES),
    'a text file': 'To be, or not to be\n'.repeat(2000),
    'a JSON file': JSON.stringify({ answer: 42 }),
    'a program': readFileSync(process.execPath).subarray(0, BYTES),
    'a lock with another magic': changed(good, AT.magic, Buffer.from('PRWLOCKX')),
    'a lock for no attachment': changed(good, AT.capacity, u32(0)),
    'a lock for too many attachments': changed(good, AT.capacity, u32(4096)),
    'a lock for 2^32-1 attachments': changed(good, AT.capacity, u32(0xffff_ffff)),
    'a lock for more attachments than it has room for': changed(good, AT.capacity, u32(129)),
    'a lock that says it is longer': changed(good, AT.bytes, u64(BigInt(2 * BYTES))),
  }
  for (const [what, content] of Object.entries(files)) {
    const path = join(tempDir(t), 'file')
    writeFileSync(path, content)
    const before = readFileSync(path)
    await refused(t, () => new RWLock({ path }), 'ERR_LOCK_CORRUPT', path, 'not a valid lock', ADVICE)
    await refused(t, () => new RWLock({ path }, { capacity: 7 }), 'ERR_LOCK_CORRUPT', path)
    t.deepEqual(readFileSync(path), before, what)
  }
})

test('remove() does not remove a file that is not a lock', async (t) => {
  for (const content of ['', 'my diary', Buffer.alloc(32_768), noise(BYTES)]) {
    const path = join(tempDir(t), 'file')
    writeFileSync(path, content)
    await refused(t, () => RWLock.remove({ path }), 'ERR_LOCK_CORRUPT', path)
    t.deepEqual(readFileSync(path), Buffer.from(content))
  }
})

test('remove() removes a file whose creator died before it was complete', (t) => {
  for (const content of ['PRWLOCK0', Buffer.alloc(BYTES)]) {
    const path = join(tempDir(t), 'unfinished')
    writeFileSync(path, content)
    t.true(RWLock.remove({ path }))
    t.false(existsSync(path))
  }
})

test('a lock of another version is refused with that reason, and not changed', async (t) => {
  const good = goodLock(t)
  const files = {
    'another layout version': changed(good, AT.layoutVersion, u32(0)),
    'a later layout version': changed(good, AT.layoutVersion, u32(1000)),
    'another layout hash': changed(good, AT.layoutHash, u64(1n)),
  }
  for (const [what, content] of Object.entries(files)) {
    const path = join(tempDir(t), 'file')
    writeFileSync(path, content)
    await refused(t, () => new RWLock({ path }), 'ERR_LOCK_INCOMPATIBLE', path, /version/, /remove/)
    t.deepEqual(readFileSync(path), content, what)
  }
})

test('a capacity different from that of the file is refused, and the error says what to do', async (t) => {
  const path = join(tempDir(t), 'lock')
  writeFileSync(path, goodLock(t))
  const before = readFileSync(path)
  await refused(
    t,
    () => new RWLock({ path }, { capacity: 5 }),
    'ERR_LOCK_INCOMPATIBLE',
    path,
    '128',
    '5',
    /omit the capacity/,
  )
  t.deepEqual(readFileSync(path), before)
})

test('after a refused file was removed, a lock can be created there', async (t) => {
  const path = join(tempDir(t), 'file')
  writeFileSync(path, noise(100))
  await refused(t, () => new RWLock({ path }), 'ERR_LOCK_CORRUPT')
  rmSync(path)
  await worksAsLock(t, path)
})

test('leftovers of a dead process in a file have no effect', async (t) => {
  const good = goodLock(t)
  const junk = Buffer.from(good)
  // Reads, requests and a held gate, all of unused slots.
  for (let slot = 0; slot < 129; slot++) {
    junk.set(u64((3n << 32n) | 2n), AT.reads(slot))
    junk.set(u64(3n | (BigInt(slot) << 20n)), AT.queued(slot))
  }
  junk.set(u32(129), AT.highWater)
  junk.set(u64(GATE.upgradable | GATE.owner(77)), AT.gate)
  const path = join(tempDir(t), 'lock')
  writeFileSync(path, junk, { mode: 0o600 })
  const lock = openLock(t, { path })
  const guard = await lock.acquireWrite({ timeout: 10_000 })
  t.is(guard.ownerDied, null)
  guard.release()
  t.deepEqual(lock.inspect().holders, [])
})

test('a file restored to an earlier state gives no token twice, and later tokens still grow', async (t) => {
  const path = join(tempDir(t), 'lock')
  openLock(t, { path }).close()
  // A lock created two years ago: tokens are Unix times in ns, too great for a number.
  const then = BigInt(Date.now() - 2 * 365 * 24 * 3_600_000) * 1_000_000n
  poke(path, AT.created, u64(then))
  poke(path, AT.lastToken, u64(then))
  const lock = openLock(t, { path })
  let last = (await lock.write((guard) => guard.token)) ?? 0n
  t.true(last > BigInt(Date.now() - 60_000) * 1_000_000n)
  const onDisk = readFileSync(path)
  for (let count = 0; count < 800; count++) {
    const guard = lock.tryWrite()
    t.is(guard?.token, last + 1n)
    last = guard?.token ?? 0n
    guard?.release()
  }
  lock.close()
  // A loss of power: none of this was written back.
  poke(path, 0, onDisk)
  const again = openLock(t, { path })
  t.true((await again.write((guard) => guard.token)) > last)
})

// ---- open

linuxTest(
  'a file damaged while in use is refused to newcomers, is not changed, and crashes no process',
  async (t) => {
    const good = goodLock(t)
    const damages = {
      zeroed: Buffer.alloc(BYTES),
      'overwritten at random': noise(BYTES),
      'replaced in place by a text': Buffer.alloc(BYTES, 'To be, or not to be\n'),
      'without its magic': changed(good, AT.magic, Buffer.from('PRWLOCKX')),
      'for another number of attachments': changed(good, AT.capacity, u32(2)),
    }
    const user = await spawnChild(t)
    for (const [what, content] of Object.entries(damages)) {
      const path = join(tempDir(t), 'lock')
      const lock = await user.ask('open', { ref: { path } })
      poke(path, 0, content)
      const before = readFileSync(path)
      await refused(t, () => new RWLock({ path }), 'ERR_LOCK_CORRUPT', path, ADVICE)
      t.deepEqual(readFileSync(path), before, what)
      await lives(t, user, lock)
    }
  },
)

/** The users of a damaged lock get answers: a hold, or an error of the contract. */
async function lives(t, user, lock) {
  const ends = ['done', 'ERR_LOCK_CORRUPT', 'ERR_LOCK_TIMEOUT']
  for (const op of ['tryRead', 'tryWrite', 'tryUpgradable', 'inspect']) {
    t.true(ends.includes(await endOf(user.ask(op, { lock }))), op)
  }
  for (const op of ['acquireRead', 'acquireWrite', 'acquireUpgradable']) {
    t.true(ends.includes(await endOf(user.ask(op, { lock, options: { timeout: 20 } }))), op)
  }
  t.true(ends.includes(await endOf(user.ask('close', { lock }))), 'close')
}

for (const [what, ruin] of /** @type {const} */ ([
  ['emptied', (path) => truncateSync(path, 0)],
  ['reset to the incomplete state', (path) => poke(path, 0, 'PRWLOCK0')],
])) {
  linuxTest(
    `a file ${what} while a writer holds is not created again, and no other holder is granted`,
    async (t) => {
      const path = join(tempDir(t), 'lock')
      const writer = await spawnChild(t)
      await writer.ask('hold', { ref: { path }, mode: 'write' })
      ruin(path)
      await refused(t, () => openLock(t, { path }), 'ERR_LOCK_CORRUPT', path)
    },
  )
}

linuxTest('a file truncated while in use is refused to newcomers', async (t) => {
  const path = join(tempDir(t), 'lock')
  const user = await spawnChild(t)
  await user.ask('open', { ref: { path } })
  // Within the first page, which stays mapped: beyond it the process would get a signal.
  truncateSync(path, 3000)
  await refused(t, () => new RWLock({ path }), 'ERR_LOCK_CORRUPT', path)
  t.is(statSync(path).size, 3000)
})

// ---- damage during a wait

for (const [what, gate] of /** @type {const} */ ([
  ['a mode that does not exist', GATE.unknown],
  ['an owner beyond the slots', GATE.writing | GATE.owner(4000)],
  ['only ones', 2n ** 64n - 1n],
])) {
  test(`a wait without a timeout rejects with ERR_LOCK_CORRUPT after the gate says ${what}`, async (t) => {
    const path = join(tempDir(t), 'lock')
    const [holder, waiter] = await Promise.all([spawnChild(t), spawnChild(t)])
    await holder.ask('hold', { ref: { path }, mode: 'write' })
    const lock = await waiter.ask('open', { ref: { path } })
    const asked = ['acquireWrite', 'acquireRead', 'acquireUpgradable'].map((op) =>
      refused(t, () => waiter.ask(op, { lock }, SOON), 'ERR_LOCK_CORRUPT', path),
    )
    await waitFor(async () => (await holder.ask('inspect')).waiters.length === 3)
    poke(path, AT.gate, u64(gate))
    await Promise.all(asked)
    t.true(['done', 'ERR_LOCK_CORRUPT'].includes(await endOf(holder.ask('release'))))
    await lives(t, waiter, lock)
  })
}

test('a synchronous wait throws ERR_LOCK_CORRUPT after the gate is damaged', async (t) => {
  const path = join(tempDir(t), 'lock')
  const [holder, waiter] = await Promise.all([spawnChild(t), spawnChild(t)])
  await holder.ask('hold', { ref: { path }, mode: 'write' })
  await waiter.ask('open', { ref: { path } })
  const asked = refused(t, () => waiter.ask('acquireWriteSync', {}, SOON), 'ERR_LOCK_CORRUPT', path)
  await waitFor(async () => (await holder.ask('inspect')).waiters.length === 1)
  poke(path, AT.gate, u64(GATE.unknown))
  await asked
})

test('a wait for a holder invented by damage ends in time', async (t) => {
  const path = join(tempDir(t), 'lock')
  const [holder, waiter] = await Promise.all([spawnChild(t), spawnChild(t)])
  await holder.ask('hold', { ref: { path }, mode: 'write' })
  const lock = await waiter.ask('open', { ref: { path } })
  for (const [what, offset, value] of /** @type {const} */ ([
    ['the waiter itself writes', AT.gate, GATE.writing | GATE.owner(1)],
    ['the waiter itself is upgradable', AT.gate, GATE.upgradable | GATE.owner(1)],
    ['the holder reads, many times', AT.reads(0), 2n ** 32n - 1n],
    ['the holder is first in the queue', AT.queued(0), 3n],
  ])) {
    poke(path, offset, u64(value))
    for (const op of ['acquireWriteSync', 'acquireWrite']) {
      const end = await endOf(waiter.ask(op, { lock, options: { timeout: 200 } }))
      t.true(['ERR_LOCK_TIMEOUT', 'ERR_LOCK_CORRUPT', 'ERR_LOCK_DEADLOCK'].includes(end), `${what}: ${end}`)
    }
  }
  await lives(t, waiter, lock)
})

test('readers and waiters invented by damage in unused slots are cleared', async (t) => {
  const path = join(tempDir(t), 'lock')
  const [holder, waiter] = await Promise.all([spawnChild(t), spawnChild(t)])
  await holder.ask('hold', { ref: { path }, mode: 'write' })
  const lock = await waiter.ask('open', { ref: { path } })
  const asked = waiter.ask('acquireWrite', { lock })
  for (let slot = 2; slot < 129; slot++) {
    poke(path, AT.reads(slot), u64(1n))
    poke(path, AT.queued(slot), u64(3n))
  }
  poke(path, AT.highWater, u32(0xffff_ffff))
  await holder.ask('release')
  t.is((await asked).mode, 'write')
})

test('a release with a damaged gate throws and leaves no hold', async (t) => {
  const path = join(tempDir(t), 'lock')
  const lock = openLock(t, { path })
  const damage = () => poke(path, AT.gate, u64(GATE.writing | GATE.owner(5)))
  const ends = {
    'a guard': async () => {
      const guard = await lock.acquireWrite()
      damage()
      guard.release()
    },
    'an upgradable guard': async () => {
      const guard = await lock.acquireUpgradable()
      damage()
      guard.release()
    },
    'a function': () => lock.write(damage),
    'an async function': () => lock.write(async () => damage()),
    'a function that throws': () =>
      lock.write(() => {
        damage()
        throw new Error('thrown in fn')
      }),
    'a synchronous function': () => lock.writeSync(damage),
  }
  for (const [what, end] of Object.entries(ends)) {
    const error = await refused(t, end, 'ERR_LOCK_CORRUPT', path)
    t.true(error instanceof LockError, what)
    poke(path, AT.gate, u64(0n))
    const guard = lock.tryWrite()
    t.truthy(guard, `${what} left a hold behind`)
    guard?.release()
  }
})

test('a downgrade with a damaged gate leaves no hold', async (t) => {
  const path = join(tempDir(t), 'lock')
  const lock = openLock(t, { path })
  const guard = await lock.acquireWrite()
  poke(path, AT.gate, u64(GATE.writing | GATE.owner(5)))
  await refused(t, () => guard.downgrade(), 'ERR_LOCK_CORRUPT', path)
  await endOf((async () => guard.release())())
  poke(path, AT.gate, u64(0n))
  const other = await spawnChild(t)
  await other.ask('open', { ref: { path } })
  t.truthy(await other.ask('tryWrite'), 'a hold was left behind')
})

test('an upgrade that is refused immediately rejects, and the hold stays upgradable', async (t) => {
  const path = join(tempDir(t), 'lock')
  const reader = await spawnChild(t)
  await reader.ask('hold', { ref: { path }, mode: 'read' })
  const guard = await openLock(t, { path }).acquireUpgradable()
  await refused(t, () => guard.upgrade({ timeout: 1e-6 }), 'ERR_LOCK_TIMEOUT', path)
  t.is(guard.mode, 'upgradable')
  await reader.ask('release')
  await guard.upgrade({ timeout: 10_000 })
  t.is(guard.mode, 'write')
})

test('random bytes written repeatedly into a lock in use neither crash nor hang a process', async (t) => {
  const path = join(tempDir(t), 'lock')
  openLock(t, { path }).close()
  const users = [1, 2, 3].map(() =>
    spawnNode(t, new URL('./programs/uses-damaged-lock.js', import.meta.url), [path]),
  )
  for (const user of users) await user.next('ready')
  const bytes = noise(64_000)
  let from = 0
  const end = performance.now() + 2000
  while (performance.now() < end) {
    // Not the first line: its damage is detected at open only.
    const word = 128 + (bytes.readUInt32LE(from) % (BYTES - 128 - 8))
    poke(path, Math.random() < 0.2 ? AT.gate : word & ~7, bytes.subarray(from + 4, from + 12))
    from = (from + 12) % (bytes.length - 12)
    await new Promise(setImmediate)
  }
  for (const user of users) user.send('stop')
  for (const user of users) {
    const { ends } = await user.next('stopped')
    t.log(JSON.stringify(ends))
    for (const end of Object.keys(ends)) {
      t.true(['done', 'null', 'ERR_LOCK_CORRUPT', 'ERR_LOCK_TIMEOUT'].includes(end), end)
    }
    t.deepEqual(await user.exited, { code: 0, signal: null })
  }
  rmSync(path)
  await worksAsLock(t, path)
})
