// `top` whose output is no terminal.
import { join } from 'node:path'
import { forFile } from 'process-rwlock/file'
import { firstModel } from '../../../dist/cli/top/model.js'
import { Paint } from '../../../dist/cli/top/paint.js'
import { Sampler } from '../../../dist/cli/top/sampler.js'
import { screen } from '../../../dist/cli/top/view/screen.js'
import { listActivity } from '../../../dist/shared-memory/activity.js'
import {
  median,
  openLock,
  spawnChild,
  tempDir,
  test,
  uniqueName,
  unlessEmulated,
  waitFor,
} from '../../helpers/index.js'
import { runHere } from '../here.js'
import { useOwnDirectory } from '../own-directory.js'
import { program, runCli, startCli } from '../process.js'
import { openTerminal, terminalTest } from './tmux.js'

useOwnDirectory()

test('it prints so many frames, one at each interval, with every lock', async (t) => {
  const lock = openLock(t, 'test/printed')
  for (let index = 0; index < 30; index++) openLock(t, `test/more-${index}`)
  const guard = lock.tryWrite()
  const waiting = lock.acquireRead()
  const began = performance.now()
  const { code, stdout, stderr } = await runCli(t, ['top', '--frames', '2', '--interval', '0.2'])
  t.true(performance.now() - began >= 400)
  guard?.release()
  await waiting.then((reading) => reading.release())
  t.deepEqual([code, stderr], [0, ''])
  t.false(stdout.includes('\x1b'))
  const frames = stdout.split('\n\n')
  t.deepEqual([frames.length, frames.pop()], [3, ''])
  for (const frame of frames) {
    const lines = frame.split('\n')
    t.is(lines.length, 3 + 31)
    t.regex(lines[0] ?? '', /^process-rwlock top .* 31 locks: 1 held, 1 waited for$/)
    t.regex(lines[3] ?? '', /^ {2}test\/printed +write +1 +1 +[\d.]+ m?s +[\d.]+ m?s +0 +0 /)
    t.true(lines.every((line) => line.length <= 80))
  }
})

test('--json prints a frame in each line, with rates from the counters of the lock', async (t) => {
  const lock = openLock(t, 'test/counted')
  openLock(t, 'test/idle')
  const top = startCli(t, ['top', '--json', '--interval', '0.1', '--sort', 'writes'])
  const frames = () =>
    top.output.stdout
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line))
  await waitFor(() => frames().length > 0)
  const child = await spawnChild(t)
  await child.ask('open', { ref: 'test/counted' })
  const first = frames().length - 1
  for (let round = 0; round < 20; round++) {
    const guard = await lock.acquireWrite()
    const other = child.ask('pass', { mode: 'write' })
    await waitFor(() => lock.inspect().waiters.length === 1)
    guard.release()
    await other
  }
  const last = frames().length
  await waitFor(() => frames().length > last + 1)
  const busy = frames().slice(first)
  const counted = busy.map(({ locks }) => locks.find(({ name }) => name === 'test/counted'))
  const tokens = counted.map(({ token }) => BigInt(token))
  t.is((tokens.at(-1) ?? 0n) - (tokens[0] ?? 0n), 40n)
  for (let index = 1; index < counted.length; index++) {
    const isWritten = tokens[index] !== tokens[index - 1]
    t.is(counted[index].writesPerSecond > 0, isWritten, JSON.stringify(counted))
    // The busiest lock is the first.
    if (isWritten) t.is(busy[index].locks[0].name, 'test/counted')
  }
  t.true(counted.some(({ waitsPerSecond }) => waitsPerSecond > 0))
  const [idle] = busy[0].locks.filter(({ name }) => name === 'test/idle')
  t.deepEqual(idle, {
    name: 'test/idle',
    path: null,
    holds: 0,
    waiting: 0,
    longestWaitMs: 0,
    worstWaitMs: 0,
    writesPerSecond: 0,
    waitsPerSecond: 0,
    contended: false,
    token: idle.token,
    ownerDied: null,
    holders: [],
    waiters: [],
  })
  t.regex(idle.token, /^\d+$/)
})

test('only the locks that are given are shown, also those by path', async (t) => {
  const name = uniqueName(t)
  const folder = tempDir(t)
  const data = join(folder, 'data.json')
  openLock(t, 'test/other')
  openLock(t, name)
  openLock(t, { path: join(folder, 'lock') })
  const ofFile = forFile(data)
  const args = [name, 'test/missing', '--path', './lock', '--path', join(folder, 'none'), '--file', data]
  const once = ['--frames', '1', '--interval', '0.1']
  const { stdout } = await runCli(t, ['top', '--json', '--sort', 'name', ...args, ...once], { cwd: folder })
  ofFile.close()
  const { locks } = JSON.parse(stdout)
  t.deepEqual(
    locks.map((lock) => lock.name ?? lock.path).toSorted(),
    [ofFile.name, name, join(folder, 'lock')].toSorted(),
  )
  const none = await runCli(t, ['top', 'test/missing', ...once])
  t.regex(none.stdout, /\nNo lock exists\.\n/)
})

terminalTest('a terminal that can do nothing gets frames one below the other', async (t) => {
  openLock(t, 'test/dumb')
  const command = ['env', 'TERM=dumb', process.execPath, program, 'top', '--interval', '0.1']
  const terminal = openTerminal(t, command)
  await terminal.shows(/process-rwlock top[\s\S]*test\/dumb[\s\S]*process-rwlock top/)
  t.is(terminal.state().alternate, false)
})

unlessEmulated('its speed is not that of a processor')(
  'a frame of many locks costs less than to look at them',
  (t) => {
    for (let index = 0; index < 200; index++) {
      const lock = openLock(t, `test/many-${index}`, { capacity: 1 })
      if (index % 2 === 0) lock.tryWrite()
    }
    const sampler = new Sampler()
    const paint = new Paint(true)
    const size = { columns: 80, rows: 24 }
    const of = {
      model: firstModel('wait'),
      interval: 1000,
      unicode: true,
      failure: null,
      report: null,
      ...size,
    }
    const looks = []
    const frames = []
    // The first ones are slower, before the code is compiled.
    for (let second = 0; second < 40; second++) {
      const began = performance.now()
      const activities = listActivity()
      const seen = performance.now()
      const look = sampler.sample(activities, second * 1000)
      paint.update(screen({ ...of, look, time: new Date(second * 1000) }), size)
      looks.push(seen - began)
      frames.push(performance.now() - seen)
      t.is(activities.length, 200)
    }
    const [look, frame] = [median(looks), median(frames)]
    t.true(frame < look, `a frame takes ${frame} ms, a look ${look} ms`)
  },
)

test('--json tells of a death as the report of a lock does', async (t) => {
  const name = 'test/died'
  const child = await spawnChild(t)
  await child.ask('hold', { ref: name, mode: 'write' })
  const lock = openLock(t, name)
  await child.kill()
  await waitFor(() => lock.inspect().ownerDied)
  const json = async (...args) => JSON.parse((await runHere([...args, '--json'])).stdout)
  const { locks } = await json('top', name, '--frames', '1', '--interval', '0.1')
  t.like(locks[0].ownerDied, { pid: child.pid, failover: false })
  t.deepEqual(locks[0].ownerDied, (await json('show', name)).ownerDied)
})

test('COLUMNS is the width of a frame, if it is one', async (t) => {
  openLock(t, 'test/wide')
  for (const [COLUMNS, width] of /** @type {const} */ ([
    ['60', 60],
    ['0', 80],
    ['-5', 80],
    ['0.5', 80],
    ['1000000000', 80],
    ['Infinity', 80],
  ])) {
    const { code, stdout } = await runHere(['top', '--frames', '1', '--interval', '0.1'], {
      env: { COLUMNS },
    })
    t.is(code, 0)
    const [first, second = ''] = stdout.split('\n')
    t.deepEqual([COLUMNS, Math.max(first.length, second.length)], [COLUMNS, width])
  }
})

for (const [args, message] of /** @type {[string[], RegExp][]} */ ([
  [['--interval', '0'], /--interval takes a number of seconds from 0\.1 up, not "0"/],
  [['--interval', '1e3'], /--interval takes/],
  [['--interval', '9999999'], /--interval takes/],
  [['--frames', '0'], /--frames takes a number from 1 up, not "0"/],
  [['--sort', 'waits-for'], /--sort must be one of wait, worst/],
  [[''], /must not be empty/],
])) {
  test(`wrong arguments: ${args.join(' ') || 'an empty name'}`, async (t) => {
    const { code, stdout, stderr } = await runCli(t, ['top', ...args])
    t.deepEqual([code, stdout], [64, ''])
    t.regex(stderr, message)
  })
}
