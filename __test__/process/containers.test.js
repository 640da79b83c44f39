// Containers: processes of different PID namespaces, with equal pids, share a lock by a file.
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import ava from 'ava'
import {
  afterDeath,
  median,
  openLock,
  test as run,
  spawnChild,
  spawnNode,
  tempDir,
} from '../helpers/index.js'
import { queued } from '../helpers/observe.js'
import { SEED } from '../helpers/random.js'
import { SharedRecord } from '../helpers/shared-record.js'

/** Each process has a PID namespace, which ends with `unshare`. */
const UNSHARE = [
  // Without privileges, as the root of a user namespace of its own.
  ...(process.getuid?.() === 0 ? [] : ['--user', '--map-root-user']),
  ...['--pid', '--fork', '--mount-proc', '--kill-child'],
]
const probe = spawnSync('unshare', [...UNSHARE, 'true'], { encoding: 'utf8' })
const possible = probe.status === 0

/** @type {typeof run} */
const test = possible
  ? run
  : (title) => ava.skip(`${title} (no pid namespaces here: ${probe.error ?? probe.stderr.trim()})`, () => {})

test('processes that are all pid 1 exclude each other', async (t) => {
  const lock = openLock(t, { path: join(tempDir(t), 'lock') })
  const [a, b] = [await spawnContained(t), await spawnContained(t)]
  for (const [first, second] of [
    [a, b],
    [b, a],
  ]) {
    await first.ask('open', { ref: lock.toJSON() })
    await second.ask('open', { ref: lock.toJSON() })
    await first.ask('acquireWrite')
    t.like(lock.inspect().holders, [{ pid: 1, threadId: 0, mode: 'write' }])
    for (const op of ['tryRead', 'tryWrite', 'tryUpgradable']) t.is(await second.ask(op), null)
    const error = await t.throwsAsync(second.ask('acquireWrite', { options: { timeout: 50 } }), {
      code: 'ERR_LOCK_TIMEOUT',
    })
    t.regex(error.message, /held for write by pid 1 /)
    await first.ask('release')
    await first.ask('acquireRead')
    t.is((await second.ask('acquireRead')).mode, 'read')
    t.is(lock.tryWrite(), null)
    await first.ask('release')
    await second.ask('release')
    await first.ask('close')
    await second.ask('close')
  }
})

test('a waiter in one container is woken from another', async (t) => {
  const lock = openLock(t, { path: join(tempDir(t), 'lock') })
  const [a, b] = [await spawnContained(t), await spawnContained(t)]
  for (const child of [a, b]) await child.ask('open', { ref: lock.toJSON() })
  for (const op of [
    'acquireWrite',
    'acquireRead',
    'acquireUpgradable',
    'acquireWriteSync',
    'acquireReadSync',
  ]) {
    await a.ask('acquireWrite')
    const answer = b.ask(op)
    await queued(lock, { pid: 1 })
    const start = performance.now()
    await a.ask('release')
    t.is((await answer).ownerDied, null)
    t.true(performance.now() - start < 5000)
    await b.ask('release')
  }
})

test('a waiter in one container is granted, with ownerDied, when the holder in another is killed', async (t) => {
  const lock = openLock(t, { path: join(tempDir(t), 'lock') })
  const survivor = await spawnContained(t)
  await survivor.ask('open', { ref: lock.toJSON() })
  const times = []
  const exits = []
  for (const mode of ['write', 'read', 'upgradable', 'write', 'write']) {
    const victim = await spawnContained(t)
    const { token } = await victim.ask('hold', { ref: lock.toJSON(), mode, options: { label: 'rebuild' } })
    const answer = survivor.ask('acquireWrite')
    await queued(lock, { pid: 1 })
    const start = performance.now()
    const end = victim.kill().then(() => exits.push(performance.now() - start))
    const { ownerDied } = await answer
    times.push(performance.now() - start)
    await end
    t.deepEqual(ownerDied, mode === 'write' ? { pid: 1, threadId: 0, label: 'rebuild', token } : null)
    await survivor.ask('release')
  }
  const shown = times.map((time) => time.toFixed(1)).join(', ')
  t.log(`median ${median(times).toFixed(1)} ms of ${shown}`)
  // The kernel ends the namespace first, process by process.
  t.true(median(times) < afterDeath(100, exits), `${shown} ms`)
})

test('a live pid 1 and a dead pid 1 are not mistaken for each other', async (t) => {
  const lock = openLock(t, { path: join(tempDir(t), 'lock') })
  const [holder, victim, survivor] = [
    await spawnContained(t),
    await spawnContained(t),
    await spawnContained(t),
  ]
  await holder.ask('hold', { ref: lock.toJSON(), mode: 'read' })
  await victim.ask('hold', { ref: lock.toJSON(), mode: 'read' })
  await survivor.ask('open', { ref: lock.toJSON() })
  await victim.kill()
  await t.throwsAsync(survivor.ask('acquireWrite', { options: { timeout: 200 } }), {
    code: 'ERR_LOCK_TIMEOUT',
  })
  await holder.ask('release')
  t.is((await survivor.ask('acquireWrite')).mode, 'write')
})

test('containers lose no write to shared data', async (t) => {
  const dir = tempDir(t)
  const [path, page] = [join(dir, 'lock'), join(dir, 'page')]
  const record = new SharedRecord(page)
  const children = [0, 1, 2, 3].map((actor) => {
    const job = { ref: { path }, page, actor, seed: SEED, tasks: 2 }
    return spawnNode(
      t,
      new URL('./programs/random-actor.js', import.meta.url),
      [JSON.stringify(job)],
      actor < 3 ? CONTAINED : {},
    )
  })
  await Promise.all(children.map((child) => child.next('ready')))
  record.go()
  await new Promise((resolve) => setTimeout(resolve, 1500))
  record.stop()
  const reports = (await Promise.all(children.map((child) => child.next('report')))).flatMap(
    ({ reports }) => reports,
  )
  t.deepEqual(
    reports.flatMap(({ violations }) => violations),
    [],
    `SEED=${SEED}`,
  )
  t.is(
    record.value,
    reports.reduce((sum, { writes }) => sum + writes, 0),
    `SEED=${SEED}`,
  )
})

const CONTAINED = { execPath: 'unshare', execArgv: [...UNSHARE, process.execPath] }

function spawnContained(t) {
  return spawnChild(t, CONTAINED)
}
