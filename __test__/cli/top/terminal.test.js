// `top` on a terminal.
import { existsSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { openLock, spawnChild, tempDir, uniqueName, waitFor } from '../../helpers/index.js'
import { useOwnDirectory } from '../own-directory.js'
import { program } from '../process.js'
import { openTerminal, terminalTest } from './tmux.js'

useOwnDirectory()

/** Runs `top`, and then says how it ended and how it left the terminal. */
const SHELL =
  'ulimit -c 0; echo before; "$@"; echo "ended $?"; stty -a | tr " ;" "\\n\\n" | grep -xE -- "-?(icanon|echo)" | xargs; exec cat'

/**
 * @param {import('ava').ExecutionContext<any>} t
 * @param {string[]} args
 * @param {Parameters<typeof openTerminal>[2] & { interval?: string }} [options]
 */
function openTop(t, args = [], { interval = '0.2', ...options } = {}) {
  const top = [process.execPath, program, 'top', '--interval', interval, ...args]
  return openTerminal(t, ['sh', '-c', SHELL, 'sh', ...top], options)
}

/** The process of `top`, which the shell has started. */
function topOf({ pid }) {
  return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8'))
}

/** Waits until it has its screen: when it continues, it gives the terminal back and takes it again. */
function onItsScreen(terminal) {
  return waitFor(
    () => {
      const state = terminal.state()
      return state.alternate && !state.cursor && state
    },
    { what: 'another screen without a cursor' },
  )
}

/** A lock that is held for write, with a request for it that waits. */
function contend(t, name) {
  const lock = openLock(t, name)
  const guard = lock.tryWrite()
  lock.acquireRead({ label: 'patient' }).then(
    (its) => its.release(),
    () => {},
  )
  return { lock, guard }
}

terminalTest(
  'the list shows who holds and who waits, keys lead to a lock and back, and q quits',
  async (t) => {
    contend(t, 'test/contended')
    openLock(t, 'test/free')
    const terminal = openTop(t)
    const list = await terminal.shows(
      /> test\/contended +write +1 +1 +[\d.]+ m?s .*\n {2}test\/free +- +0 +0 +- /,
    )
    t.regex(list, /^process-rwlock top +\d\d:\d\d:\d\d +every 0\.2 s +2 locks: 1 held, 1 waited for\n/)
    t.regex(list, /q quit {3}\? help .* by wait$/)
    t.true(terminal.hasStyles())
    t.like(terminal.state(), { alternate: true, cursor: false })

    terminal.press('Down')
    await terminal.shows(/\n {2}test\/contended.*\n> test\/free/)
    terminal.press('Up', 'Enter')
    const lock = await terminal.shows(/^test\/contended .*\nheld for write: 1 hold; 1 waiting/)
    t.regex(
      lock,
      new RegExp(`\nholds +${process.pid} +0 write .*\nwaits 1 +${process.pid} +0 read +[\\d.]+ m?s patient`),
    )
    terminal.press('Escape')
    await terminal.shows(/\n> test\/contended/)
    terminal.press('s')
    await terminal.shows(/by worst$/)
    terminal.press('?')
    await terminal.shows(/\nKeys\n/)
    terminal.press('Escape')
    await terminal.shows(/by worst$/)
    terminal.press('r')
    await terminal.shows(/\n> test\/contended[\s\S]* by worst, reversed$/)
    terminal.press('q')
    const after = await terminal.shows(/ended .*\n.*echo/)
    t.regex(after, /^before\nended 0\nicanon echo$/)
    t.like(terminal.state(), { alternate: false, cursor: true })
  },
)

terminalTest('a lock shows what its processes are, and which of them is stopped', async (t) => {
  const child = await spawnChild(t)
  const ref = uniqueName(t)
  await child.ask('hold', { ref, mode: 'write', options: { label: 'the-holder' } })
  const terminal = openTop(t, [ref], { columns: 400 })
  const command = '\\S*node \\S*child\\.js'
  const holds = `\nholds +${child.pid} +0 write +[\\d.]+ m?s the-holder`
  await terminal.shows(new RegExp(`${holds} +${command}`))
  process.kill(child.pid, 'SIGSTOP')
  await terminal.shows(new RegExp(`${holds} +\\[stopped\\] ${command}`))
  process.kill(child.pid, 'SIGCONT')
  await terminal.shows(new RegExp(`${holds} +${command}`))
  t.pass()
})

terminalTest('the screen follows the locks: a wait that ends, a lock that is closed', async (t) => {
  const { lock, guard } = contend(t, 'test/followed')
  const terminal = openTop(t)
  await terminal.shows(/test\/followed +write +1 +1 /)
  guard?.release()
  await terminal.shows(/test\/followed +- +0 +0 +- /)
  terminal.press('Enter')
  await terminal.shows(/^test\/followed .*\nfree; none waits; the longest wait seen: /)
  lock.close()
  await terminal.shows(/^test\/followed .*\nThe lock does not exist now\./)
  terminal.press('Escape')
  await terminal.shows(/No lock exists\./)
  t.pass()
})

terminalTest(
  'a single lock that is given is looked into at once, also one by path, by any of its paths',
  async (t) => {
    const folder = tempDir(t)
    const lock = openLock(t, { path: join(folder, 'lock') })
    lock.tryWrite()
    symlinkSync(folder, join(folder, 'link'))
    for (const path of ['lock', 'link/lock', 'link/../lock']) {
      const terminal = openTop(t, ['--path', join(folder, path), '--frames', '3'])
      const after = await terminal.shows(/ended 0/)
      t.regex(after, /^before\nended 0/)
    }
    for (const path of ['lock', 'link/lock']) {
      const terminal = openTop(t, ['--path', join(folder, path)])
      await terminal.shows(new RegExp(`lock .*\nheld for write: 1 hold[\\s\\S]*\nholds +${process.pid} `))
    }
  },
)

terminalTest('a line that is wider than it seems does not wrap', async (t) => {
  const guard = openLock(t, 'test/emoji', { label: '✅'.repeat(14) }).tryWrite()
  // Terminals do not agree on the width of these.
  const other = openLock(t, 'test/hearts', { label: '\u2764\ufe0f'.repeat(14) }).tryWrite()
  for (const name of ['test/emoji', 'test/hearts']) {
    const terminal = openTop(t, [name], { rows: 14 })
    const screen = await terminal.shows(/\nholds .*\n[\s\S]*\nq quit [^\n]*$/)
    t.is(screen.split('\n').length, 14)
    t.regex(screen, /\nholds .*\n\n+q quit [^\n]*$/)
    terminal.press('q')
    await terminal.shows(/ended 0\n.*echo$/)
    terminal.press('x'.repeat(100))
    await terminal.shows(/\nx{80}\nx{20}$/) // the terminal wraps lines again
  }
  guard?.release()
  other?.release()
})

terminalTest('a terminal that changes its size gets a screen of that size', async (t) => {
  for (let index = 10; index < 50; index++) openLock(t, `r/${index}`)
  const terminal = openTop(t, [], { interval: '60' })
  await terminal.shows(/r\/28 [\s\S]*by wait$/)
  terminal.resize(50, 12)
  const small = await terminal.shows(/r\/16 .*\n\n?q quit [^\n]*$/)
  t.is(small.split('\n').length, 12)
  t.false(small.includes('r/17'))
  t.true(small.split('\n').every((line) => line.length <= 50))
  terminal.resize(120, 40)
  await terminal.shows(/r\/44 [\s\S]*by wait$/)
})

terminalTest(
  'NO_COLOR leaves the screen without colours, and a terminal without UTF-8 without bars',
  async (t) => {
    contend(t, 'test/plain')
    const terminal = openTop(t, [], { env: { NO_COLOR: '1', LC_ALL: 'C' } })
    const screen = await terminal.shows(/> test\/plain +write [^\n]* [_@]+\n/)
    t.false(terminal.hasStyles())
    t.regex(screen, /^[ -~\n]*$/)
  },
)

for (const [end, status] of /** @type {const} */ ([
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
  ['SIGQUIT', 131],
  ['C-c', 130],
  ['C-\\', 131],
])) {
  terminalTest(`after ${end} the terminal is as before, and the status is that of the signal`, async (t) => {
    const terminal = openTop(t)
    await terminal.shows(/by wait$/)
    const pid = topOf(terminal.state())
    if (end.startsWith('SIG')) process.kill(pid, /** @type {NodeJS.Signals} */ (end))
    else terminal.press(end)
    const after = await terminal.shows(/ended .*\n.*echo/)
    t.regex(after, new RegExp(`^before\n(.*\n)?ended ${status}\nicanon echo$`))
    t.like(terminal.state(), { alternate: false, cursor: true })
  })
}

terminalTest('a lock that cannot be read at the start is an error on the screen of before', async (t) => {
  const file = join(tempDir(t), 'no-lock')
  writeFileSync(file, 'this is no lock')
  const after = await openTop(t, ['--path', file]).shows(/ended .*\n.*echo/)
  t.regex(after.replaceAll('\n', ''), /^beforeprocess-rwlock: .*no-lock.*ended 65icanon echo/)
})

terminalTest('a fault of the program is an error on the screen of before', async (t) => {
  const fault = "process.on('SIGUSR2', () => Promise.reject(new Error('a fault')))"
  const env = { NODE_OPTIONS: `--import data:text/javascript,${encodeURIComponent(fault)}` }
  const terminal = openTop(t, [], { env })
  await terminal.shows(/by wait$/)
  process.kill(topOf(terminal.state()), 'SIGUSR2')
  const after = await terminal.shows(/ended .*\n.*echo/)
  t.regex(after, /^before\nprocess-rwlock: Error: a fault\n[\s\S]*\nended 70\nicanon echo$/)
  t.like(terminal.state(), { alternate: false, cursor: true })
})

terminalTest('a look that fails later is reported in the last line, until one succeeds', async (t) => {
  const file = join(tempDir(t), 'lock')
  const terminal = openTop(t, ['--path', file])
  await terminal.shows(/^\S*\/lock .*\nThe lock does not exist now\./)
  writeFileSync(file, 'this is no lock')
  await terminal.shows(/\n[^\n]*lock[^\n]*$/)
  writeFileSync(file, '')
  await terminal.shows(/\nq quit [^\n]*$/)
  t.pass()
})

terminalTest(
  'Ctrl-Z stops it under a shell with jobs, which gets its terminal, and fg continues it',
  async (t) => {
    openLock(t, 'test/stopped')
    const env = { PS1: 'shell> ', TOP: `${process.execPath} ${program} top --interval 0.2` }
    const terminal = openTerminal(t, ['bash', '--norc', '--noprofile', '-i'], { env })
    await terminal.shows(/shell>/)
    terminal.press('$TOP', 'Enter')
    for (const stop of ['C-z', 'SIGTSTP', 'SIGSTOP']) {
      await terminal.shows(/^process-rwlock top [\s\S]*> test\/stopped [\s\S]*by wait$/)
      const shell = await onItsScreen(terminal)
      if (stop === 'C-z') terminal.press(stop)
      else process.kill(topOf(shell), /** @type {NodeJS.Signals} */ (stop))
      // After SIGSTOP the shell writes to the screen that `top` has left it.
      if (stop !== 'SIGSTOP') {
        await terminal.shows(/Stopped [\s\S]*shell>$/)
        t.like(terminal.state(), { alternate: false, cursor: true })
      } else await terminal.shows(/Stopped|shell>/)
      // Otherwise the screen could be taken for that of a `top` that runs again.
      terminal.press('clear', 'Enter')
      await terminal.shows(/^shell>$/)
      terminal.press('fg', 'Enter')
    }
    await terminal.shows(/^process-rwlock top [\s\S]*> test\/stopped [\s\S]*by wait$/)
    terminal.press('q')
    await terminal.shows(/shell>$/)
    terminal.press('stty -a | grep -owE -- "-?(icanon|echo)" | xargs', 'Enter')
    await terminal.shows(/\nicanon echo\n/)
    t.pass()
  },
)

terminalTest('without a shell that could continue it, Ctrl-Z does not leave a broken screen', async (t) => {
  openLock(t, 'test/not-stopped')
  const terminal = openTop(t)
  await terminal.shows(/> test\/not-stopped/)
  terminal.press('C-z', 'r')
  await terminal.shows(/^process-rwlock top [\s\S]*> test\/not-stopped [\s\S]*by wait, reversed$/)
  await onItsScreen(terminal)
  t.pass()
})

terminalTest('it ends with its terminal, by the signal of that', async (t) => {
  const result = join(tempDir(t), 'result')
  // The shell outlives the terminal.
  const shell = 'trap "" HUP; "$@"; echo "$?" >"$RESULT"'
  const top = ['env', '--default-signal=HUP', process.execPath, program, 'top', '--interval', '0.2']
  const terminal = openTerminal(t, ['sh', '-c', shell, 'sh', ...top], { env: { RESULT: result } })
  await terminal.shows(/by wait$/)
  const pid = topOf(terminal.state())
  terminal.close()
  await waitFor(() => !isRunning(pid), { what: 'top has ended' })
  const status = await waitFor(() => existsSync(result) && readFileSync(result, 'utf8'))
  t.is(status, '129\n')
})

/** @param {number} pid */
function isRunning(pid) {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
