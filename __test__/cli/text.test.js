// Text for people: times, widths, tables, colours.
import { listOf } from '../../dist/cli/ls/run.js'
import { quoted } from '../../dist/cli/process-info.js'
import { pageOf } from '../../dist/cli/show/page.js'
import { dateTime, duration, size } from '../../dist/cli/text/duration.js'
import { outputOf } from '../../dist/cli/text/output.js'
import { table } from '../../dist/cli/text/table.js'
import { fitted, harmless, padded, widthOf, wrapped } from '../../dist/cli/text/width.js'
import { test } from '../helpers/index.js'

const PIPE = outputOf({}, {})

/** A terminal of this width. @param {number} columns @param {NodeJS.ProcessEnv} [env] */
const terminal = (columns, env = {}) =>
  outputOf({ isTTY: true, columns, hasColors: (_count, env) => !('NO_COLOR' in env) }, env)

test('durations have at most two units, and the second only if it counts', (t) => {
  const texts = /** @type {const} */ ([
    [0, '?'],
    [0.2, '1 ms'],
    [12.4, '12 ms'],
    [999.4, '999 ms'],
    [999.6, '1.0 s'],
    [4200, '4.2 s'],
    [9949, '9.9 s'],
    [9951, '10 s'],
    [59_400, '59 s'],
    [59_600, '1 min'],
    [185_000, '3 min 5 s'],
    [3_600_000, '1 h'],
    [7_800_000, '2 h 10 min'],
    [86_400_000, '1 d'],
    [3 * 86_400_000 + 4 * 3_600_000 + 59_000, '3 d 4 h'],
  ])
  for (const [ms, text] of texts) t.is(duration(ms), text)
  t.is(dateTime(new Date(2026, 0, 2, 3, 4, 5)), '2026-01-02 03:04:05')
  t.deepEqual([12, 52_928, 999_600, 1_250_000, 2_000_000_000].map(size), [
    '12 bytes',
    '53 kB',
    '1.0 MB',
    '1.3 MB',
    '2.0 GB',
  ])
})

test('the width of a text is that in a terminal', (t) => {
  t.is(widthOf('abc'), 3)
  t.is(widthOf('名前'), 4)
  t.is(widthOf('e\u0301'), 1)
  t.is(widthOf('🔒'), 2)
  t.is(widthOf('✅⚡⏰🟢'), 8)
  t.is(widthOf('☀🖥'), 2, 'symbols that are shown as text')
  t.is(widthOf('🇩🇪'), 2)
  t.is(widthOf('\x1b[1mabc\x1b[22m'), 3)
  t.deepEqual(
    [4, 3, 2, 1, 0].map((width) => fitted('名前x', width)),
    ['名…', '名…', '…', '…', ''],
  )
  t.is(fitted('abc', 3), 'abc')
  t.is(padded('名', 4), '名  ')
  t.is(padded('名', 4, 'right'), '  名')
  t.deepEqual(wrapped('one two three', 7), ['one two', 'three'])
  t.deepEqual(wrapped('unbreakable x', 4), ['unbreakable', 'x'])
})

test('a terminal that does not know its size is taken for one of 80 columns', (t) => {
  t.is(terminal(0).width, 80)
  t.is(PIPE.width, Infinity)
})

test('control characters are escaped', (t) => {
  t.is(harmless('a\x1b[2Jb\r\n\t\x7f\x9b\u2028'), 'a\\x1b[2Jb\\r\\n\\t\\x7f\\x9b\\u2028')
  t.is(harmless('ä 名 🔒'), 'ä 名 🔒')
})

test('arguments are quoted as for a shell', (t) => {
  t.is(quoted(['node', 'a b', "it's", '', '--x=1']), "node 'a b' 'it'\\''s' '' --x=1")
})

test('a table fits into the terminal: the widest column that may be cut gives way', (t) => {
  const columns = [
    { title: 'A', least: 4 },
    { title: 'NUMBER', align: /** @type {const} */ ('right') },
    { title: 'EMPTY' },
    { title: 'C', least: 3 },
  ]
  const rows = [
    ['a'.repeat(30), '7', '', 'c'.repeat(10)],
    ['b', '123', '', 'c'],
  ]
  t.deepEqual(table(columns, rows, PIPE), [
    `A${' '.repeat(31)}NUMBER  C`,
    `${'a'.repeat(30)}       7  cccccccccc`,
    `b${' '.repeat(34)}123  c`,
  ])
  t.deepEqual(table(columns, rows, terminal(30, { NO_COLOR: '1' })), [
    'A           NUMBER  C',
    'aaaaaaaaa…       7  cccccccccc',
    'b              123  c',
  ])
  for (const width of [24, 20, 18]) {
    for (const line of table(columns, rows, terminal(width)))
      t.true(widthOf(line) <= width, `${width}: ${line}`)
  }
})

test('colours are for terminals without NO_COLOR', (t) => {
  t.is(PIPE.style('red', 'x'), 'x')
  t.is(terminal(80, { NO_COLOR: '1' }).style('red', 'x'), 'x')
  t.is(terminal(80).style('red', 'x'), '\x1b[31mx\x1b[39m')
  t.is(PIPE.width, Number.POSITIVE_INFINITY)
})

const PROCESS = {
  pid: 4_194_304,
  threadId: 12,
  label: 'a label of forty-eight bytes, the most it can be',
  foreign: false,
  localPid: 4_194_304,
  command: `node ${'x'.repeat(200)}`,
  state: 'stopped',
  started: '2026-11-27T13:42:33.140Z',
}
const REPORT = /** @type {import('../../src/cli/report.js').LockReport} */ (
  /** @type {unknown} */ ({
    name: 'my-app/'.padEnd(255, 'x'),
    path: null,
    status: 'held',
    mode: 'upgradable',
    holders: [{ ...PROCESS, mode: 'upgradable', count: 1, ms: 1e9, busy: null }],
    waiters: [{ ...PROCESS, mode: 'write', count: 1, ms: 1e8, more: 1234, skipped: true }],
    contended: true,
    token: '1795786954253326864',
    ownerDied: { pid: 1, threadId: 0, label: 'x', token: '1' },
    capacity: 128,
    maxReaders: null,
    value: Buffer.from('v'.repeat(300)).toString('base64'),
    valueToken: '1',
    attached: [],
    file: '/dev/shm/process-rwlock-0/6094d73ebb379ffa99e9d422b8122d3a/record',
    memory: 'process-rwlock-0-87bfbef72a7e7165',
    bytes: 52_928,
    error: null,
  })
)

test('the list has no line longer than the terminal', (t) => {
  const [head, row, ...rest] = listOf([REPORT], terminal(80, { NO_COLOR: '1' }))
  t.deepEqual(rest, [])
  t.is(head, 'LOCK              MODE        HELD BY               FOR  WAIT  LONGEST  NOTES')
  t.is(widthOf(row), 80, row)
  t.regex(row, /^my-app\/x+… {2}upgradable {2}4194304\/12 .*… {2}11 d 13 h {2}1235 {2}1 d 3 h {2}stopped/)
  t.true(listOf([REPORT], PIPE)[1].includes(REPORT.name ?? '?'), 'a pipe gets it whole')
})

test('the page of a lock cuts command lines to the terminal, and is whole in a pipe', (t) => {
  const lines = pageOf(REPORT, terminal(80, { NO_COLOR: '1' }))
  for (const line of lines.filter((line) => line.includes('node x'))) t.is(widthOf(line), 80)
  t.true(pageOf(REPORT, PIPE).join('\n').includes('x'.repeat(200)))
})
