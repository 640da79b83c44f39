// PROCESS_RWLOCK_TRACE: the file has every hold and every wait, whatever becomes of the processes.
import { existsSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { examine } from '../../dist/shared-memory/survey.js'
import { SharedFile } from '../../dist/trace/shared-file.js'
import { runCli } from '../cli/process.js'
import {
  openLock,
  spawnChild,
  spawnNode,
  tempDir,
  test,
  testUnless,
  uniqueName,
  waitFor,
} from '../helpers/index.js'
import { queued } from '../helpers/observe.js'
import { readRecord } from './read-trace.js'

const unixTest = testUnless(process.platform === 'win32' && 'not on Windows')

/** µs; the clocks of two processes agree better. */
const CLOCK = 20

/** A file for the trace, and a child that records to it. @param {any} t */
function recording(t) {
  const file = join(tempDir(t), 'trace.json')
  return { file, env: { PROCESS_RWLOCK_TRACE: file } }
}

test('holds, waits, upgrades, downgrades and refusals are recorded, in each thread', async (t) => {
  const { file, env } = recording(t)
  const name = uniqueName(t)
  const child = spawnNode(t, new URL('./programs/uses-locks.js', import.meta.url), [name], { env })
  t.like(await child.exited, { code: 0 }, child.stderr)
  const { processes, spans, marks, counts } = readRecord(file)

  t.deepEqual([...processes.keys()], [child.pid])
  const { name: title, labels = '', threads } = processes.get(child.pid) ?? {}
  t.is(title, 'the user')
  t.true(labels.endsWith(`uses-locks.js ${name}`), labels)
  t.deepEqual([...(threads?.values() ?? [])], ['main thread', 'main thread (2)', 'worker 1'])

  const shown = spans.map(({ name: text, tid, depth, end, endArgs }) =>
    [threads?.get(tid), depth, text, end === null ? 'open' : (endArgs?.ended ?? 'ended')].join(', '),
  )
  t.deepEqual(shown, [
    `main thread, 0, read ${name}, ended`,
    `main thread (2), 0, wait: write ${name}, ended`,
    `main thread (2), 0, upgradable ${name}, ended`,
    `main thread (2), 1, wait: write ${name}, ended`,
    `main thread (2), 0, write ${name}, ended`,
    `main thread (2), 0, read ${name}, ended`,
    `worker 1, 0, read ${name}, ended`,
    `main thread, 0, write ${name}, exit of the process or thread`,
  ])
  t.is(spans[0]?.args.label, 'a report')
  t.is(spans[6]?.args.label, 'in a worker')
  t.true(BigInt(spans[4]?.args.token) > BigInt(spans[0]?.args.token))
  t.regex(
    String(spans[1]?.args.holders),
    new RegExp(`^read by pid ${child.pid} \\('a report'\\) for \\d+ ms$`),
  )
  t.deepEqual(
    marks.map((mark) => mark.name),
    [`not granted: write ${name}`, 'contended', 'not granted: ERR_LOCK_TIMEOUT', 'contended'],
  )
  t.regex(marks[2]?.args.error, /was not granted for write within 20 ms/)
  t.deepEqual(
    counts.map(({ value }) => value),
    [1, 0, 1, 0],
  )
  const [reader, , upgradable, , writer] = spans
  t.true(Number(writer?.begin) >= Number(reader?.end), 'the upgrade was granted after the release')
  t.is(upgradable?.end, writer?.begin)
})

test('processes append to one file, and their write holds do not overlap', async (t) => {
  const { file, env } = recording(t)
  const name = uniqueName(t)
  const children = await Promise.all([1, 2, 3].map(() => spawnChild(t, { env })))
  for (const child of children) await child.ask('open', { ref: name })
  const rounds = Array.from({ length: 20 })
  await Promise.all(
    children.map(async (child) => {
      for (const _ of rounds) {
        await Promise.all([child.ask('pass', { mode: 'write' }), child.ask('pass', { mode: 'read' })])
      }
    }),
  )
  const { processes, spans } = readRecord(file)
  t.deepEqual([...processes.keys()].toSorted(), children.map(({ pid }) => pid).toSorted())
  const holds = spans.filter(({ cat }) => cat === 'hold').toSorted((a, b) => a.begin - b.begin)
  const writes = holds.filter(({ args }) => args.mode === 'write')
  t.is(writes.length, 60)
  t.is(new Set(writes.map(({ args }) => args.token)).size, 60)
  t.is(holds.length, 120)
  for (const [index, hold] of holds.entries()) {
    if (hold.end === null) return t.fail('a hold has no end')
    for (const later of holds.slice(index + 1)) {
      if (later.begin + CLOCK >= hold.end) break
      t.false(
        [hold, later].some(({ args }) => args.mode === 'write'),
        JSON.stringify([hold, later]),
      )
    }
  }
})

test('a killed process leaves its hold without an end, and the next holder a mark', async (t) => {
  const { file, env } = recording(t)
  const name = uniqueName(t)
  const lock = openLock(t, name)
  const [victim, heir] = [await spawnChild(t, { env }), await spawnChild(t, { env })]
  const { token } = await victim.ask('hold', { ref: name, mode: 'write', options: { label: 'rebuild' } })
  const inherited = heir.ask('hold', { ref: name, mode: 'write' })
  await queued(lock, heir)
  await victim.kill()
  await inherited
  await waitFor(() => readRecord(file).marks.length === 2)
  const { spans, marks } = readRecord(file)
  t.deepEqual(
    spans.map((span) => [span.pid, span.cat, span.end === null]),
    [
      [victim.pid, 'hold', true],
      [heir.pid, 'wait', false],
      [heir.pid, 'hold', true],
    ],
  )
  t.like(marks[1], { pid: heir.pid, s: 'g', name: `owner died: ${name}` })
  t.like(marks[1]?.args, { lock: name, pid: victim.pid, label: 'rebuild', token: `${token}` })
})

test('the file can be read after processes were killed while they wrote to it', async (t) => {
  const { file, env } = recording(t)
  const name = uniqueName(t)
  const program = new URL('./programs/locks-for-ever.js', import.meta.url)
  for (let i = 0; i < 3; i++) {
    const children = [0, 1].map(() => spawnNode(t, program, [name], { env }))
    await Promise.all(children.map((child) => child.next('ready')))
    for (const child of children) child.send('go')
    await Promise.all(children.map((child) => child.next('busy')))
    await Promise.all(children.map((child) => child.kill()))
    t.true(readRecord(file).spans.length > 10)
  }
})

test('no line crosses a page of the file, where a kill can cut it', (t) => {
  const path = join(tempDir(t), 'trace.json')
  const file = new SharedFile(path, { name: 'process_name', ph: 'M', pid: 1, args: { name: 'ä' } })
  const mark = (ts) => ({
    name: 'ä'.repeat(ts % 300),
    ph: 'i',
    cat: 'mark',
    s: 't',
    ts,
    pid: 1,
    tid: 1,
    args: {},
  })
  for (let ts = 1; ts < 1000; ts++) file.append([/** @type {any} */ (mark(ts))])
  file.close()
  const bytes = readFileSync(path)
  for (let page = 4096; page < bytes.length; page += 4096) {
    t.is(String.fromCharCode(bytes[page]), ',', `at ${page}`)
  }
  t.is(JSON.parse(`${bytes}]`).length, 1000)
})

test('a guard that is lost is collected and reported, as without the trace', async (t) => {
  const { env } = recording(t)
  const child = await spawnChild(t, { env, execArgv: ['--expose-gc'] })
  await child.ask('hold', { ref: uniqueName(t), mode: 'write' })
  await child.ask('forget', { lock: 0, guard: 0 })
  const warnings = await waitFor(async () => {
    await child.ask('collect')
    const seen = await child.ask('warnings')
    return seen.length > 0 && seen
  })
  t.is(warnings[0].code, 'RWLOCK_GUARD_LOST')
})

test('a lock that is lost closes itself, as without the trace', async (t) => {
  const { env } = recording(t)
  const name = uniqueName(t)
  const child = await spawnChild(t, { env, execArgv: ['--expose-gc'] })
  await child.ask('open', { ref: name })
  await child.ask('pass', { mode: 'write' })
  t.is(examine(name)?.attached.length, 1)
  await child.ask('forget', { lock: 0 })
  await waitFor(async () => {
    await child.ask('collect')
    return examine(name) === null
  })
})

test('a wait whose holders are learnt after its end is a mark, and leaves no span', async (t) => {
  const { file, env } = recording(t)
  const child = spawnNode(t, new URL('./programs/learns-late.js', import.meta.url), [], { env })
  t.like(await child.exited, { code: 0 }, child.stderr)
  const { spans, marks, counts } = readRecord(file)
  t.deepEqual(
    spans.map((span) => [span.name, span.endArgs]),
    [['write late', undefined]],
  )
  t.deepEqual(
    marks.map((mark) => mark.name),
    ['contended', 'not granted: failed', 'contended'],
  )
  t.deepEqual(counts, [])
})

test('the holds of process-rwlock exec are recorded, and their ends', async (t) => {
  const { file, env } = recording(t)
  const name = uniqueName(t)
  for (const command of ['true', 'false']) {
    t.is(
      (await runCli(t, ['exec', '--no-wait', name, '--', command], { env })).code,
      command === 'true' ? 0 : 1,
    )
  }
  const { spans, marks } = readRecord(file)
  t.deepEqual(
    spans.map((span) => [span.name, span.args.label, span.end === null]),
    [
      [`write ${name}`, 'true', false],
      [`write ${name}`, 'false', false],
    ],
  )
  t.deepEqual(marks, [])
})

unixTest('a link that somebody else made beside the file is not followed', async (t) => {
  const { file, env } = recording(t)
  const other = join(tempDir(t), 'other')
  writeFileSync(other, 'data')
  const child = await spawnChild(t, { env })
  symlinkSync(other, `${file}.${child.pid}-0.new`) // as in a folder that many may write to
  const name = uniqueName(t)
  await child.ask('hold', { ref: name, mode: 'read' })
  t.deepEqual(
    readRecord(file).spans.map((span) => span.name),
    [`read ${name}`],
  )
  t.is(readFileSync(other, 'utf8'), 'data')
})

test('%p is the process id', async (t) => {
  const folder = tempDir(t)
  const name = uniqueName(t)
  const env = { PROCESS_RWLOCK_TRACE: join(folder, 'trace-%p.json') }
  const child = await spawnChild(t, { env })
  await child.ask('hold', { ref: name, mode: 'read' })
  t.deepEqual(
    readRecord(join(folder, `trace-${child.pid}.json`)).spans.map((span) => span.name),
    [`read ${name}`],
  )
})

test('nothing is loaded without the variable', async (t) => {
  const program = new URL('./programs/loaded-files.js', import.meta.url)
  const plain = spawnNode(t, program, [], { env: { PROCESS_RWLOCK_TRACE: '' } })
  t.deepEqual((await plain.next('files')).files, [])
  const { env, file } = recording(t)
  const recorded = spawnNode(t, program, [], { env })
  t.true((await recorded.next('files')).files.includes('record.js'))
  await recorded.exited
  t.false(existsSync(file), 'it is made for the first event')
})

test('a file that cannot be written, or is something else, is a warning, and locks work', async (t) => {
  const folder = tempDir(t)
  const other = join(folder, 'data.json')
  writeFileSync(other, '[1, 2]')
  for (const file of [join(folder, 'missing', 'trace.json'), other]) {
    const child = await spawnChild(t, { env: { PROCESS_RWLOCK_TRACE: file } })
    const name = uniqueName(t)
    for (const mode of ['read', 'write']) {
      await child.ask('open', { ref: name })
      await child.ask('pass', { mode })
    }
    const warnings = await waitFor(async () => {
      const seen = await child.ask('warnings')
      return seen.length > 0 && seen
    })
    t.is(warnings.length, 1)
    t.is(warnings[0].code, 'RWLOCK_TRACE')
    t.true(warnings[0].message.includes(file), warnings[0].message)
    if (file === other) t.regex(warnings[0].message, /is no such trace: remove it, or choose another file/)
  }
  t.is(readFileSync(other, 'utf8'), '[1, 2]')
})
