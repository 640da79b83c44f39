// process-rwlock exec: signals, stops, terminals, and what a kill leaves.
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { openLock, spawnChild, linuxTest as test, testUnless, uniqueName, waitFor } from '../helpers/index.js'
import { CONTAINED, containerTest } from './containers.js'
import { program, runCli, startCli } from './process.js'
import { lacksTerminals, openTerminal } from './terminal.js'

/** Its state, as in proc(5): R, S, T, Z…; `undefined` if there is no such process. */
function stateOf(/** @type {number} */ pid) {
  try {
    return /\) (\w)/.exec(readFileSync(`/proc/${pid}/stat`, 'latin1'))?.[1]
  } catch {
    return undefined
  }
}

const isGone = (/** @type {number} */ pid) => [undefined, 'Z', 'X'].includes(stateOf(pid))

/** Waits for a line of the output. */
async function line(/** @type {{ output: { stdout: string } }} */ { output }, /** @type {RegExp} */ pattern) {
  const found = await waitFor(() => pattern.exec(output.stdout), { what: `a line ${pattern}` })
  return /** @type {RegExpExecArray} */ (found)
}

/** The process ID that the command prints first. */
async function pidOf(/** @type {{ output: { stdout: string } }} */ cli) {
  return Number((await line(cli, /^\d+\n/))[0])
}

/** Whether SIGTSTP stops a process here. In a process group that no shell controls it does not: see setpgid(2). */
async function canBeStopped() {
  const probe = spawn('sh', ['-c', 'kill -TSTP $$; echo ignored'], { stdio: ['ignore', 'pipe', 'inherit'] })
  let printed = ''
  probe.stdout.on('data', (chunk) => {
    printed += chunk
  })
  try {
    await waitFor(() => stateOf(Number(probe.pid)) === 'T' || printed !== '', { what: 'it stops, or not' })
    return printed === ''
  } finally {
    probe.kill('SIGKILL')
  }
}

/** A command that prints the signals that it receives, and ends after SIGUSR2. */
const RECEIVER = `
  for name in HUP INT QUIT TERM USR1 ALRM WINCH; do trap "echo got $name" $name; done
  trap 'echo got USR2; exit 7' USR2
  echo ready
  while :; do sleep 0.01; done`

test('each signal that exec receives reaches the command, once', async (t) => {
  const cli = startCli(t, ['exec', uniqueName(t), '--', 'sh', '-c', RECEIVER])
  await line(cli, /ready/)
  const sent = ['HUP', 'INT', 'QUIT', 'TERM', 'USR1', 'ALRM', 'WINCH', 'USR2']
  for (const name of sent) {
    cli.child.kill(/** @type {NodeJS.Signals} */ (`SIG${name}`))
    await line(cli, new RegExp(`got ${name}\n`))
  }
  const { code, stdout } = await cli.closed
  t.is(code, 7)
  t.is(stdout, ['ready', ...sent.map((name) => `got ${name}`), ''].join('\n'))
})

containerTest('as process 1 of a container, it passes on the signals that come from outside', async (t) => {
  const by = ['unshare', ...CONTAINED]
  const cli = startCli(t, ['exec', uniqueName(t), '--', 'sh', '-c', RECEIVER], { by })
  await line(cli, /ready/)
  const exec = await onlyChild(cli.pid)
  process.kill(exec, 'SIGTERM') // as `docker stop` does
  await line(cli, /got TERM\n/)
  process.kill(exec, 'SIGUSR2')
  t.is((await cli.closed).code, 7)

  const killed = startCli(t, ['exec', uniqueName(t), '--', 'sh', '-c', 'echo ready; exec sleep 100'], { by })
  await line(killed, /ready/)
  process.kill(await onlyChild(killed.pid), 'SIGTERM')
  t.is((await killed.closed).code, 128 + 15, 'no signal that it sends itself ends process 1')
})

for (const name of /** @type {NodeJS.Signals[]} */ (['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGABRT'])) {
  test(`a command that ${name} ends: exec ends by it, too, and the next holder learns of it`, async (t) => {
    const lock = openLock(t)
    const { name: lockName } = lock
    const cli = startCli(t, [
      'exec',
      `${lockName}`,
      '--',
      'sh',
      '-c',
      'ulimit -c 0; echo ready; exec sleep 100',
    ])
    await line(cli, /ready/)
    if (name === 'SIGABRT') process.kill(await onlyChild(await onlyChild(cli.pid)), name)
    else cli.child.kill(name)
    const { code, signal } = await cli.closed
    t.deepEqual([code, signal], [null, name])
    const guard = await lock.acquireWrite({ timeout: 10_000 })
    t.is(guard.ownerDied?.pid, cli.pid)
    guard.release()
  })
}

async function onlyChild(/** @type {number} */ pid) {
  const children = () => readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim()
  return Number(await waitFor(children))
}

test('the command has the default signals and no blocked ones', async (t) => {
  const { stdout } = await runCli(t, ['exec', uniqueName(t), '--', 'cat', '/proc/self/status'])
  for (const field of ['SigBlk', 'SigIgn', 'SigCgt']) {
    t.regex(stdout, new RegExp(`^${field}:\\t0{16}$`, 'm'))
  }
})

test('exec and its command stop together, and continue together', async (t) => {
  const cli = startCli(t, ['exec', uniqueName(t), '--', 'sh', '-c', 'echo $$; exec sleep 100'])
  const command = await pidOf(cli)
  const areIn = (/** @type {string} */ state) =>
    waitFor(() => stateOf(cli.pid) === state && stateOf(command) === state, { what: `both are in ${state}` })
  const keyboard = [() => cli.child.kill('SIGTSTP'), () => process.kill(command, 'SIGTSTP')]
  for (const stop of [...((await canBeStopped()) ? keyboard : []), () => process.kill(command, 'SIGSTOP')]) {
    stop()
    await areIn('T')
    cli.child.kill('SIGCONT')
    await areIn('S')
  }
  cli.child.kill('SIGTERM')
  t.is((await cli.closed).signal, 'SIGTERM')
})

test('a killed exec: the command and all its descendants are gone before the lock is granted', async (t) => {
  const lock = openLock(t)
  const name = /** @type {string} */ (lock.name)
  // A child, a grandchild that ignores signals, and a daemon that has left the session.
  const tree = `
    sleep 100 & echo child $!
    sh -c 'trap "" TERM HUP INT; echo grandchild $$; while :; do sleep 1; done' &
    setsid sh -c '(echo daemon $(sh -c "echo \\$PPID"); exec sleep 100) & wait' &
    echo command $$; wait`
  for (let round = 0; round < 3; round++) {
    const cli = startCli(t, ['exec', name, '--', 'sh', '-c', tree])
    const started = () => [...cli.output.stdout.matchAll(/^\w+ (\d+)$/gm)].map(([, pid]) => Number(pid))
    await waitFor(() => started().length === 4)
    const pids = started()
    cli.child.kill('SIGKILL')
    const guard = await lock.acquireWrite({ timeout: 10_000 })
    t.deepEqual(
      pids.filter((pid) => !isGone(pid)),
      [],
    )
    t.is(guard.ownerDied?.pid, cli.pid)
    guard.release()
  }
})

test('a killed exec inside another one: everything is gone', async (t) => {
  const [outer, inner] = [openLock(t), openLock(t)]
  const nested = ['exec', `${inner.name}`, '--', 'sh', '-c', 'echo $$; exec sleep 100']
  const cli = startCli(t, ['exec', `${outer.name}`, '--', process.execPath, program, ...nested])
  const command = await pidOf(cli)
  cli.child.kill('SIGKILL')
  const guard = await outer.acquireWrite({ timeout: 10_000 })
  t.true(isGone(command))
  const other = await inner.acquireWrite({ timeout: 10_000 })
  guard.release()
  other.release()
})

test('a killed guardian: the command is killed, and exec ends by SIGKILL', async (t) => {
  const lock = openLock(t)
  const cli = startCli(t, ['exec', `${lock.name}`, '--', 'sh', '-c', 'echo $$; exec sleep 100'])
  const command = await pidOf(cli)
  const guardian = await onlyChild(cli.pid)
  t.is(readFileSync(`/proc/${guardian}/comm`, 'latin1'), 'rwlock-guardian\n')
  // Otherwise `pkill -f` would kill both at once.
  t.regex(readFileSync(`/proc/${guardian}/cmdline`, 'latin1'), /^rwlock-guardian\0*$/)
  process.kill(guardian, 'SIGKILL')
  t.is((await cli.closed).signal, 'SIGKILL')
  t.true(await waitFor(() => isGone(command)))
  const guard = await lock.acquireWrite({ timeout: 10_000 })
  guard.release()
})

test('after the command, what it left in the background continues, without the lock', async (t) => {
  const name = uniqueName(t)
  const script = 'sleep 100 >/dev/null 2>&1 & echo $!'
  const { code, stdout } = await runCli(t, ['exec', name, '--', 'sh', '-c', script])
  const background = Number(stdout)
  t.teardown(() => process.kill(background, 'SIGKILL'))
  t.is(code, 0)
  t.false(isGone(background))
  t.is((await runCli(t, ['exec', '-n', name, '--', 'true'])).code, 0)
})

for (const signal of /** @type {NodeJS.Signals[]} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) {
  test(`${signal} ends the wait, and the request is withdrawn`, async (t) => {
    const lock = openLock(t)
    lock.tryWrite()
    const cli = startCli(t, ['exec', `${lock.name}`, '--', 'echo', 'ran'])
    await waitFor(() => lock.inspect().waiters.length === 1)
    cli.child.kill(signal)
    t.like(await cli.closed, { code: null, signal, stdout: '', stderr: '' })
    t.deepEqual(lock.inspect().waiters, [])
  })
}

// ---- in a terminal

const terminalTest = testUnless(lacksTerminals)

// Without another process between the terminal's session and this one: `exec` of the shell.
const cli = (/** @type {string} */ args) => `'${process.execPath}' '${program}' ${args}`

terminalTest('Ctrl-C reaches the command once, and only the command decides', async (t) => {
  const script =
    'ulimit -c 0; trap "echo got INT" INT; trap "exit 7" QUIT; echo ready; while :; do sleep 0.01; done'
  const terminal = openTerminal(t, `exec ${cli(`exec '${uniqueName(t)}' -- sh -c '${script}'`)}`)
  await terminal.shows(/ready/)
  terminal.type('\x03')
  await terminal.shows(/got INT/)
  terminal.type('\x1c')
  t.is(await terminal.exited, 7)
  t.is(terminal.output.match(/got INT/g)?.length, 1)
})

terminalTest('Ctrl-C ends a command, and exec by the same signal', async (t) => {
  const terminal = openTerminal(
    t,
    `exec ${cli(`exec '${uniqueName(t)}' -- sh -c 'echo ready; exec sleep 100'`)}`,
  )
  await terminal.shows(/ready/)
  terminal.type('\x03')
  t.is(await terminal.exited, 128 + 2)
})

for (const state of /** @type {const} */ (['sleeps', 'is stopped'])) {
  terminalTest(`a terminal that hangs up ends a command that ${state}, and frees the lock`, async (t) => {
    const lock = openLock(t)
    // The first process of its session, as after `ssh -t` or in a window of tmux: the system tells it alone.
    const terminal = openTerminal(
      t,
      `exec ${cli(`exec '${lock.name}' -- sh -c 'echo pid $$; exec sleep 100'`)}`,
    )
    const command = Number((await terminal.shows(/pid (\d+)/))[1])
    if (state === 'is stopped') {
      process.kill(command, 'SIGSTOP')
      await waitFor(() => stateOf(lock.inspect().holders[0]?.pid ?? 0) === 'T')
    }
    terminal.hangUp()
    const guard = await lock.acquireWrite({ timeout: 10_000 })
    t.true(isGone(command))
    guard.release()
  })
}

terminalTest('Ctrl-Z and fg, under a shell with jobs', async (t) => {
  const terminal = openTerminal(t, 'bash --norc --noprofile -i')
  await terminal.shows(/\$ /)
  terminal.type(`${cli(`exec '${uniqueName(t)}' -- sh -c 'echo pid $$; exec cat'`)}\n`)
  const command = Number((await terminal.shows(/pid (\d+)/))[1])
  for (let round = 0; round < 2; round++) {
    terminal.type('\x1a')
    await terminal.shows(/Stopped/)
    t.is(stateOf(command), 'T')
    terminal.type('fg\n')
    await waitFor(() => stateOf(command) === 'S')
    terminal.type(`line ${round}\n`)
    await terminal.shows(new RegExp(`line ${round}\\s+line ${round}`)) // the terminal's echo, then cat
  }
  terminal.type('\x04')
  await terminal.shows(/\$ /)
  terminal.type('exit\n')
  await terminal.exited
})

terminalTest('in the background, a command that reads the terminal is stopped, and so is exec', async (t) => {
  const terminal = openTerminal(t, 'bash --norc --noprofile -i')
  await terminal.shows(/\$ /)
  terminal.type(`${cli(`exec '${uniqueName(t)}' -- cat`)} &\n`)
  const exec = Number((await terminal.shows(/\[1\] (\d+)/))[1])
  // The shell learns of it when every thread has stopped.
  await waitFor(async () => {
    terminal.type('jobs\n')
    return (await terminal.shows(/Running|Stopped/))[0] === 'Stopped'
  })
  terminal.type('fg\n')
  await waitFor(() => stateOf(exec) === 'S') // until then the shell reads what is typed
  terminal.type('some text\n')
  await terminal.shows(/some text\s+some text/)
  terminal.type('\x04')
  await terminal.shows(/\$ /)
  terminal.type('exit\n')
  await terminal.exited
  t.pass()
})

terminalTest('settings of the terminal that the command changes stay', async (t) => {
  const terminal = openTerminal(t, `${cli(`exec '${uniqueName(t)}' -- stty -echo`)}; stty -a`)
  await terminal.exited
  t.regex(terminal.output, / -echo /)
})

terminalTest('a person is told whom exec waits for, unless it is quiet', async (t) => {
  const lock = openLock(t)
  const guard = lock.tryWrite()
  const quiet = openTerminal(t, cli(`exec --quiet '${lock.name}' -- true`))
  const terminal = openTerminal(t, cli(`exec '${lock.name}' -- true`))
  await terminal.shows(new RegExp(`waiting for '${lock.name}': held for write by pid ${process.pid} `))
  guard?.release()
  t.is(await quiet.exited, 0)
  t.is(quiet.output, '')
})

terminalTest('a person is told that the holder is stopped', async (t) => {
  const name = uniqueName(t)
  const child = await spawnChild(t)
  await child.ask('hold', { ref: name, mode: 'write', options: { label: 'rebuild' } })
  child.stop()
  await waitFor(() => stateOf(child.pid) === 'T')
  const terminal = openTerminal(t, cli(`exec '${name}' -- true`))
  await terminal.shows(
    new RegExp(`held for write by pid ${child.pid} \\('rebuild'\\) for [\\d.]+ s, which is stopped\\s`),
  )
  child.resume()
  t.pass()
})

terminalTest('what a terminal would obey is escaped in the names of holders', async (t) => {
  const name = `${uniqueName(t)}/\x1b[31mred`
  const guard = openLock(t, name, { label: 'a\x1b[2Jb\x9b2J\nc' }).tryWrite()
  const terminal = openTerminal(t, cli(`exec "$(printf '${name.replace('\x1b', '\\033')}')" -- true`))
  await terminal.shows(
    /waiting for '.*\/\\x1b\[31mred': held for write by pid \d+ \('a\\x1b\[2Jb\\x9b2J\\nc'\) for \d/,
  )
  guard?.release()
  t.is(await terminal.exited, 0)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: what must not be there
  t.notRegex(terminal.output, /[\x1b\x9b]/)
})
