// What the diagnostics channels say of synchronous calls, and what NODE_DEBUG prints. The rest is
// in contract/diagnostics.test.js.
import { subscribe, tracingChannel, unsubscribe } from 'node:diagnostics_channel'
import { openLock, spawnChild, spawnNode, spawnThread, test, uniqueName } from '../helpers/index.js'
import { queued } from '../helpers/observe.js'

/** Records the events of a lock. @param {any} t @param {object} lock */
function record(t, lock) {
  /** @type {Array<[string, any]>} */
  const events = []
  const on = (name) => (message) => message.lock === lock && events.push([name, { ...message }])
  const handlers = Object.fromEntries(
    ['start', 'end', 'asyncStart', 'asyncEnd', 'error'].map((name) => [name, on(name)]),
  )
  const acquisitions = tracingChannel('process-rwlock:acquire')
  acquisitions.subscribe(/** @type {any} */ (handlers))
  t.teardown(() => acquisitions.unsubscribe(/** @type {any} */ (handlers)))
  for (const name of ['release', 'contended']) {
    const handler = on(name)
    subscribe(`process-rwlock:${name}`, handler)
    t.teardown(() => unsubscribe(`process-rwlock:${name}`, handler))
  }
  return events
}

const namesOf = (events) => events.map(([name]) => name)

test('synchronous acquisitions have the events of a synchronous call', (t) => {
  const lock = openLock(t)
  const events = record(t, lock)
  const token = lock.writeSync((guard) => {
    t.deepEqual(namesOf(events), ['start', 'end'])
    return guard.token
  })
  t.deepEqual(namesOf(events), ['start', 'end', 'release'])
  t.like(events[1][1], { mode: 'write', token, holders: undefined })
  t.like(events[2][1], { mode: 'write', token })
  events.length = 0
  const guard = lock.tryUpgradable()
  t.true(guard?.tryUpgrade())
  guard?.release()
  t.deepEqual(namesOf(events), ['start', 'end', 'start', 'end', 'release'])
  t.like(events[3][1], { mode: 'write', upgrade: true })
  t.true(events[4][1].heldMs >= 0)
})

test('a synchronous wait is reported when it begins, and when it fails', async (t) => {
  const name = uniqueName(t)
  const lock = openLock(t, name)
  const child = await spawnChild(t)
  await child.ask('hold', { ref: name, mode: 'write', options: { label: 'rebuild' } })
  const events = record(t, lock)
  const error = t.throws(() => lock.readSync(() => t.fail(), { timeout: 30 }), { code: 'ERR_LOCK_TIMEOUT' })
  t.deepEqual(namesOf(events), ['start', 'contended', 'error', 'end'])
  t.like(events[1][1].holders, [{ pid: child.pid, label: 'rebuild' }])
  t.is(events[2][1].error, error)
  t.true(events[2][1].waitedMs >= 25)
})

test('a release has no event if nobody subscribed when the hold began', (t) => {
  const lock = openLock(t)
  const guard = lock.tryWrite()
  const events = record(t, lock)
  guard?.release()
  t.deepEqual(events, [])
})

test('a nested call of a re-entrant lock is an acquisition with a release of its own', async (t) => {
  const lock = openLock(t, uniqueName(t), { reentrant: true })
  const events = record(t, lock)
  const modes = () =>
    events.splice(0).flatMap(([name, { mode }]) => (/start|rel/.test(name) ? [`${name} ${mode}`] : []))
  await lock.write(() => lock.read(async () => {}))
  t.deepEqual(modes(), ['start write', 'start read', 'release read', 'release write'])
  const open = lock.write(() => new Promise(() => {}))
  open.catch(() => {})
  await new Promise((resolve) => setTimeout(resolve, 20))
  lock.close()
  t.deepEqual(modes(), ['start write', 'release write'])
})

test('the error of a traced wait has the stack of its caller', async (t) => {
  const lock = openLock(t)
  record(t, lock)
  const guard = lock.tryWrite()
  async function theCaller() {
    await lock.read(() => t.fail(), { timeout: 20 })
  }
  const error = await t.throwsAsync(theCaller(), { code: 'ERR_LOCK_TIMEOUT' })
  t.regex(`${error?.stack}`, /theCaller/)
  guard?.release()
})

test('NODE_DEBUG=process-rwlock prints what happens, once, with the thread', async (t) => {
  const name = uniqueName(t)
  const program = new URL('./programs/prints-debug.js', import.meta.url)
  const child = spawnNode(t, program, [name], { env: { NODE_DEBUG: 'process-rwlock' } })
  t.like(await child.exited, { code: 0 })
  const ms = String.raw`\d+\.\d{3} ms`
  const lock = `lock '${name}'`
  const expected = [
    `${lock}: read \\('a report'\\) granted after ${ms}, token \\d+`,
    `${lock}: write not granted`,
    `${lock}: write waits: held for read by pid ${child.pid} \\('a report'\\) for \\d+ ms`,
    `${lock}: write failed after ${ms}: ERR_LOCK_TIMEOUT: ${lock} was not granted .*`,
    `${lock}: read \\('a report'\\) released after ${ms}`,
    `${lock}: upgradable granted after ${ms}, token \\d+`,
    `${lock}: upgrade to write granted after ${ms}, token \\d+`,
    `${lock}: write released after ${ms}`,
    `thread 1: ${lock}: read granted after ${ms}, token \\d+`,
    `thread 1: ${lock}: read released after ${ms}`,
  ]
  const lines = child.stderr.trim().split('\n')
  t.is(lines.length, expected.length, child.stderr)
  for (const [index, line] of expected.entries()) {
    t.regex(lines[index] ?? '', new RegExp(`^PROCESS-RWLOCK ${child.pid}: ${line}$`))
  }
})

test('NODE_DEBUG is a list of sections, in any case, and with wildcards', async (t) => {
  const program = new URL('./programs/prints-debug.js', import.meta.url)
  for (const NODE_DEBUG of ['x,PROCESS-RWLOCK', 'process-*', '*wlock x']) {
    const child = spawnNode(t, program, [uniqueName(t)], { env: { NODE_DEBUG } })
    t.like(await child.exited, { code: 0 })
    t.true(child.stderr.includes('PROCESS-RWLOCK'), NODE_DEBUG)
  }
})

test('nothing is printed without NODE_DEBUG, or with another section', async (t) => {
  const program = new URL('./programs/prints-debug.js', import.meta.url)
  for (const NODE_DEBUG of ['', 'net,tls', 'process', 'process-rwlock-x', '[']) {
    const child = spawnNode(t, program, [uniqueName(t)], { env: { NODE_DEBUG } })
    t.like(await child.exited, { code: 0 })
    t.false(child.stderr.includes('RWLOCK'), child.stderr)
  }
})

test('a thread that waits in a synchronous call is named by another thread of the circle', async (t) => {
  const [a, b] = [uniqueName(t), uniqueName(t)]
  const [blocked, other] = [await spawnThread(t), await spawnChild(t)]
  for (const ref of [a, b]) await blocked.ask('open', { ref })
  for (const ref of [b, a]) await other.ask('open', { ref })
  await blocked.ask('acquireWrite', { lock: 0 })
  await other.ask('acquireWrite', { lock: 0 })
  blocked.tell('acquireWriteSync', { lock: 1, options: { timeout: 15_000 } })
  await queued(openLock(t, b), blocked)
  other.tell('acquireWrite', { lock: 1 })
  const start = performance.now()
  let warnings = []
  while (warnings.length === 0 && performance.now() - start < 10_000) warnings = await other.ask('warnings')
  t.is(warnings[0]?.code, 'RWLOCK_DEADLOCK')
  t.true(warnings[0].message.includes(`pid ${process.pid}, thread ${blocked.threadId} (`))
})
