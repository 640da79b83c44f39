// ls, show and prune: what they say of locks, and of the processes that hold them or wait for them.
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { RWLock } from 'process-rwlock'
import { forFile } from 'process-rwlock/file'
import { childPool } from '../helpers/child-pool.js'
import {
  linuxTest,
  openLock,
  spawnChild,
  spawnThread,
  tempDir,
  test,
  uniqueName,
  waitFor,
} from '../helpers/index.js'
import { queued } from '../helpers/observe.js'
import { CONTAINED, containerTest } from './containers.js'
import { runHere } from './here.js'
import { useOwnDirectory } from './own-directory.js'
import { program, runCli } from './process.js'

const pooledChild = childPool()
// Its end comes after that of the children, which use it.
const directory = useOwnDirectory()

/** @typedef {import('ava').ExecutionContext<any>} Test */

/** @param {Test} t @param {...string} args */
async function json(t, ...args) {
  const { code, stdout, stderr } = await runHere([...args, '--json'])
  t.deepEqual({ code, stderr }, { code: 0, stderr: '' })
  return JSON.parse(stdout)
}

/** The row of `ls` for a lock, its blanks as one. @param {Test} t @param {string} name */
async function rowOf(t, name) {
  const { code, stdout } = await runHere(['ls'])
  t.is(code, 0)
  return stdout
    .split('\n')
    .find((line) => line.startsWith(`${name} `))
    ?.replace(/ {2,}/g, ' | ')
}

/** A process that died while it held the lock for write. @param {Test} t @param {string} name */
async function killedWriter(t, name) {
  const child = await spawnChild(t)
  await child.ask('hold', { ref: name, mode: 'write', options: { label: 'the dead' } })
  await child.kill()
  await waitFor(async () => (await json(t, 'ls')).some((lock) => lock.name === name && !lock.holders.length))
  return child.pid
}

test('without locks ls says so on standard error, and prints an empty list as JSON', async (t) => {
  t.deepEqual(await runCli(t, ['ls']), {
    code: 0,
    signal: null,
    stdout: '',
    stderr: `process-rwlock: this user has no named locks in ${directory} (PROCESS_RWLOCK_DIR)\n`,
  })
  t.deepEqual(await json(t, 'ls'), [])
})

test('ls prints a row for each lock: mode, holder, waiters', async (t) => {
  const [held, free] = [uniqueName(t), uniqueName(t)]
  openLock(t, free)
  const lock = openLock(t, held)
  const [writer, reader] = [await pooledChild(t), await pooledChild(t)]
  await writer.ask('hold', { ref: held, mode: 'write', options: { label: 'rebuild' } })
  await reader.ask('open', { ref: held })
  reader.tell('acquireRead', { options: { label: 'summary' } })
  await queued(lock, reader)
  t.regex(
    (await rowOf(t, held)) ?? '',
    new RegExp(`\\| write \\| ${writer.pid} 'rebuild' \\| .* m?s \\| 1 \\| .* m?s$`),
  )
  t.is(await rowOf(t, free), `${free} | free`)
  const locks = await json(t, 'ls')
  t.deepEqual(locks.map(({ name }) => name).sort(), [held, free].sort())
  const { holders, waiters, ...rest } = locks.find(({ name }) => name === held)
  t.like(rest, { path: null, status: 'held', mode: 'write', contended: true, ownerDied: null, error: null })
  t.like(holders, [{ pid: writer.pid, threadId: 0, mode: 'write', label: 'rebuild', foreign: false }])
  t.like(waiters, [{ pid: reader.pid, mode: 'read', label: 'summary', more: 0, skipped: false }])
  for (const { command } of [...holders, ...waiters]) t.regex(command, /child\.js/)
  t.is(rest.token, String(lock.inspect().token))
})

test('ls names the holder of longest standing, and counts the others', async (t) => {
  const name = uniqueName(t)
  const [first, second] = [await pooledChild(t), await pooledChild(t)]
  await first.ask('hold', { ref: name, mode: 'read', options: { label: 'first' } })
  await waitFor(async () => (await json(t, 'ls'))[0].holders[0].ms > 50)
  await second.ask('hold', { ref: name, mode: 'read', options: { label: 'second' } })
  t.regex((await rowOf(t, name)) ?? '', new RegExp(`\\| read \\| ${first.pid} \\+1 'first' \\|`))
})

linuxTest('ls and show mark a holder that is stopped', async (t) => {
  const name = uniqueName(t)
  const child = await pooledChild(t)
  await child.ask('hold', { ref: name, mode: 'write' })
  t.notRegex((await rowOf(t, name)) ?? '', /stopped/)
  child.stop()
  await waitFor(() => / T /.test(readFileSync(`/proc/${child.pid}/stat`, 'latin1')))
  t.regex((await rowOf(t, name)) ?? '', /\| stopped$/)
  const { stdout } = await runHere(['show', name])
  t.regex(stdout, new RegExp(`pid ${child.pid} .*write for .* {2}stopped\n`))
  child.resume()
})

linuxTest('ls marks a holder whose event loop is busy, if a request waits for it', async (t) => {
  const name = uniqueName(t)
  const lock = openLock(t, name)
  const [holder, waiter] = [await spawnChild(t), await pooledChild(t)]
  await holder.ask('hold', { ref: name, mode: 'write' })
  await waiter.ask('open', { ref: name })
  waiter.tell('acquireRead')
  await queued(lock, waiter)
  const idle = (await json(t, 'ls'))[0].holders[0]
  t.not(idle.busy, true)
  holder.tell('busy', { ms: 60_000 })
  await holder.next('busy')
  await waitFor(async () => (await json(t, 'ls'))[0].holders[0].busy)
  await waitFor(async () => / \| busy$/.test((await rowOf(t, name)) ?? ''))
  await holder.kill()
})

linuxTest('ls marks a holder in a worker thread that is busy, and not the idle main thread', async (t) => {
  const [ofThread, ofMain] = [uniqueName(t), uniqueName(t)]
  const [thread, waiter] = [await spawnThread(t), await pooledChild(t)]
  await thread.ask('hold', { ref: ofThread, mode: 'write' })
  const guard = await openLock(t, ofMain).acquireWrite()
  for (const [index, ref] of [ofThread, ofMain].entries()) {
    await waiter.ask('open', { ref })
    waiter.tell('acquireWrite', { lock: index })
    await queued(openLock(t, ref), waiter)
  }
  thread.tell('busy', { ms: 60_000 })
  await thread.next('busy')
  const holderOf = async (name) => (await json(t, 'ls')).find((lock) => lock.name === name).holders[0]
  await waitFor(async () => (await holderOf(ofThread)).busy)
  await waitFor(async () => (await holderOf(ofMain)).busy === false)
  await thread.terminate()
  guard.release()
})

linuxTest('show marks a waiter that does not come in its turn', async (t) => {
  const name = uniqueName(t)
  const lock = openLock(t, name)
  const waiter = await spawnChild(t)
  const held = await lock.acquireWrite()
  await waiter.ask('open', { ref: name })
  waiter.tell('acquireWrite')
  await queued(lock, waiter)
  waiter.tell('busy', { ms: 60_000 })
  await waiter.next('busy')
  const next = lock.acquireWrite()
  held.release()
  const guard = await next
  const { stdout } = await runHere(['show', name])
  t.regex(stdout, new RegExp(`pid ${waiter.pid} .* {2}does not respond\n`))
  guard.release()
  await waiter.kill()
})

containerTest('a holder in a container is named by the PID that it has here', async (t) => {
  const name = uniqueName(t)
  const child = await spawnChild(t, { execPath: 'unshare', execArgv: [...CONTAINED, process.execPath] })
  await child.ask('hold', { ref: name, mode: 'write', options: { label: 'contained' } })
  // It sleeps as soon as it has told of its hold.
  await waitFor(async () => (await json(t, 'show', name)).holders[0].state === 'sleeping')
  const { holders, attached } = await json(t, 'show', name)
  const [{ localPid, command, ...holder }] = holders
  t.like(holder, { pid: 1, foreign: true })
  t.regex(command, /child\.js/)
  t.regex(
    readFileSync(`/proc/${localPid}/status`, 'utf8'),
    new RegExp(`^NSpid:\t(.*\t)?${localPid}\t1$`, 'm'),
  )
  t.like(attached, [{ pid: 1, localPid, foreign: true }])
  t.regex(
    (await runHere(['show', name])).stdout,
    new RegExp(`pid ${localPid} \\(1 in its PID namespace\\) 'contained' {2}write`),
  )
  t.regex(
    (await runHere(['show', name])).stdout,
    new RegExp(`state +held for write by pid ${localPid} \\(1 in its`),
  )
  process.kill(localPid, 'SIGSTOP')
  await waitFor(async () => /\| stopped$/.test((await rowOf(t, name)) ?? ''))
  t.regex((await rowOf(t, name)) ?? '', new RegExp(`\\| ${localPid} 'contained' \\|`))

  // From another container it cannot be seen.
  const args = [...CONTAINED, process.execPath, program, 'show', name]
  const elsewhere = (...more) => spawnSync('unshare', [...args, ...more], { encoding: 'utf8' }).stdout
  t.like(JSON.parse(elsewhere('--json')).holders, [
    { pid: 1, foreign: true, localPid: null, command: null, state: null },
  ])
  t.regex(elsewhere(), /pid 1 in another PID namespace 'contained' {2}write/)
  const list = spawnSync('unshare', [...CONTAINED, process.execPath, program, 'ls'], { encoding: 'utf8' })
  t.regex(list.stdout, / write +\(1\) 'contained' /)
  process.kill(localPid, 'SIGCONT')
})

test('a lock that a dead writer left is dead, stays in prune, and is removed with --owner-died', async (t) => {
  const name = uniqueName(t)
  const pid = await killedWriter(t, name)
  t.is(await rowOf(t, name), `${name} | - | owner died, dead`)
  const shown = await json(t, 'show', name)
  t.like(shown, { status: 'dead', ownerDied: { pid, threadId: 0, label: 'the dead' }, attached: [] })
  const page = (await runHere(['show', name])).stdout
  t.regex(page, new RegExp(`owner died +pid ${pid} 'the dead' died while`))
  t.regex(
    page,
    /state +dead: no process has it open\..*; "process-rwlock prune --owner-died" removes it and the report\n/,
  )

  const first = await runHere(['prune'])
  t.is(
    first.stdout,
    `removed 0 locks\n1 lock that dead processes left reports a writer's death, and stays: --owner-died removes also these\n`,
  )
  t.deepEqual(await json(t, 'prune'), { removed: 0, ownerDied: 1 })
  t.is((await runHere(['prune', '--owner-died'])).stdout, 'removed 1 lock\n')
  t.deepEqual(await json(t, 'ls'), [])
})

test('prune removes what dead readers left, and nothing that is open', async (t) => {
  const [left, open] = [uniqueName(t), uniqueName(t)]
  const child = await spawnChild(t)
  openLock(t, open)
  await child.ask('hold', { ref: left, mode: 'read' })
  t.deepEqual(await json(t, 'prune'), { removed: 0, ownerDied: 0 })
  await child.kill()
  await waitFor(async () =>
    (await json(t, 'ls')).some(({ name, status }) => name === left && status === 'dead'),
  )
  t.regex(
    (await runHere(['show', left])).stdout,
    /state +dead: .* uses it again; "process-rwlock prune" removes it\n/,
  )
  t.deepEqual(await json(t, 'prune'), { removed: 1, ownerDied: 0 })
  t.deepEqual(
    (await json(t, 'ls')).map(({ name }) => name),
    [open],
  )
})

linuxTest('ls shows a damaged lock that is in use, and what is wrong with it', async (t) => {
  const name = uniqueName(t)
  openLock(t, name)
  const [{ file }] = await json(t, 'ls')
  const record = readFileSync(file)
  writeFileSync(file, 'something else')
  const [damaged, ...others] = await json(t, 'ls')
  const row = await rowOf(t, file)
  writeFileSync(file, record)
  t.deepEqual(others, [])
  t.like(damaged, { name: null, file, status: 'damaged', token: null, error: { code: 'ERR_LOCK_CORRUPT' } })
  t.is(row, `${file} | - | damaged`)
})

test('what a terminal would obey is escaped in names and labels', async (t) => {
  const name = `${uniqueName(t)}/\x1b[31mred\nline\u202e`
  const lock = openLock(t, name, { label: 'a\tb' })
  const guard = await lock.acquireWrite()
  const escaped = `${name.slice(0, name.indexOf('\x1b'))}\\x1b[31mred\\nline\\u202e`
  t.regex((await rowOf(t, escaped)) ?? '', /'a\\tb'/)
  const { stdout } = await runHere(['show', name])
  t.is(stdout.split('\n')[0], escaped)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: what must not be there
  t.notRegex(stdout, /[\x1b\u202e\t]/)
  guard.release()

  const c1 = `${uniqueName(t)}/\x9b31m\x7f`
  for (const ref of [name, c1]) {
    openLock(t, ref)
    const once = ['--frames', '1', '--interval', '0.1']
    for (const args of [['ls'], ['show', ref], ['top', ref, ...once], ['doctor']]) {
      const { stdout } = await runHere([...args, '--json'], { env: process.env })
      t.regex(stdout, /^(\n|[^\p{Cc}\p{Cf}])*$/u, args.join(' '))
      if (args[0] === 'show') t.is(JSON.parse(stdout).name, ref)
    }
  }
})

test('show prints the queue in its order, and who else has the lock open', async (t) => {
  const name = uniqueName(t)
  const lock = openLock(t, name, { label: 'idle', maxReaders: 7 })
  const [holder, first, second] = [await pooledChild(t), await pooledChild(t), await pooledChild(t)]
  await holder.ask('hold', { ref: name, mode: 'upgradable' })
  for (const waiter of [first, second]) {
    await waiter.ask('open', { ref: name })
    waiter.tell('acquireWrite')
    await queued(lock, waiter)
  }
  const { code, stdout } = await runHere(['show', name])
  t.is(code, 0)
  const order = [...stdout.matchAll(/pid (\d+)(?: '[^\n]*')? {2}/g)].map(([, pid]) => Number(pid))
  t.deepEqual(order, [holder.pid, first.pid, second.pid])
  t.regex(stdout, /state +held for upgradable by pid \d+; 2 requests wait, the longest for /)
  t.regex(stdout, /limits +128 attachments, 7 readers/)
  t.regex(stdout, new RegExp(`Also open in\n  pid ${process.pid} 'idle'\n`))
  const shown = await json(t, 'show', name)
  t.deepEqual(
    shown.attached.map(({ pid }) => pid).sort(),
    [process.pid, holder.pid, first.pid, second.pid].sort(),
  )
})

test('show prints a value as text if it is text, and else its bytes', async (t) => {
  const lock = openLock(t)
  const guard = await lock.acquireWrite()
  const shown = async () => /value +(.*)/.exec((await runHere(['show', lock.name ?? ''])).stdout)?.[1]
  t.is(await shown(), undefined)
  guard.setValue('http://127.0.0.1:8080/ä')
  t.is(await shown(), `"http://127.0.0.1:8080/ä" (24 bytes), set by pid ${process.pid}`)
  guard.setValue('two\nlines')
  t.regex((await shown()) ?? '', /^"two\\nlines" \(9 bytes\)/)
  guard.setValue(new Uint8Array([0, 255, 16]))
  t.regex((await shown()) ?? '', /^00 ff 10 \(3 bytes\)/)
  t.is((await json(t, 'show', lock.name ?? '')).value, 'AP8Q')
  guard.release()
  t.is(await shown(), '00 ff 10 (3 bytes)')
})

test('show takes a path or the file of forFile(), and neither creates the lock nor opens it', async (t) => {
  const folder = tempDir(t)
  const path = join(folder, 'x.lock')
  const missing = await runHere(['show', '--path', path])
  t.is(missing.code, 1)
  t.is(missing.stderr, `process-rwlock: there is no lock ${path}\n`)
  t.throws(() => readFileSync(path), { code: 'ENOENT' })
  const lock = openLock(t, { path })
  const guard = lock.tryRead()
  t.like(await json(t, 'show', '--path', path), { name: null, path, mode: 'read', file: path, memory: null })
  guard?.release()
  lock.close()
  t.regex(
    (await runHere(['show', '--path', path])).stdout,
    /state +dead: no process has it open\. The next process that opens it uses it again\n/,
  )

  const data = join(folder, 'data.json')
  const ofData = forFile(data)
  t.teardown(() => ofData.close())
  t.like(await json(t, 'show', '--file', data), { name: ofData.name, status: 'free' })
  const none = await runHere(['show', '--file', join(folder, 'other')])
  t.is(none.code, 1)
  t.is(none.stderr, `process-rwlock: the file ${join(folder, 'other')} has no lock: no process has it open\n`)
  const unknown = await runHere(['show', uniqueName(t)])
  t.is(unknown.code, 1)
  t.regex(
    unknown.stderr,
    /^process-rwlock: there is no lock 'process-rwlock-test\/.*': no process has it open\n$/,
  )
  for (const args of [[], ['a', '--path', path]]) {
    t.is((await runCli(t, ['show', ...args])).code, 64)
  }
})

test('a file that is no lock is an error that says what it is', async (t) => {
  const path = join(tempDir(t), 'data')
  writeFileSync(path, 'no lock '.repeat(100))
  const { code, stderr } = await runCli(t, ['show', '--path', path])
  t.is(code, 65)
  t.true(stderr.startsWith(`process-rwlock: lock ${path} is not a valid lock: `), stderr)
})

test('each field of the JSON is documented', async (t) => {
  const lock = openLock(t)
  const guard = await lock.acquireWrite()
  const child = await pooledChild(t)
  await child.ask('open', { ref: lock.name })
  child.tell('acquireWrite')
  await queued(lock, child)
  const page = readFileSync(new URL('../../docs/cli.md', import.meta.url), 'utf8')
  const report = await json(t, 'show', lock.name ?? '')
  const fields = [report, report.holders[0], report.waiters[0], report.attached[0]].flatMap(Object.keys)
  t.deepEqual(
    fields.filter((field) => !page.includes(`\`${field}\``)),
    [],
  )
  guard.release()
  t.is(RWLock.list().length, 1)
})
