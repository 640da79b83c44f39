// The checks of the built package in another runtime: npm run smoke -- --runtime bun
//
//   RUNTIME smoke.js main NAME COUNTER     runs the checks with the lock of this name, and this file to count in
//   RUNTIME smoke.js ROLE NAME COUNTER     is one of their processes
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { subscribe, tracingChannel } from 'node:diagnostics_channel'
import { readFile, writeFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { setTimeout } from 'node:timers'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { isMainThread, Worker, workerData } from 'node:worker_threads'
import { RWLock } from '../../dist/index.js'
import { allowingSteals, steal } from '../../dist/steal.js'

const PEER_BOUND = 30_000 // the longest life of a process of the checks, in ms
const ROUNDS = 100

const script = fileURLToPath(import.meta.url)
// Options of the runtime may precede the script.
const [role, name, counter] = process.argv.slice(
  process.argv.findIndex((arg) => arg.endsWith('smoke.js')) + 1,
)

async function main() {
  const lock = new RWLock(name)
  const started = /** @type {Peer[]} */ ([])
  const start = (/** @type {string} */ role) => {
    const peer = new Peer(role)
    started.push(peer)
    return peer
  }
  try {
    const checks = [
      atOnce,
      nesting,
      waiting,
      givingUp,
      exclusion,
      death,
      stealing,
      threads,
      diagnostics,
      deadlock,
    ]
    for (const check of checks) {
      await check(lock, start)
      console.log(`ok ${check.name}`)
    }
  } finally {
    for (const { child, ended } of started) {
      child.kill('SIGKILL')
      await ended
    }
    lock.close()
  }
  assert.ok(!RWLock.list().some((each) => each.name === name), 'the lock is gone with its last user')
}

/** @typedef {(lock: RWLock, start: (role: string) => Peer) => Promise<void>} Check */

/** @type {Check} */
async function atOnce(lock) {
  const read = lock.tryRead()
  assert.equal(read?.mode, 'read')
  assert.equal(lock.tryWrite(), null)
  read.release()
  const write = lock.tryWrite()
  assert.equal(lock.tryRead(), null)
  assert.equal(typeof write?.token, 'bigint')
  write?.release()
  assert.equal(
    lock.readSync(() => 'sync'),
    'sync',
  )
  await lock.upgradable((guard) => guard.upgrade())
}

/** A re-entrant lock follows the asynchronous context of the runtime. @type {Check} */
async function nesting(lock) {
  const reentrant = new RWLock(name, { reentrant: true })
  /** @type {Promise<string> | undefined} */
  let late
  await reentrant.write(async ({ token }) => {
    await sleep(1)
    const nested = async (/** @type {{ token: bigint }} */ guard) => {
      await sleep(1)
      assert.equal(guard.token, token)
      assert.equal(
        reentrant.writeSync((inner) => inner.token),
        token,
      )
    }
    await Promise.all([reentrant.write(nested), reentrant.read(nested)])
    late = sleep(20).then(() => reentrant.write(() => 'late'))
  })
  await assert.rejects(
    reentrant.read(() => reentrant.write(() => {})),
    { code: 'ERR_LOCK_DEADLOCK' },
  )
  const guard = await lock.acquireWrite() // the timer fires while it is held, and must wait
  await until(() => lock.inspect().waiters.length > 0)
  guard.release()
  assert.equal(await late, 'late')
  reentrant.close()
}

/** Each of two processes waits for the other. @type {Check} */
async function waiting(lock, start) {
  const other = start('pass')
  await other.said('holds')
  assert.equal(lock.tryRead(), null)
  const guard = await lock.acquireRead() // the other process sees it, and releases
  assert.equal(guard.ownerDied, null)
  await until(() => lock.inspect().waiters.length > 0)
  guard.release()
  assert.equal(await other.ended, 'code 0') // with its lock still open
}

/** @type {Check} */
async function givingUp(lock) {
  const guard = lock.tryRead()
  await assert.rejects(lock.acquireWrite({ timeout: 20 }), { code: 'ERR_LOCK_TIMEOUT' })
  assert.throws(() => lock.writeSync(() => {}, { timeout: 20 }), { code: 'ERR_LOCK_DEADLOCK' })
  const controller = new AbortController()
  const wait = lock.acquireWrite({ signal: controller.signal })
  controller.abort(new Error('enough'))
  await assert.rejects(wait, /enough/)
  guard?.release()
}

/** @type {Check} */
async function exclusion(lock, start) {
  await writeFile(counter, '0')
  const others = [start('count'), start('count')]
  await count(lock)
  for (const { ended } of others) assert.equal(await ended, 'code 0')
  assert.equal(await readFile(counter, 'utf8'), String(ROUNDS * 3))
}

/** @type {Check} */
async function death(lock, start) {
  const other = start('hold')
  await other.said('holds')
  const wait = lock.acquireWrite()
  other.child.kill('SIGKILL') // happens only if the wait does not block
  const guard = await wait
  assert.equal(guard.ownerDied?.pid, other.child.pid)
  assert.equal(guard.ownerDied?.label, 'doomed')
  guard.release()
  assert.equal(await lock.read(({ ownerDied }) => ownerDied), null)
}

/** A process that sleeps inside its hold gives it up for another one. @type {Check} */
async function stealing(lock, start) {
  for (const role of ['stolen-read', 'stolen-write']) {
    const other = start(role)
    await other.said('holds')
    const guard = await steal(lock)
    assert.equal(await other.ended, 'code 0')
    guard.release()
  }
}

/** @type {Check} */
async function threads(lock) {
  const guard = await lock.acquireWrite()
  const worker = new Worker(new URL(import.meta.url), { workerData: name })
  const ended = new Promise((resolve, reject) => worker.once('exit', resolve).once('error', reject))
  await until(() => lock.inspect().waiters.length > 0)
  guard.release()
  assert.equal(await ended, 0)
}

/** @type {Check} */
async function diagnostics(lock) {
  /** @type {string[]} */
  const events = []
  const on = (event) => (message) => {
    if (message.lock === lock) events.push(event)
  }
  const acquisitions = tracingChannel('process-rwlock:acquire')
  const names = /** @type {const} */ (['start', 'end', 'asyncStart', 'asyncEnd', 'error'])
  const handlers = /** @type {any} */ (Object.fromEntries(names.map((event) => [event, on(event)])))
  acquisitions.subscribe(handlers)
  subscribe('process-rwlock:release', on('release'))
  subscribe('process-rwlock:contended', on('contended'))
  await lock.read(() => events.push('fn'))
  assert.equal(events.splice(0).join(), 'start,end,asyncStart,fn,release,asyncEnd')
  const guard = lock.tryRead()
  await assert.rejects(lock.acquireWrite({ timeout: 20 }), { code: 'ERR_LOCK_TIMEOUT' })
  guard?.release()
  assert.equal(events.join(), 'start,end,start,contended,end,error,asyncStart,asyncEnd,release')
  acquisitions.unsubscribe(handlers)
}

/** Another process holds the second lock and waits for the first. @type {Check} */
async function deadlock(lock, start) {
  const second = new RWLock(`${name}/second`)
  const guard = lock.tryWrite()
  const other = start('entangle')
  await until(() => lock.inspect().waiters.length > 0)
  const warned = new Promise((resolve) => process.once('warning', resolve))
  const controller = new AbortController()
  const wait = second.acquireWrite({ signal: controller.signal })
  const warning = await warned
  assert.equal(warning.code, 'RWLOCK_DEADLOCK')
  for (const part of [
    lock.inspect().name,
    `${name}/second`,
    `pid ${process.pid} `,
    `pid ${other.child.pid} `,
  ]) {
    assert.ok(warning.message.includes(part), warning.message)
  }
  controller.abort(new Error('enough'))
  await assert.rejects(wait, /enough/)
  guard?.release()
  assert.equal(await other.ended, 'code 0')
  second.close()
}

async function thread() {
  await new RWLock(workerData).read(() => {})
}

async function peer() {
  setTimeout(() => process.exit(9), PEER_BOUND).unref()
  const lock = new RWLock(name)
  if (role === 'count') return count(lock)
  if (role === 'entangle') return new RWLock(`${name}/second`).write(() => lock.write(() => {}))
  if (role.startsWith('stolen')) return stolen(role === 'stolen-read' ? 'acquireRead' : 'acquireWrite')
  const guard = await lock.acquireWrite({ label: 'doomed' })
  console.log('holds')
  if (role === 'hold') await sleep(PEER_BOUND)
  await until(() => lock.inspect().waiters.length > 0)
  guard.release()
  // A newcomer may overtake for a moment.
  await until(() => lock.inspect().holders.length > 0)
  await lock.write(() => {})
}

/** @param {'acquireRead' | 'acquireWrite'} acquire */
async function stolen(acquire) {
  const { signal } = await new RWLock(name, allowingSteals())[acquire]()
  console.log('holds')
  await new Promise((resolve, reject) => {
    const late = setTimeout(reject, PEER_BOUND, new Error('it was not told'))
    signal.addEventListener('abort', () => {
      clearTimeout(late)
      resolve(undefined)
    })
  })
  assert.equal(signal.reason.code, 'ERR_LOCK_LOST')
}

/** @param {RWLock} lock */
async function count(lock) {
  for (let round = 0; round < ROUNDS; round++) {
    await lock.write(async () => {
      const value = Number(await readFile(counter, 'utf8'))
      await writeFile(counter, String(value + 1))
    })
  }
}

class Peer {
  /** @param {string} role */
  constructor(role) {
    // The sandbox of Chromium needs permissions that CI machines do not give, and the checks do not
    // use it.
    const options = process.versions.electron ? ['--no-sandbox'] : []
    this.child = spawn(process.execPath, [...options, script, role, name, counter], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    this.ended = new Promise((resolve, reject) => {
      this.child.once('error', reject)
      this.child.once('exit', (code, signal) => resolve(signal ?? `code ${code}`))
    })
  }

  /** Resolves when it has printed the line, and rejects if it ends first. @param {string} line */
  said(line) {
    return new Promise((resolve, reject) => {
      createInterface({ input: this.child.stdout }).on('line', (said) => said === line && resolve(undefined))
      this.ended.then((end) => reject(new Error(`it ended with ${end} and never said "${line}"`)), reject)
    })
  }
}

/** @param {() => boolean} condition */
async function until(condition) {
  const deadline = performance.now() + PEER_BOUND
  while (!condition()) {
    assert.ok(performance.now() < deadline, `not in time: ${condition}`)
    await sleep(2)
  }
}

try {
  if (!isMainThread) await thread()
  else if (role === 'main') await main()
  else await peer()
} catch (error) {
  // Not thrown: Electron would show it in a window, and stay.
  console.error(error)
  process.exit(1)
}
// An Electron application must be ended. The others end by themselves, or fail the test if they do
// not.
if (process.versions.electron && isMainThread) process.exit(0)
