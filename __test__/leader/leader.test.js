// process-rwlock/leader: one of many processes leads, or is the only instance, and the others know which.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { RWLock } from 'process-rwlock'
import { lead, lockInfo, tryInstance } from 'process-rwlock/leader'
import {
  afterDeath,
  median,
  openLock,
  spawnNode,
  tempDir,
  test,
  uniqueName,
  waitFor,
} from '../helpers/index.js'
import { queued } from '../helpers/observe.js'

const CANDIDATE = new URL('./programs/candidate.js', import.meta.url)
const INSTANCE = new URL('./programs/instance.js', import.meta.url)

/** ms; locks have the beginning of a hold to a tick of a coarse clock. */
const TICK = 11

/** @param {Uint8Array | null | undefined} value */
const text = (value) => value && new TextDecoder().decode(value)

/** Named locks that exist. @param {string} name */
const exists = (name) => RWLock.list().some((lock) => lock.name === name)

/** @param {import('ava').ExecutionContext<any>} t */
function election(t) {
  const name = uniqueName(t)
  const log = join(tempDir(t), 'log')
  writeFileSync(log, '')
  return {
    name,
    lock: openLock(t, name),
    /** The terms so far. */
    terms: () =>
      readFileSync(log, 'utf8')
        .trim()
        .split('\n')
        .map((line) => ({ pid: Number(line.split(' ')[0]), token: BigInt(line.split(' ')[1] ?? 0) })),
    /** What a leader has seen of another one. */
    overlaps: () =>
      existsSync(`${log}.overlaps`) ? readFileSync(`${log}.overlaps`, 'utf8').split('\n') : [],
    /** @param {string} [value] */
    candidate: (value) => spawnNode(t, CANDIDATE, value === undefined ? [name, log] : [name, log, value]),
  }
}

// ---- lead()

test('one process leads; when it is killed, the next one leads and learns of it', async (t) => {
  const { lock, candidate } = election(t)
  const first = candidate('first')
  const { token, ownerDied } = await first.next('leads')
  t.is(ownerDied, undefined)
  const second = candidate('second')
  await waitFor(() => queued(lock, second))
  await first.kill()
  const term = await second.next('leads')
  t.is(term.ownerDied, first.pid)
  t.true(term.token > token)
})

test('when fn ends, the next one leads, and the last leader can wait again', async (t) => {
  const { lock, candidate } = election(t)
  const first = candidate('first')
  await first.next('leads')
  const second = candidate('second')
  await waitFor(() => queued(lock, second))
  first.send('hand over')
  t.is((await first.next('led')).end, 'hand over')
  t.is((await second.next('leads')).ownerDied, undefined)
  // Not before: it would lead again if the second did not come within 5 ms of its turn.
  first.send('again')
  await waitFor(() => queued(lock, first))
  second.send('quit')
  await second.next('led')
  await first.next('leads')
  t.deepEqual(await second.exited, { code: 0, signal: null })
})

test('of six candidates that are killed at random, one leads at a time', async (t) => {
  t.timeout(60_000)
  const { name, terms, overlaps, candidate } = election(t)
  const candidates = Array.from({ length: 6 }, (_, number) => candidate(`${number}`))
  for (let kill = 0; kill < 25; kill++) {
    // The leader in most cases, else anybody; a new one takes its place.
    await waitFor(() => lockInfo(name)?.value != null, { what: 'somebody leads' })
    const leader = candidates.findIndex(({ pid }) => pid === lockInfo(name)?.pid)
    const victim = leader === -1 || kill % 4 === 0 ? kill % 6 : leader
    const info = lockInfo(name)
    const number = candidates.findIndex(({ pid }) => pid === info?.pid)
    if (number !== -1 && info?.value) t.is(text(info.value), `${number}`)
    await sleep(Math.random() * 20)
    await candidates[victim]?.kill()
    candidates[victim] = candidate(`${victim}`)
  }
  await waitFor(() => candidates.some(({ pid }) => pid === lockInfo(name)?.pid))
  const all = terms()
  t.true(all.length >= 10, `${all.length} terms`)
  for (const [index, { token }] of all.entries()) t.true(index === 0 || token > (all[index - 1]?.token ?? 0n))
  t.deepEqual(overlaps(), [])
})

test('a waiting process takes over within milliseconds of the death of the leader', async (t) => {
  const { lock, candidate } = election(t)
  /** @type {number[]} */
  const times = []
  /** @type {number[]} */
  const exits = []
  let leader = candidate()
  await leader.next('leads')
  for (let kill = 0; kill < 9; kill++) {
    const next = candidate()
    await waitFor(() => queued(lock, next))
    const killed = performance.now()
    await leader.kill()
    const exited = performance.now()
    await next.next('leads')
    exits.push(exited - killed)
    times.push(performance.now() - exited)
    leader = next
  }
  t.true(median(times) < afterDeath(200, exits), `${times}`) // bench/workloads/recovery.js measures it
})

test('an abort ends the wait, and fn never runs', async (t) => {
  const name = uniqueName(t)
  const holder = openLock(t, name).tryWrite()
  const controller = new AbortController()
  const reason = new Error('not any more')
  const waiting = lead(name, () => t.fail(), { signal: controller.signal })
  const lock = openLock(t, name)
  await waitFor(() => lock.inspect().waiters.length === 1)
  controller.abort(reason)
  t.is(await t.throwsAsync(waiting), reason)
  t.is(await t.throwsAsync(lead(name, () => t.fail(), { signal: controller.signal })), reason)
  holder?.release()
  await lock.write(() => t.pass())
})

test('an abort while fn runs aborts its signal, and fn decides when it ends', async (t) => {
  const name = uniqueName(t)
  const controller = new AbortController()
  const reason = new Error('not any more')
  const led = lead(
    name,
    async (signal) => {
      t.false(signal.aborted)
      controller.abort(reason)
      t.true(signal.aborted)
      t.is(signal.reason, reason)
      await sleep(5)
      t.is(lockInfo(name)?.pid, process.pid)
      return 'done'
    },
    { signal: controller.signal },
  )
  t.is(await led, 'done')
  t.is(lockInfo(name), null)
  t.false(exists(name))
})

test('the signal aborts when the lead is lost', async (t) => {
  const lock = openLock(t)
  /** @type {AbortSignal | undefined} */
  let seen
  const led = lead(lock, (signal) => {
    seen = signal
    lock.close()
    return signal.aborted
  })
  t.true(await led)
  t.is(seen?.reason?.code, 'ERR_LOCK_CLOSED')
})

test('an error of fn passes on, and the next one leads', async (t) => {
  const name = uniqueName(t)
  const error = new Error('failed on purpose')
  const failing = lead(name, async () => {
    await sleep(1)
    throw error
  })
  const next = lead(name, () => 'next')
  t.is(await t.throwsAsync(failing), error)
  t.is(await next, 'next')
})

test('a lock that is open stays open', async (t) => {
  const lock = openLock(t)
  t.is(await lead(lock, (_, guard) => guard.mode), 'write')
  t.is(await lock.read(() => 'open'), 'open')
})

test('onOther is called for each leader, and when its value changes', async (t) => {
  const { candidate } = election(t)
  const first = candidate('http://127.0.0.1:1')
  await first.next('leads')
  const second = candidate('http://127.0.0.1:2')
  t.like(await second.next('other'), { pid: first.pid, value: 'http://127.0.0.1:1' })
  const third = candidate('http://127.0.0.1:3')
  t.like(await third.next('other'), { pid: first.pid })
  await first.kill()
  // The third one leads if the second does not come within 5 ms of its turn.
  const pairs = /** @type {const} */ ([
    [second, third, 'http://127.0.0.1:2'],
    [third, second, 'http://127.0.0.1:3'],
  ])
  const led = pairs.map(async (pair) => {
    await pair[0].next('leads')
    return pair
  })
  const [leader, other, its] = await Promise.race(led)
  const { pid, value } = await other.next('other')
  t.is(pid, leader.pid)
  if (value === null) t.like(await other.next('other'), { pid: leader.pid, value: its })
  else t.is(value, its)
})

test('onOther learns of a value that is set later, and not of the own one', async (t) => {
  const name = uniqueName(t)
  const guard = tryInstance(name)
  /** @type {unknown[]} */
  const seen = []
  const led = lead(name, () => sleep(300), { onOther: ({ pid }, value) => seen.push([pid, text(value)]) })
  await waitFor(() => seen.length === 1)
  guard?.setValue('a port')
  await waitFor(() => seen.length === 2)
  guard?.release()
  await led
  t.deepEqual(seen, [
    [process.pid, null],
    [process.pid, 'a port'],
  ])
})

for (const [how, fail] of /** @type {const} */ ([
  [
    'throws',
    (error) => {
      throw error
    },
  ],
  [
    'rejects',
    async (error) => {
      throw error
    },
  ],
])) {
  test(`an onOther that ${how} ends the wait`, async (t) => {
    const name = uniqueName(t)
    const guard = tryInstance(name)
    const error = new Error('failed on purpose')
    t.is(await t.throwsAsync(lead(name, () => t.fail(), { onOther: () => fail(error) })), error)
    guard?.release()
    t.false(exists(name))
  })
}

test('wrong arguments of lead() are refused', async (t) => {
  const name = uniqueName(t)
  const code = 'ERR_INVALID_ARG_TYPE'
  const fn = () => t.fail()
  await t.throwsAsync(lead(name, /** @type {any} */ (undefined)), { code, message: /^fn must/ })
  await t.throwsAsync(lead(/** @type {any} */ (1), fn), { code, message: /^ref must/ })
  for (const [option, wrong] of Object.entries({ signal: {}, label: 1, value: 1, onOther: 'x' })) {
    await t.throwsAsync(lead(name, fn, /** @type {any} */ ({ [option]: wrong })), {
      code,
      message: new RegExp(option),
    })
  }
  await t.throwsAsync(lead(name, fn, { value: 'x'.repeat(1025) }), { code: 'ERR_INVALID_ARG_VALUE' })
  t.false(exists(name))
})

// ---- tryInstance()

test('there is one instance, in any process, until its guard is released', async (t) => {
  const name = uniqueName(t)
  const guard = tryInstance(name, { value: 'here', label: 'the one' })
  t.is(guard?.mode, 'write')
  t.is(tryInstance(name), null)
  const other = spawnNode(t, INSTANCE, [name, 'there'])
  t.is((await other.next('started')).other, process.pid)
  t.like(lockInfo(name), { pid: process.pid, threadId: 0, label: 'the one' })
  t.is(text(lockInfo(name)?.value), 'here')
  guard?.release()
  t.is(lockInfo(name), null)
  t.false(exists(name))
  const again = tryInstance(name)
  t.is(again?.ownerDied, null)
  again?.release()
})

test('an instance whose guard is dropped stays one until its process is killed', async (t) => {
  const name = uniqueName(t)
  const first = spawnNode(t, INSTANCE, [name, 'first'], { execArgv: ['--expose-gc'] })
  t.is((await first.next('started')).ownerDied, null)
  first.send('collect')
  t.deepEqual((await first.next('collected')).warnings, [])
  t.is(tryInstance(name), null)
  t.is(text(lockInfo(name)?.value), 'first')
  await first.kill()
  t.is(lockInfo(name), null)
  const second = spawnNode(t, INSTANCE, [name, 'second'])
  t.is((await second.next('started')).ownerDied, first.pid)
})

test('a value that is too long makes no instance', (t) => {
  const name = uniqueName(t)
  t.throws(() => tryInstance(name, { value: 'x'.repeat(1025) }), { code: 'ERR_INVALID_ARG_VALUE' })
  for (const options of [{ value: 1 }, { label: 1 }, 1]) {
    t.throws(() => tryInstance(name, /** @type {any} */ (options)), { code: 'ERR_INVALID_ARG_TYPE' })
  }
  t.false(exists(name))
})

test('the lock of an instance closes when a yield of its guard fails', async (t) => {
  const name = uniqueName(t)
  const guard = tryInstance(name)
  const other = openLock(t, name)
  const next = other.acquireWrite()
  await t.throwsAsync(async () => guard?.yield({ timeout: 20 }), { code: 'ERR_LOCK_TIMEOUT' })
  const held = await next
  held.release()
  other.close()
  t.false(exists(name))
})

// ---- lockInfo()

test('lockInfo() creates nothing', (t) => {
  const name = uniqueName(t)
  t.is(lockInfo(name), null)
  t.false(exists(name))
  const path = join(tempDir(t), 'x.lock')
  t.is(lockInfo({ path }), null)
  t.false(existsSync(path))
  writeFileSync(path, '')
  t.is(lockInfo({ path }), null)
  t.is(readFileSync(path, 'utf8'), '')
  const other = join(tempDir(t), 'x.txt')
  writeFileSync(other, 'not a lock\n'.repeat(10))
  t.throws(() => lockInfo({ path: other }), { code: 'ERR_LOCK_CORRUPT' })
  t.throws(() => lockInfo(/** @type {any} */ (1)), { code: 'ERR_INVALID_ARG_TYPE' })
})

test('lockInfo() says who leads, since when, and its value, and never the value of an earlier one', async (t) => {
  for (const ref of [uniqueName(t), { path: join(tempDir(t), 'x.lock') }]) {
    const before = Date.now()
    const guard = tryInstance(ref, { label: 'first', value: 'http://127.0.0.1:1' })
    const granted = Date.now()
    await sleep(50)
    const asked = Date.now()
    const info = lockInfo(ref)
    const error = TICK + Date.now() - asked // it has its age from one clock, and the time from another
    t.like(info, { pid: process.pid, threadId: 0, label: 'first' })
    const since = Number(info?.since)
    t.true(
      since >= before - error && since <= granted + error,
      `${since}: ${before} to ${granted}, ± ${error}`,
    )
    t.is(text(info?.value), 'http://127.0.0.1:1')
    t.is(JSON.parse(JSON.stringify(info)).value, Buffer.from('http://127.0.0.1:1').toString('base64'))
    const keeper = openLock(t, ref) // keeps the value of the lock
    guard?.release()
    t.is(lockInfo(ref), null)
    const next = tryInstance(ref, { label: 'second' })
    t.is(text(keeper.inspect().value), 'http://127.0.0.1:1')
    t.like(lockInfo(ref), { label: 'second', value: null })
    next?.setValue('http://127.0.0.1:2')
    t.is(text(lockInfo(ref)?.value), 'http://127.0.0.1:2')
    next?.setValue(null)
    t.is(lockInfo(ref)?.value, null)
    next?.release()
  }
})
