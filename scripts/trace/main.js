// npm run test:trace: records processes that share a lock, exactly and by sampling, opens both
// traces in Perfetto's trace processor, and compares what that has read with what is in the files.
import assert from 'node:assert/strict'
import { fork, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { readEvents } from '../../__test__/trace/read-trace.js'
import { readArguments } from '../lib/arguments.js'
import { root } from '../lib/run.js'
import { setup } from '../lib/setup.js'
import { readInChrome, takePicture } from './chromium.js'
import { PerfettoTrace } from './perfetto.js'

const HELP = `npm run test:trace                 opens real traces in Perfetto's trace processor
npm run test:trace -- --chromium   also opens them in Chrome's trace viewer
npm run test:trace -- --picture    also makes the picture of the documentation, with Chromium
npm run test:trace -- --keep DIR   leaves the traces there`

const NAME = 'my-app/cache'
const SECONDS = 1.5
const ROLES = ['web 1', 'web 2', 'rebuild', 'import']

/** @param {string} folder where the two traces go */
async function record(folder) {
  const [recorded, sampled] = [join(folder, 'recorded.json'), join(folder, 'sampled.json')]
  rmSync(recorded, { force: true }) // a recording is appended to it
  const locks = mkdtempSync(join(tmpdir(), 'process-rwlock-trace-'))
  const env = { ...process.env, PROCESS_RWLOCK_DIR: locks, PROCESS_RWLOCK_TRACE: recorded }
  const cli = fileURLToPath(new URL('dist/cli/main.js', root))
  const tracer = spawn(process.execPath, [cli, 'trace', NAME, '--interval', '5', '--out', sampled], {
    env: { ...env, PROCESS_RWLOCK_TRACE: '' },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const tracerEnd = ended(tracer)
  /** @type {import('node:child_process').ChildProcess[]} */
  const children = []
  try {
    await new Promise((resolve) => tracer.stderr?.once('data', resolve))
    const ends = ROLES.map((role) => {
      const child = fork(new URL('scene.js', import.meta.url), [role, NAME, String(SECONDS)], { env })
      children.push(child)
      if (role === 'import')
        child.on('message', (said) => said === 'writes' && setTimeout(() => child.kill('SIGKILL'), 100))
      return ended(child)
    })
    await Promise.all(ends)
    tracer.kill('SIGINT')
    assert.equal(await tracerEnd, 0, 'the recording by sampling')
  } finally {
    for (const child of [tracer, ...children]) child.kill('SIGKILL')
    rmSync(locks, { recursive: true, force: true })
  }
  return { recorded, sampled, pids: new Map(ROLES.map((role, index) => [role, children[index]?.pid])) }
}

/** @param {import('node:child_process').ChildProcess} child */
const ended = (child) => new Promise((resolve) => child.once('close', resolve))

/**
 * Compares a trace as Perfetto has read it with its events.
 *
 * @param {Buffer} text
 * @param {any[]} events
 */
async function compare(text, events) {
  const file = readEvents(events)
  const trace = await PerfettoTrace.open(text)
  try {
    await compareOpen(trace, file)
  } finally {
    trace.close()
  }
  return file
}

/**
 * @param {PerfettoTrace} trace
 * @param {ReturnType<typeof readEvents>} file
 */
async function compareOpen(trace, file) {
  const slices = await trace.query(
    `select s.name, s.category, s.ts, s.dur, s.depth, thread.tid, thread.name as thread, process.pid, process.name as process
     from slice s join thread_track on s.track_id = thread_track.id join thread using (utid) join process using (upid)
     order by s.ts, s.id`,
  )
  const faults = await trace.query(
    `select name, value from stats where value > 0 and severity in ('error', 'data_loss')`,
  )
  assert.deepEqual(faults, [], 'Perfetto finds no fault in the file')

  const line = (...parts) => parts.join(' | ')
  const ns = (/** @type {number} */ us) => Math.round(us * 1000)
  const rowOf = ({ pid, tid }) =>
    line(file.processes.get(pid)?.name, pid, file.processes.get(pid)?.threads.get(tid), tid)
  const spans = file.spans.map((span) => {
    const dur = span.end === null ? 'open' : ns(span.end) - ns(span.begin)
    return line(rowOf(span), span.cat, span.name, ns(span.begin), dur, span.depth)
  })
  const read = slices
    .filter(({ category }) => category !== 'mark')
    .map(({ process, pid, thread, tid, category, name, ts, dur, depth }) =>
      line(process, pid, thread, tid, category, name, ts, Number(dur) < 0 ? 'open' : dur, depth),
    )
  assert.deepEqual(sorted(read), sorted(spans), 'the spans')

  const marks = await trace.query(`select name from slice where category = 'mark'`)
  assert.deepEqual(
    sorted(marks.map(({ name }) => name)),
    sorted(file.marks.map(({ name }) => name)),
    'the marks',
  )
  const counts = await trace.query(
    'select process_counter_track.name, c.value, pid from counter c join process_counter_track on c.track_id = process_counter_track.id join process using (upid)',
  )
  assert.deepEqual(
    sorted(counts.map(({ name, value, pid }) => line(name, value, pid))),
    sorted(file.counts.map(({ name, unit, value, pid }) => line(`${name} ${unit}`, value, pid))),
    'the counters',
  )
  const overlaps = await trace.query(
    `with hold as (select s.name, s.ts, s.ts + s.dur as end, s.id from slice s where s.category = 'hold' and s.dur >= 0)
     select a.id, b.id as other from hold a join hold b on a.id < b.id and a.ts < b.end - 20000 and b.ts < a.end - 20000
     where a.name = 'write ${NAME}' or (a.name = 'read ${NAME}' and b.name = 'write ${NAME}')`,
  )
  assert.deepEqual(overlaps, [], 'a write hold overlaps no other hold')
}

const sorted = (/** @type {any[]} */ all) => all.map(String).toSorted()

async function main() {
  const { values } = readArguments(HELP, {
    chromium: { type: 'boolean' },
    picture: { type: 'boolean' },
    keep: { type: 'string' },
  })
  const folder = values.keep ?? mkdtempSync(join(tmpdir(), 'process-rwlock-trace-'))
  mkdirSync(folder, { recursive: true })
  try {
    const { recorded, sampled, pids } = await record(folder)
    const text = readFileSync(recorded)
    const exact = await compare(text, JSON.parse(`${text}]`))
    const died = exact.marks.find(({ name }) => name === `owner died: ${NAME}`)
    assert.equal(died?.args.pid, pids.get('import'), 'the killed import is named by the next holder')
    assert.deepEqual(
      exact.spans.filter(({ end }) => end === null).map(({ pid, args }) => [pid, args.label]),
      [[pids.get('import'), 'import']],
      'only the hold of the killed process has no end',
    )
    for (const role of ROLES) assert.equal(exact.processes.get(Number(pids.get(role)))?.name, role)
    assert.deepEqual(
      [...(exact.processes.get(Number(pids.get('web 1')))?.threads.values() ?? [])]
        .filter((row) => !/\(/.test(row))
        .toSorted(),
      ['main thread', 'worker 1'],
    )
    report('recorded', exact)

    const seen = readFileSync(sampled)
    const samples = await compare(seen, JSON.parse(String(seen)).traceEvents)
    assert.ok(samples.spans.some(({ pid, args }) => pid === pids.get('import') && args.label === 'import'))
    assert.ok(samples.marks.some(({ name }) => name === `owner died: ${NAME}`))
    report('sampled', samples)
    await breakIt(String(text))
    if (values.chromium) {
      await compareInChrome(text, exact)
      await compareInChrome(seen, samples)
    }
    if (values.picture) await takePicture(recorded, ROLES, fileURLToPath(new URL('docs/trace.png', root)))
  } finally {
    if (values.keep === undefined) rmSync(folder, { recursive: true, force: true })
  }
}

/** @param {Buffer} text @param {ReturnType<typeof readEvents>} file */
async function compareInChrome(text, { spans }) {
  const seen = await readInChrome(String(text))
  assert.deepEqual(seen.warnings, [], "Chrome's viewer finds no fault in the file")
  assert.deepEqual(
    sorted(seen.spans),
    sorted(spans.map(({ name, end }) => `${name}${end === null ? ', open' : ''}`)),
    "the spans in Chrome's viewer",
  )
  console.log(`${spans.length} spans in Chrome's trace viewer`)
}

/** The comparison must find each of these faults. @param {string} text a recorded trace */
async function breakIt(text) {
  const events = JSON.parse(`${text}]`)
  const lines = text.split('\n')
  const without = (/** @type {(line: string) => boolean} */ matches) =>
    lines.toSpliced(lines.findLastIndex(matches), 1).join('\n')
  const faults = {
    'a span does not begin': without((line) => line.includes('"ph":"B"')),
    'a span does not end': without((line) => line.includes('"ph":"E"')),
    'a mark is missing': without((line) => line.includes('"ph":"i"')),
    'a count is missing': without((line) => line.includes('"ph":"C"')),
    'a row has no name': without((line) => line.includes('thread_name')),
    'half of a line': text.slice(0, text.lastIndexOf('"')),
  }
  for (const [fault, broken] of Object.entries(faults)) {
    await assert.rejects(compare(Buffer.from(broken), events), { code: 'ERR_ASSERTION' }, fault)
  }
  console.log(`${Object.keys(faults).length} broken traces: found`)
}

/** @param {string} what @param {Awaited<ReturnType<typeof compare>>} trace */
function report(what, { processes, spans, marks, counts }) {
  console.log(
    `${what}: ${processes.size} processes, ${spans.length} spans, ${marks.length} marks, ${counts.length} counts: as Perfetto reads them`,
  )
}

await setup()
await main()
