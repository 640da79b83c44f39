// ls, show, top and doctor of the command line, over the locks in a database.

import { spawnSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import pg from 'pg'
import { PostgresLocks } from 'process-rwlock/postgres'
import { runHere } from '../cli/here.js'
import { runCli } from '../cli/process.js'
import { cleanUp } from '../helpers/cleanup.js'
import { testUnless, waitFor } from '../helpers/index.js'
import { queued } from '../helpers/observe.js'
import { freePort } from '../helpers/postgres/ports.js'
import { noPostgres } from '../helpers/postgres/programs.js'
import { sharedServer } from '../helpers/postgres/shared.js'
import { spawnChild } from '../helpers/process.js'

const test = testUnless(noPostgres)
const engine = new URL('./programs/engine.js', import.meta.url)

/** @typedef {import('ava').ExecutionContext<any>} Test */

/** Locks in a schema of their own, and the arguments that name it. @param {Test} t */
async function setUp(t) {
  const connectionString = await sharedServer()
  const schema = `rwlock_${randomUUID().slice(0, 8)}`
  cleanUp(t, 'files', async () => {
    const client = new pg.Client({ connectionString })
    await client.connect()
    await client.query(`drop schema if exists ${schema} cascade`)
    await client.end()
  })
  const locks = new PostgresLocks({ connectionString, schema, label: 'the test' })
  cleanUp(t, 'locks', () => locks.close())
  await locks.migrate()
  return { locks, args: ['--postgres', connectionString, '--schema', schema] }
}

/** @param {string[]} args */
async function json(...args) {
  return JSON.parse((await runHere([...args, '--json'])).stdout)
}

test('ls and show: holders, waiters, their machine, and the value', async (t) => {
  const { locks, args } = await setUp(t)
  t.deepEqual(await runHere(['ls', ...args]), {
    code: 0,
    stdout: '',
    stderr: 'process-rwlock: there are no locks\n',
  })
  const lock = locks.open('orders/42')
  const guard = await lock.acquireWrite({ label: 'import' })
  await guard.setValue('page 7')
  // A request of the same process would not be in the database: it waits in the queue of its process.
  const waiter = await spawnChild(t, {
    engine,
    env: { PROCESS_RWLOCK_TEST_POSTGRES_OPTIONS: JSON.stringify({ schema: args[3] }) },
  })
  await waiter.ask('open', { ref: 'orders/42' })
  waiter.tell('acquireRead')
  const [listed, ...others] = await waitFor(async () => {
    const all = await json('ls', ...args)
    return all[0].contended && all
  })
  t.deepEqual(others, [])
  t.like(listed, { name: 'orders/42', path: null, status: 'held', mode: 'write', capacity: null, file: null })
  t.is(listed.token, String(guard.token))
  t.like(listed.holders, [{ pid: process.pid, localPid: process.pid, host: hostname(), label: 'import' }])
  t.like(listed.waiters, [{ pid: waiter.pid, localPid: waiter.pid, mode: 'read' }])
  const { stdout } = await runHere(['ls', ...args])
  t.regex(stdout, new RegExp(`^orders/42 +write +${process.pid} 'import' `, 'm'))
  const page = (await runHere(['show', ...args, 'orders/42'])).stdout
  t.regex(page, /state +held for write by pid \d+; 1 request waits/)
  t.regex(page, /value +"page 7" \(6 bytes\), set by pid/)
  t.regex(page, new RegExp(`Held by\n  pid ${process.pid} 'import' {2}write for `))
  t.notRegex(page, /lock file|memory|limits/)
  waiter.kill()
  await guard.release()
  await waitFor(async () => (await lock.inspect()).holders.length === 0)
  // Nobody counts who has it open.
  t.regex((await runHere(['show', ...args, 'orders/42'])).stdout, /state +free\n/)
})

test('show neither creates a lock nor takes a path', async (t) => {
  const { locks, args } = await setUp(t)
  const missing = await runHere(['show', ...args, 'missing'])
  t.deepEqual(missing, { code: 1, stdout: '', stderr: "process-rwlock: there is no lock 'missing'\n" })
  t.deepEqual(await locks.list(), [])
  t.is((await runCli(t, ['show', ...args, '--path', 'x'])).code, 64)
  t.is((await runCli(t, ['doctor', ...args, '--path', 'x'])).code, 64)
  t.is((await runCli(t, ['ls', '--schema', 'x'])).code, 64)
})

/** A process with another host name. */
const FAR = [
  ...(process.getuid?.() === 0 ? [] : ['--user', '--map-root-user']),
  '--uts',
  'sh',
  '-c',
  'hostname far; exec "$0" "$@"',
]
const canBeFar = spawnSync('unshare', [...FAR, 'true']).status === 0

testUnless(noPostgres || (!canBeFar && 'no UTS namespaces here'))(
  'a holder on another machine is named with it, and not looked up here',
  async (t) => {
    const { locks, args } = await setUp(t)
    const child = await spawnChild(t, {
      engine,
      env: { PROCESS_RWLOCK_TEST_POSTGRES_OPTIONS: JSON.stringify({ schema: args[3] }) },
      execPath: 'unshare',
      execArgv: [...FAR, process.execPath],
    })
    // One that had to wait has a session, and others see its label.
    const lock = locks.open('x')
    const writer = await lock.acquireWrite()
    const held = child.ask('hold', { ref: 'x', mode: 'read', options: { label: 'import' } })
    await queued(lock, child)
    await writer.release()
    await held
    const [{ holders }] = await json('ls', ...args)
    t.like(holders, [{ pid: child.pid, host: 'far', localPid: null, command: null, state: null }])
    t.regex((await runHere(['ls', ...args])).stdout, new RegExp(`^x +read +${child.pid}@far 'import' `, 'm'))
    t.regex(
      (await runHere(['show', ...args, 'x'])).stdout,
      new RegExp(`  pid ${child.pid} on far 'import' {2}read for `),
    )
    child.stop()
    t.true((await json('doctor', ...args)).ok)
    child.resume()
  },
)

test('top: the rate of write holds, and no rate of waits, which nobody counts', async (t) => {
  const { locks, args } = await setUp(t)
  const lock = locks.open('orders/42')
  await lock.write(() => {})
  let running = true
  const writes = (async () => {
    while (running) await lock.write(() => {})
  })()
  const { code, stdout, stderr } = await runCli(t, [
    'top',
    ...args,
    '--json',
    '--frames',
    '1',
    '--interval',
    '1',
  ])
  running = false
  await writes
  t.is(code, 0, stderr)
  const { locks: seen } = JSON.parse(stdout)
  t.is(seen.length, 1)
  t.is(seen[0].name, 'orders/42')
  t.true(seen[0].writesPerSecond > 0)
  t.is(seen[0].waitsPerSecond, null)
})

test('doctor: a database that cannot be reached, one without the schema, and a dead writer', async (t) => {
  const { locks, args } = await setUp(t)
  t.like(await json('doctor', ...args), {
    ok: true,
    checks: [{ name: 'database', status: 'ok', text: '0 locks' }],
  })

  const url = `postgres://127.0.0.1:${await freePort()}/x`
  const { code, stdout } = await runCli(t, ['doctor', '--postgres', url])
  t.is(code, 1)
  t.regex(stdout, /^problem {2}database\n/)
  t.regex(stdout.replace(/\s+/g, ' '), /remedy: as the message says; more: https:\S*#err_lock_unavailable/)
  t.regex(stdout, /^unknown {2}dead writers +not checked: see database$/m)

  const listed = await runCli(t, ['ls', '--postgres', url])
  t.is(listed.code, 69)
  t.regex(listed.stderr, /^process-rwlock: PostgreSQL at 127\.0\.0\.1:\d+\/x: [^\n]*\n$/)

  const [missing] = (await json('doctor', args[0], args[1], '--schema', 'no_such_schema')).checks
  t.is(missing.status, 'problem')
  t.regex(missing.findings[0].text, /the schema is not installed in this database: call locks\.migrate\(\)/)

  const child = await spawnChild(t, {
    engine,
    env: { PROCESS_RWLOCK_TEST_POSTGRES_OPTIONS: JSON.stringify({ schema: args[3] }) },
  })
  await child.ask('hold', { ref: 'orders/42', mode: 'write', options: { label: 'import' } })
  await child.kill()
  const [finding] = await waitFor(async () => {
    const { checks } = await json('doctor', ...args)
    return checks.find(({ name, status }) => name === 'owner-died' && status === 'problem')?.findings
  })
  t.regex(finding.text, /^lock 'orders\/42': pid \d+.* died while it held the lock for write/)
  t.regex(finding.remedy, /\(guard\.ownerDied\)$/)
  await locks.open('orders/42').write(() => {})
  t.true((await json('doctor', ...args)).ok)
})

testUnless(noPostgres)('doctor: a holder on this machine that is stopped', async (t) => {
  const { args } = await setUp(t)
  const child = await spawnChild(t, {
    engine,
    env: { PROCESS_RWLOCK_TEST_POSTGRES_OPTIONS: JSON.stringify({ schema: args[3] }) },
  })
  await child.ask('hold', { ref: 'x', mode: 'write' })
  child.stop()
  const { checks } = await waitFor(async () => {
    const result = await json('doctor', ...args)
    return !result.ok && result
  })
  const { findings } = checks.find(({ name }) => name === 'stopped-holders')
  t.regex(
    findings[0].text,
    new RegExp(`^pid ${child.pid} .*is stopped by a signal or a debugger; it has held lock 'x'`),
  )
  child.resume()
})
