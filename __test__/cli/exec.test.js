// process-rwlock exec: exit codes, streams, environment, modes, and which lock it holds.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { RWLock } from 'process-rwlock'
import { forFile } from 'process-rwlock/file'
import onWindows from '../../dist/cli/exec/windows.js'
import { openLock, tempDir, testUnless, uniqueName, waitFor } from '../helpers/index.js'
import { runCli, startCli } from './process.js'

const test = testUnless(process.platform === 'win32' && 'the commands are those of Unix')

test('it ends with the exit code of the command', async (t) => {
  const name = uniqueName(t)
  t.like(await runCli(t, ['exec', name, '--', 'true']), { code: 0, stdout: '', stderr: '' })
  t.like(await runCli(t, ['exec', name, '--', 'sh', '-c', 'exit 3']), { code: 3, stdout: '', stderr: '' })
})

test('a command that is missing: 127; one that cannot be executed: 126', async (t) => {
  const [name, dir] = [uniqueName(t), tempDir(t)]
  const file = join(dir, 'data')
  writeFileSync(file, 'data')
  for (const [command, code, message] of /** @type {[string, number, RegExp][]} */ ([
    ['no-such-command', 127, /^process-rwlock: no-such-command: command not found\n$/],
    [join(dir, 'missing'), 127, /missing: command not found\n$/],
    [file, 126, /data: cannot be executed: permission denied\n$/],
    [dir, 126, /cannot be executed: permission denied\n$/],
    [`${file}/below`, 127, /command not found\n$/],
    ['', 127, /command not found\n$/],
  ])) {
    const end = await runCli(t, ['exec', name, '--', command])
    t.is(end.code, code, command)
    t.regex(end.stderr, message)
  }
  t.is(openLock(t, name).inspect().ownerDied, null)
})

test('a command that cannot be started for lack of descriptors: 126, and nobody is said to have died', async (t) => {
  const lock = openLock(t)
  // Enough for the lock, and not for the pipes.
  const use = `import fs from 'node:fs'; const all = [];
    try { for (;;) all.push(fs.openSync('/dev/null')) } catch {}
    for (const fd of all.slice(-5)) fs.closeSync(fd)`
  const NODE_OPTIONS = `--import data:text/javascript,${encodeURIComponent(use)}`
  const by = ['sh', '-c', 'ulimit -n 64; exec "$0" "$@"']
  const end = await runCli(t, ['exec', `${lock.name}`, '--', 'true'], { by, env: { NODE_OPTIONS } })
  t.is(end.stderr, 'process-rwlock: true: cannot be executed: too many open files\n')
  t.is(end.code, 126)
  t.is(lock.inspect().ownerDied, null)
})

test('a script whose interpreter is missing: the message says so', async (t) => {
  const script = join(tempDir(t), 'script')
  writeFileSync(script, '#!/bin/sh\r\necho ran\r\n', { mode: 0o755 }) // as written on Windows
  const end = await runCli(t, ['exec', uniqueName(t), '--', script])
  t.is(end.code, 127)
  t.is(
    end.stderr,
    `process-rwlock: ${script}: its interpreter was not found: the program in the first line of a script, or the loader of a binary\n`,
  )
})

test('a command is found in PATH, also a script without an interpreter', async (t) => {
  const [name, dir] = [uniqueName(t), tempDir(t)]
  writeFileSync(join(dir, 'greet'), 'echo "hello $1"', { mode: 0o755 })
  const PATH = `/nowhere:${dir}:${process.env.PATH}`
  t.like(await runCli(t, ['exec', name, '--', 'greet', 'you'], { env: { PATH } }), {
    code: 0,
    stdout: 'hello you\n',
  })
})

test('a lock that is not granted: 1, or the code of -E; the message names the holder', async (t) => {
  const lock = openLock(t)
  lock.tryWrite()
  const name = /** @type {string} */ (lock.name)
  const held = new RegExp(`held for write by pid ${process.pid}`)
  const command = ['--', 'echo', 'ran']
  for (const [options, code] of /** @type {[string[], number][]} */ ([
    [['--no-wait'], 1],
    [['-n', '-E', '9'], 9],
    [['--timeout', '0.02'], 1],
    [['-w0.02', '--conflict-exit-code=0'], 0],
  ])) {
    const end = await runCli(t, ['exec', ...options, name, ...command])
    t.like(end, { code, stdout: '' }, options.join(' '))
    t.regex(end.stderr, held)
  }
  t.like(await runCli(t, ['exec', '-nq', name, ...command]), { code: 1, stdout: '', stderr: '' })
  t.deepEqual(lock.inspect().waiters, [])
})

test('wrong arguments: 64', async (t) => {
  for (const [args, message] of /** @type {[string[], RegExp][]} */ ([
    [['exec', '--', 'true'], /which lock\? Give a NAME, --path FILE or --file DATA/],
    [['exec', 'a'], /which command\? Give it after --/],
    [['exec', 'a', '--'], /which command\? Give it after --/],
    [['exec', 'a', '--path', 'b', '--', 'true'], /give only one lock/],
    [['exec', '-n', '-w', '1', 'a', '--', 'true'], /--no-wait and --timeout exclude each other/],
    [['exec', '-sx', 'a', '--', 'true'], /--read and --write exclude each other/],
    [['exec', '-w', 'soon', 'a', '--', 'true'], /--timeout takes a number of seconds, not "soon"/],
    [['exec', '-E', '256', 'a', '--', 'true'], /takes a number from 0 to 255, not "256"/],
    [['exec', '', '--', 'true'], /The lock name must not be empty/],
  ])) {
    const { code, stderr } = await runCli(t, args)
    t.is(code, 64, args.join(' '))
    t.regex(stderr, message)
  }
})

test('a lock that cannot be opened: 66, 65 or 77, and the command does not run', async (t) => {
  const dir = tempDir(t)
  const damaged = join(dir, 'damaged')
  writeFileSync(damaged, 'something else, which is no lock')
  for (const [args, code, message] of /** @type {[string[], number, RegExp][]} */ ([
    [['--file', join(dir, 'missing/data')], 66, /: the file \S*missing\/data cannot have a lock: ENOENT/],
    [['--file', join(damaged, 'data')], 66, /: the file \S*damaged\/data cannot have a lock: ENOTDIR/],
    [['--path', join(dir, 'missing/lock')], 77, /missing\/lock: its folder does not exist \(ENOENT\)/],
    [['--path', damaged], 65, /damaged/],
    [['--path', '/proc/lock'], 77, /\/proc\/lock/],
  ])) {
    const end = await runCli(t, ['exec', ...args, '--', 'echo', 'ran'])
    t.like(end, { code, stdout: '' }, args.join(' '))
    t.regex(end.stderr, message)
    t.false(/\n {4}at /.test(end.stderr), 'no stack')
  }
})

test('streams and arguments reach the command untouched', async (t) => {
  const name = uniqueName(t)
  const input = 'x'.repeat(1_000_000)
  const { stdout } = await runCli(t, ['exec', name, '--', 'cat'], { input })
  t.is(stdout.length, input.length)
  const { stdout: out, stderr } = await runCli(t, ['exec', name, '--', 'sh', '-c', 'echo out; echo err >&2'])
  t.deepEqual([out, stderr], ['out\n', 'err\n'])
  const args = ['', ' ', '--', '-n', 'a"b', "c'd", '$HOME', 'ä', '--help']
  t.is((await runCli(t, ['exec', name, '--', 'printf', '[%s]', ...args])).stdout, `[${args.join('][')}]`)
})

test('arguments and variables that are not UTF-8 reach the command untouched', async (t) => {
  const name = uniqueName(t)
  const { program } = await import('./process.js')
  const { spawnSync } = await import('node:child_process')
  // A shell makes the byte, because Node.js cannot pass it on.
  const script = `byte=$(printf '\\377'); export byte; "$0" "$1" exec "$2" -- sh -c 'printf %s "$1$byte"' sh "$byte"`
  const { stdout } = spawnSync('sh', ['-c', script, process.execPath, program, name])
  t.deepEqual([...stdout], [0xff, 0xff])
})

test('the environment has the token, and the process that died', async (t) => {
  const name = uniqueName(t)
  const show = ['--', 'sh', '-c', `echo "$PROCESS_RWLOCK_TOKEN \${PROCESS_RWLOCK_OWNER_DIED-none}"`]
  const env = { PROCESS_RWLOCK_OWNER_DIED: '1' } // as in a command of another exec
  const first = (await runCli(t, ['exec', name, ...show], { env })).stdout.trim().split(' ')
  t.is(first[1], 'none')
  const killed = startCli(t, ['exec', name, '--', 'sh', '-c', 'kill -KILL $$'])
  t.is((await killed.closed).signal, 'SIGKILL')
  const second = (await runCli(t, ['exec', name, ...show])).stdout.trim().split(' ')
  t.true(BigInt(second[0]) > BigInt(first[0]))
  t.is(second[1], String(killed.pid))
  t.is((await runCli(t, ['exec', name, ...show])).stdout.trim().split(' ')[1], 'none', 'it is reported once')
})

test('a command that fails leaves an earlier death reported, one that succeeds clears it', async (t) => {
  const lock = openLock(t)
  const name = /** @type {string} */ (lock.name)
  await startCli(t, ['exec', name, '--', 'sh', '-c', 'kill -KILL $$']).closed
  await waitFor(() => lock.inspect().ownerDied)
  await runCli(t, ['exec', name, '--', 'false'])
  t.truthy(lock.inspect().ownerDied)
  await runCli(t, ['exec', name, '--', 'no-such-command'])
  t.truthy(lock.inspect().ownerDied)
  await runCli(t, ['exec', name, '--', 'true'])
  t.is(lock.inspect().ownerDied, null)
})

test('readers share the lock, an upgradable hold excludes writers, and each is shown with its label', async (t) => {
  const lock = openLock(t)
  const name = /** @type {string} */ (lock.name)
  const sleep = ['--', 'sleep', '100']
  startCli(t, ['exec', '--read', name, ...sleep])
  startCli(t, ['exec', '--read', '--label', 'second', name, ...sleep])
  startCli(t, ['exec', '-u', name, ...sleep])
  await waitFor(() => lock.inspect().holders.length === 3)
  const shown = lock.inspect().holders.map(({ mode, label }) => `${mode} ${label}`)
  t.deepEqual(shown.toSorted(), ['read second', 'read sleep', 'upgradable sleep'])
  t.is((await runCli(t, ['exec', '-nq', name, '--', 'true'])).code, 1)
  t.is((await runCli(t, ['exec', '-nq', '--read', name, '--', 'true'])).code, 0)
})

test('--path and --file hold the locks that the library opens', async (t) => {
  const dir = tempDir(t)
  const [file, data] = [join(dir, 'lock'), join(dir, 'data.json')]
  const command = ['--', 'echo', 'ran']
  const byPath = openLock(t, { path: file })
  const byFile = forFile(data)
  for (const [lock, args] of /** @type {[RWLock, string[]][]} */ ([
    [byPath, ['--path', file]],
    [byFile, ['--file', data]],
  ])) {
    t.is((await runCli(t, ['exec', '-nq', ...args, ...command])).stdout, 'ran\n')
    const guard = lock.tryWrite()
    t.is((await runCli(t, ['exec', '-nq', ...args, ...command])).code, 1)
    guard?.release()
  }
  byFile.close()
})

test('it waits for its turn, and leaves nothing', async (t) => {
  const name = uniqueName(t)
  const lock = new RWLock(name)
  const guard = lock.tryWrite()
  const waiting = runCli(t, ['exec', name, '--', 'echo', 'ran'])
  await waitFor(() => lock.inspect().waiters.length === 1)
  guard?.release()
  lock.close()
  t.like(await waiting, { code: 0, stdout: 'ran\n', stderr: '' })
  t.false(RWLock.list().some((each) => each.name === name))
})

test('without the addon, as on Windows, a command ends the same', async (t) => {
  process.env.PROCESS_RWLOCK_TEST = 'outer'
  const variables = { PROCESS_RWLOCK_TEST: undefined, PROCESS_RWLOCK_TOKEN: '7' }
  const script = '[ -z "$PROCESS_RWLOCK_TEST" ] && exit $PROCESS_RWLOCK_TOKEN'
  t.deepEqual(await onWindows.runCommand(['sh', '-c', script], variables), { code: 7 })
  const { error } = await onWindows.runCommand(['no-such-command'], variables)
  t.true(error?.isMissing)
  t.like(await onWindows.runCommand([tempDir(t)], variables), { error: { isMissing: false } })
  delete process.env.PROCESS_RWLOCK_TEST
})
