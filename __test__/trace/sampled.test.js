// `process-rwlock trace`: what looks at a lock find becomes rows and spans, and the file is complete
// however the recording ends.
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { useOwnDirectory } from '../cli/own-directory.js'
import { runCli, startCli } from '../cli/process.js'
import {
  openLock,
  spawnChild,
  spawnNode,
  tempDir,
  testUnless,
  uniqueName,
  waitFor,
} from '../helpers/index.js'
import { queued } from '../helpers/observe.js'
import { readEvents } from './read-trace.js'

useOwnDirectory()

const test = testUnless(
  process.platform === 'win32' && 'no signal ends a program there so that it can finish',
)

/** µs, on the clock of the traces. */
const now = () => Number(process.hrtime.bigint()) / 1000
/** µs; locks have the beginning of a hold to a tick of a coarse clock. */
const TICK = 10_000

/**
 * Starts a recording. @param {any} t @param {string[]} args
 */
async function record(t, ...args) {
  const out = join(tempDir(t), 'out.json')
  const { child, output, closed } = startCli(t, ['trace', '--interval', '2', '--out', out, ...args])
  await waitFor(() => output.stderr.includes('tracing'))
  return {
    out,
    /** Waits until the trace has so many events of this name. @param {string} event */
    async shows(event, count = 1) {
      const parts = () => readFileSync(out, 'utf8').split(`{"name":"${event}"`)
      await waitFor(() => parts().length > count, { every: 20 })
    },
    /** Ends the recording, and reads it. @param {NodeJS.Signals} [signal] */
    async end(signal = 'SIGINT') {
      child.kill(signal)
      const { code, stderr } = await closed
      t.is(code, 0, stderr)
      const { traceEvents, otherData, totals } = JSON.parse(readFileSync(out, 'utf8'))
      return { ...readEvents(traceEvents), otherData, totals, stderr }
    },
  }
}

test('holds and waits are spans, in a row for each process', async (t) => {
  const name = uniqueName(t)
  const lock = openLock(t, name)
  const [writer, reader] = [await spawnChild(t), await spawnChild(t)]
  await reader.ask('open', { ref: name })
  const recording = await record(t, name)
  const before = now()
  const { token } = await writer.ask('hold', { ref: name, mode: 'write', options: { label: 'rebuild' } })
  const granted = reader.ask('acquireRead', { options: { label: 'summary' } })
  await queued(lock, reader)
  await recording.shows(`wait: read ${name}`)
  await writer.ask('release')
  await granted
  const between = now()
  await recording.shows(`read ${name}`)
  const { processes, spans, marks, counts, otherData, totals, stderr } = await recording.end()

  const locks = [...processes].find(([, { name: title }]) => title === 'locks')
  t.deepEqual(new Set(processes.keys()), new Set([locks?.[0], writer.pid, reader.pid]))
  t.regex(processes.get(writer.pid)?.labels ?? '', /child\.js/)
  t.deepEqual([...(processes.get(writer.pid)?.threads.values() ?? [])], ['main thread'])
  const [write, wait, read] = ['write', 'wait: read', 'read'].map((text) =>
    spans.find((span) => span.name === `${text} ${name}`),
  )
  t.is(spans.length, 3)
  t.like(write, { pid: writer.pid, cat: 'hold', args: { lock: name, label: 'rebuild', token: `${token}` } })
  t.like(wait, { pid: reader.pid, cat: 'wait', args: { lock: name, label: 'summary' } })
  t.like(read, { pid: reader.pid, cat: 'hold', args: { lock: name, label: 'summary' } })
  t.regex(String(wait?.args.holders), new RegExp(`^write by pid ${writer.pid} \\('rebuild'\\) for \\d+ ms$`))
  if (!write || !wait || !read) throw new Error('a span is missing')
  t.true(write.begin > before - TICK && Number(write.end) < between)
  t.true(wait.begin >= write.begin && Number(wait.end) < between)
  t.true(Number(write.end) <= read.begin && read.begin <= between)
  t.true(Number(read.end) >= read.begin, 'the end of the recording ends the spans')
  t.like(marks, [{ name: 'contended', pid: reader.pid }])
  const waiting = counts.filter((count) => count.name === `waiting: ${name}`)
  t.deepEqual(
    waiting.map(({ value }) => value),
    [0, 1, 0],
    'the first look was before the wait',
  )
  t.is(otherData.interval, '2 ms')
  t.regex(stderr, / looks, 2 processes, 2 holds, 1 wait[.;]/)
  t.like(totals, { holds: 2, waits: 1, writeHolds: 1, writeHoldsSeen: 1 })
})

test('the death of a holder is a mark', async (t) => {
  const name = uniqueName(t)
  openLock(t, name)
  const victim = await spawnChild(t)
  const recording = await record(t, name)
  const { token } = await victim.ask('hold', { ref: name, mode: 'write', options: { label: 'rebuild' } })
  await recording.shows(`write ${name}`)
  await victim.kill()
  const heir = await spawnChild(t)
  await heir.ask('hold', { ref: name, mode: 'write' })
  await recording.shows(`owner died: ${name}`)
  await recording.shows(`write ${name}`, 2) // the death may have been seen before the next hold
  const { spans, marks } = await recording.end('SIGTERM')
  // The heir may have been seen while it waited for the end of the victim.
  const holds = spans.filter(({ cat }) => cat === 'hold')
  t.deepEqual(
    holds.map(({ pid }) => pid),
    [victim.pid, heir.pid],
  )
  t.like(marks, [
    { name: `owner died: ${name}`, s: 'g', pid: victim.pid, args: { label: 'rebuild', token: `${token}` } },
  ])
})

test('holds that are too short to be seen are counted, and those that are seen do not overlap', async (t) => {
  const name = uniqueName(t)
  openLock(t, name)
  const recording = await record(t, name)
  const program = new URL('./programs/locks-for-ever.js', import.meta.url)
  const children = [0, 1].map(() => spawnNode(t, program, [name]))
  await Promise.all(children.map((child) => child.next('ready')))
  for (const child of children) child.send('go')
  await Promise.all(children.map((child) => child.next('busy')))
  const counted = ({ length }) => length >= 5
  await waitFor(() => counted(readFileSync(recording.out, 'utf8').match(/"name":"write holds/g) ?? []))
  const { spans, counts, totals, stderr } = await recording.end()
  t.true(totals.writeHolds > 500, JSON.stringify(totals))
  t.true(totals.writeHoldsSeen < totals.writeHolds)
  t.regex(stderr, /\d+ of \d+ write holds were too short to be seen/)
  t.true(counts.some((count) => count.name === `write holds: ${name}` && count.value > 500))
  const holds = spans.filter(({ cat }) => cat === 'hold').toSorted((a, b) => a.begin - b.begin)
  for (const [index, { end }] of holds.entries()) {
    const later = holds[index + 1]
    if (later) t.true(Number(end) <= later.begin)
  }
})

test('a lock that does not exist is not created, and is traced once it does', async (t) => {
  const [name, path] = [uniqueName(t), join(tempDir(t), 'lock')]
  const recording = await record(t, name, '--path', path)
  t.false(existsSync(path), 'it has looked once')
  const child = await spawnChild(t)
  await child.ask('hold', { ref: name, mode: 'read' })
  await child.ask('hold', { ref: { path }, mode: 'upgradable' })
  await recording.shows(`read ${name}`)
  await recording.shows(`upgradable ${path}`)
  const { spans } = await recording.end()
  t.deepEqual(new Set(spans.map((span) => span.name)), new Set([`read ${name}`, `upgradable ${path}`]))
})

test('--seconds ends it', async (t) => {
  const out = join(tempDir(t), 'out.json')
  const { code, stderr } = await runCli(t, ['trace', '--seconds', '0.2', '-o', out, uniqueName(t)])
  t.is(code, 0, stderr)
  t.regex(stderr, /for 0\.2 s\n.*\d+ looks, 0 processes, 0 holds, 0 waits/)
  readEvents(JSON.parse(readFileSync(out, 'utf8')).traceEvents)
})

test('wrong arguments and files that cannot be written are errors', async (t) => {
  const missing = join(tempDir(t), 'missing', 'out.json')
  const calls = [
    { args: [], code: 64, says: /which lock\?/ },
    { args: ['x', '--interval', '0'], code: 64, says: /--interval is a number from 1 to/ },
    { args: ['x', '--seconds', 'a'], code: 64, says: /--seconds is a number/ },
    { args: ['x', '--out', missing], code: 66, says: /^process-rwlock: ENOENT.*\n$/ },
    { args: ['x', '--out', dirname(dirname(missing))], code: 74, says: /^process-rwlock: EISDIR.*\n$/ },
  ]
  for (const { args, code, says } of calls) {
    const result = await runCli(t, ['trace', ...args])
    t.is(result.code, code, args.join(' '))
    t.regex(result.stderr, says)
  }
})
