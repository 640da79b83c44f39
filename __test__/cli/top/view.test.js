import test from 'ava'
import { briefRate, briefTime } from '../../../dist/cli/top/brief.js'
import { pressed } from '../../../dist/cli/top/keys.js'
import { columnsOf, written } from '../../../dist/cli/top/line.js'
import { changed, firstModel } from '../../../dist/cli/top/model.js'
import { SORT_KEYS, sorted } from '../../../dist/cli/top/order.js'
import { Paint } from '../../../dist/cli/top/paint.js'
import { Sampler } from '../../../dist/cli/top/sampler.js'
import { sparkline } from '../../../dist/cli/top/sparkline.js'
import { page, roomOf, screen } from '../../../dist/cli/top/view/screen.js'
import { activity, holder, waiter } from './samples.js'

const locks = [
  activity('quiet'),
  activity('busy', { holders: [holder({ ms: 40 })] }),
  activity('waited-for', {
    holders: [holder({ mode: 'read', count: 2, label: 'reporter' })],
    waiters: [
      waiter({ pid: 7, ms: 1500, label: 'rebuild' }),
      waiter({ pid: 8, mode: 'read', ms: 20, more: 2 }),
    ],
  }),
]

function look(activities = locks, rates = {}) {
  const sampler = new Sampler()
  sampler.sample(activities, 0)
  const later = activities.map((each) => {
    const { writes = 0, waits = 0 } = rates[String(each.snapshot.name)] ?? {}
    const snapshot = { ...each.snapshot, token: each.snapshot.token + BigInt(writes) }
    return { ...each, snapshot, requests: each.requests + BigInt(waits) }
  })
  return sampler.sample(later, 1000)
}

/** @param {Partial<import('../../../dist/cli/top/view/frame.js').Frame>} [fields] */
const frame = (fields = {}) => ({
  model: firstModel('wait'),
  look: look(locks, { busy: { writes: 12_345, waits: 3 } }),
  time: new Date(2026, 0, 2, 3, 4, 5),
  interval: 1000,
  columns: 80,
  rows: 24,
  unicode: true,
  failure: null,
  report: null,
  ...fields,
})

const text = (lines) => lines.map((line) => written(line, false).trimEnd())

test('a list fills the screen: totals, locks by their longest wait, keys', (t) => {
  const lines = text(screen(frame()))
  t.is(lines.length, 24)
  t.deepEqual(lines.slice(0, 7), [
    'process-rwlock top  03:04:05  every 1 s            3 locks: 2 held, 1 waited for',
    '12,345 writes/s █  3 waits/s █                            4 waiting, up to 1.5 s',
    '',
    '  LOCK                MODE  HOLDS QUEUE    WAIT   WORST WRITE/S  WAIT/S  HISTORY',
    '> waited-for          read      2     4   1.5 s   1.5 s       0       0        ▁',
    '  busy                write     1     0       -       -  12,345       3        █',
    '  quiet               -         0     0       -       -       0       0        ▁',
  ])
  t.is(lines[23], 'q quit   ? help   enter look into   s sort   r reverse   space pause     by wait')
  const reversed = { ...firstModel('worst'), reversed: true }
  const [last = ''] = text(screen(frame({ model: reversed }))).slice(-1)
  t.is(last, 'q quit   ? help   enter look into   s sort   r reverse        by worst, reversed')
  t.is(text(screen(frame({ columns: 24 })))[23], 'q quit           by wait')
})

test('no line is wider than the screen, and a narrow one drops the columns that are needed least', (t) => {
  const named = [...locks, activity(`long-${'x'.repeat(300)}`), activity('漢字'.repeat(60))]
  for (const unicode of [true, false]) {
    for (let columns = 1; columns <= 250; columns++) {
      for (const rows of [1, 2, 5, 8, 24]) {
        for (const fields of [{}, { page: /** @type {const} */ ('lock') }, { help: true }]) {
          const model = { ...firstModel('wait'), ...fields }
          const lines = screen(frame({ look: look(named), columns, rows, unicode, model }))
          t.true(
            lines.length <= rows && lines.every((line) => columnsOf(line) <= columns),
            `${columns} x ${rows}`,
          )
        }
      }
    }
  }
  const titles = (columns) => text(screen(frame({ columns })))[3]
  t.is(titles(60), '  LOCK             MODE  HOLDS QUEUE    WAIT WRITE/S  WAIT/S')
  t.is(titles(40), '  LOCK               MODE  QUEUE    WAIT')
  t.is(titles(20), '  LOCK          WAIT')
})

test('a terminal is sent only ASCII if it has nothing else, and no colours if they are not wanted', (t) => {
  const ascii = screen(
    frame({ unicode: false, columns: 70, look: look([...locks, activity('y'.repeat(90))]) }),
  )
  t.regex(ascii.map((line) => written(line, false)).join('\n'), /^[ -~\n]*$/)
  t.true(screen(frame()).some((line) => written(line, true).includes('\x1b[')))
})

test('a name cannot send commands to the terminal', (t) => {
  const [, , , , row = ''] = text(screen(frame({ look: look([activity('a\x1b[2Jb\nc\u202ed')]) })))
  t.true(row.startsWith('> a\\x1b[2Jb\\nc\\u202ed '), row)
})

test('one lock: its holders, and its waiters in the order of the queue', (t) => {
  const died = { pid: 9, threadId: 0, label: 'old', token: 3n }
  const [, , third] = locks
  const lock = { ...third, snapshot: { ...third?.snapshot, ownerDied: died } }
  const model = { ...firstModel('wait'), page: /** @type {const} */ ('lock'), chosen: 'name:waited-for' }
  const known = { foreign: false, localPid: 100, state: /** @type {const} */ ('sleeping'), started: null }
  const report = /** @type {any} */ ({
    name: 'waited-for',
    path: null,
    holders: lock.snapshot.holders?.map((each) => ({
      ...each,
      ...known,
      command: 'node /srv/100.js',
      busy: null,
    })),
    waiters: lock.snapshot.waiters?.map((each) => ({
      ...each,
      ...known,
      command: `node /srv/${each.pid}.js`,
      state: each.pid === 7 ? 'stopped' : 'sleeping',
      skipped: false,
    })),
  })
  const lines = text(
    screen(
      frame({
        look: look([/** @type {any} */ (lock)], { 'waited-for': { writes: 2, waits: 4 } }),
        model,
        report,
      }),
    ),
  )
  t.deepEqual(lines.slice(0, 14), [
    'waited-for                                                              03:04:05',
    'held for read: 2 holds; 4 waiting, up to 1.5 s; the longest wait seen: 1.5 s',
    'writes/s         2  █',
    'waits/s          4  █',
    'waiting          4  ██',
    'last token 1002, capacity 128',
    '! its writer, pid 9 (old), died: the protected data may be half-written',
    '',
    '              PID THREAD MODE       FOR LABEL                COMMAND',
    'holds 2       100      0 read      5 ms reporter             node /srv/100.js',
    'waits 1         7      0 write    1.5 s rebuild              [stopped] node /sr…',
    'waits 2         8      0 read     20 ms node                 node /srv/8.js',
    '          and 2 more of this thread',
    '',
  ])
})

test('a process of another machine or PID namespace says where it is', (t) => {
  const places = [
    { foreign: false, localPid: null, host: 'db1', command: null },
    { foreign: true, localPid: null, host: null, command: null },
    { foreign: true, localPid: 4711, host: null, command: 'node b.js' },
    { foreign: false, localPid: 100, host: 'here', command: 'node c.js' },
  ]
  const shown = places.map((place) => ({ ...holder({ pid: 1 }), ...place, state: 'sleeping', busy: null }))
  const report = /** @type {any} */ ({ name: 'waited-for', path: null, holders: shown, waiters: [] })
  const model = { ...firstModel('wait'), page: /** @type {const} */ ('lock'), chosen: 'name:waited-for' }
  const lines = text(screen(frame({ model, report }))).slice(8, 12)
  t.deepEqual(
    lines.map((line) => line.slice(61)),
    ['(on db1)', '(in another PID na…', '(pid 4711 here) no…', 'node c.js'],
  )
})

test('a lock in a database: no capacity, no waits per second, and a standby that took over', (t) => {
  const ownerDied = { pid: 9, threadId: 0, label: 'x', token: 1n, host: 'db1', failover: false }
  const of = (fields) => {
    const lock = {
      ...activity('db', { capacity: Infinity, ownerDied: { ...ownerDied, ...fields } }),
      requests: null,
    }
    const sampler = new Sampler()
    sampler.sample([lock], 0)
    const model = { ...firstModel('wait'), page: /** @type {const} */ ('lock'), chosen: 'name:db' }
    return { look: sampler.sample([lock], 1000), model }
  }
  const lines = text(screen(frame(of({}))))
  t.is(lines[3], 'waits/s          -')
  t.is(lines[5], 'last token 1000')
  t.is(lines[6], '! its writer, pid 9 on db1 (x), died: the protected data may be half-written')
  t.is(
    text(screen(frame(of({ failover: true }))))[6],
    '! its database was replaced by a standby that may lack the last changes',
  )
  t.regex(text(screen(frame({ look: of({}).look })))[1] ?? '', /^0 writes\/s ▁ {2}- waits\/s /)
})

test('a lock that is gone meanwhile says so', (t) => {
  const model = { ...firstModel('wait'), page: /** @type {const} */ ('lock'), chosen: 'name:gone' }
  t.deepEqual(text(screen(frame({ model }))).slice(0, 2), [
    'gone                                                                    03:04:05',
    'The lock does not exist now.',
  ])
})

test('printed frames have every lock and no mark of a choice', (t) => {
  const many = Array.from({ length: 100 }, (_, index) => activity(`lock-${index}`))
  const lines = text(page(frame({ look: look(many), rows: Infinity })))
  t.is(lines.length, 103)
  t.false(lines.some((line) => line.startsWith('>')))
  t.deepEqual(text(page(frame({ look: look([]) }))).slice(2), ['No lock exists.'])
})

test('each order is by its column, and reversed', (t) => {
  const { samples } = look(locks, { busy: { writes: 9, waits: 9 }, quiet: { writes: 3 } })
  const names = (key, reversed = false) => sorted(samples, key, reversed).map(({ snapshot }) => snapshot.name)
  for (const key of /** @type {const} */ (['wait', 'worst', 'queue'])) {
    t.deepEqual(names(key), ['waited-for', 'busy', 'quiet'], key)
  }
  t.deepEqual(names('holds'), ['waited-for', 'busy', 'quiet'])
  t.deepEqual(names('writes'), ['busy', 'quiet', 'waited-for'])
  t.deepEqual(names('waits'), ['busy', 'waited-for', 'quiet'])
  const held = sorted(look([activity('a'), activity('b', { holders: [holder()] })]).samples, 'wait', false)
  t.deepEqual(
    held.map(({ snapshot }) => snapshot.name),
    ['b', 'a'],
  )
  t.deepEqual(names('name'), ['busy', 'quiet', 'waited-for'])
  t.deepEqual(names('name', true), ['waited-for', 'quiet', 'busy'])
})

test('keys choose a lock, which stays chosen when the order changes', (t) => {
  const { samples } = look()
  const after = (...actions) =>
    actions.reduce((model, action) => changed(model, action, samples, 2), firstModel('wait'))
  t.is(after('down').chosen, 'name:busy')
  t.is(after('down', 'down', 'down').chosen, 'name:quiet')
  t.is(after('down', 'up', 'up').chosen, 'name:waited-for')
  t.is(after('page-down').chosen, 'name:quiet')
  t.is(after('last').chosen, 'name:quiet')
  t.is(after('last', 'first').chosen, 'name:waited-for')
  t.is(after('down', 'reverse').chosen, 'name:busy')
  t.is(after('reverse', 'open').chosen, 'name:quiet')
  t.is(after('open').page, 'lock')
  t.is(after('open', 'back').page, 'list')
  t.is(after('open', 'help', 'back').page, 'lock')
  t.is(after('open', 'down', 'down', 'down').scroll, 2)
  t.is(after('next-order').sort, 'worst')
  t.is(after('previous-order').sort, 'name')
  t.deepEqual(
    new Set(SORT_KEYS.map((_, turns) => after(...Array(turns).fill('next-order')).sort)),
    new Set(SORT_KEYS),
  )
})

test('a chosen lock that is gone leaves the choice to the first one', (t) => {
  const model = { ...firstModel('wait'), chosen: 'name:gone' }
  const [, , , , first = ''] = text(screen(frame({ model })))
  t.true(first.startsWith('> waited-for'), first)
  t.is(changed(model, 'open', look().samples, 9).chosen, 'name:waited-for')
})

test('the reason of a failure is shown in one line', (t) => {
  const failure = 'ERR_LOCK_ACCESS: \x1b[31m no\naccess'
  t.is(text(screen(frame({ failure })))[23], 'ERR_LOCK_ACCESS: \\x1b[31m no\\naccess')
})

test('the chosen lock is on the screen, wherever it is in the list', (t) => {
  const many = look(
    Array.from({ length: 300 }, (_, index) => activity(`lock-${String(index).padStart(3, '0')}`)),
  )
  for (const at of [0, 1, 18, 19, 20, 150, 299]) {
    const chosen = `name:lock-${String(at).padStart(3, '0')}`
    const lines = text(screen(frame({ look: many, model: { ...firstModel('wait'), chosen } })))
    t.is(lines.filter((line) => line.startsWith('>')).length, 1, chosen)
  }
  t.is(roomOf(frame({ look: many })), 19)
})

test('every key of the help does what it says, and others do nothing', (t) => {
  const action = (key) => pressed(key)?.action
  t.is(action({ name: 'q', sequence: 'q' }), 'quit')
  t.is(action({ sequence: '?' }), 'help')
  t.is(action({ name: 's', sequence: 's' }), 'next-order')
  t.is(action({ name: 's', shift: true, sequence: 'S' }), 'previous-order')
  t.is(action({ name: 'return', sequence: '\r' }), 'open')
  t.is(action({ name: 'escape', sequence: '\x1b' }), 'back')
  t.is(action({ name: 'space', sequence: ' ' }), 'pause')
  t.is(pressed({ name: 'c', ctrl: true, sequence: '\x03' })?.signal, 'SIGINT')
  t.is(pressed({ name: 'z', ctrl: true, sequence: '\x1a' })?.signal, 'SIGTSTP')
  t.is(pressed({ ctrl: true, sequence: '\x1c', name: undefined })?.signal, 'SIGQUIT')
  for (const key of [{ name: 'x' }, { name: 'q', ctrl: true }, {}, { name: 'constructor' }]) {
    t.is(pressed(key), null, JSON.stringify(key))
  }
})

test('a rate has at most 7 columns', (t) => {
  const shown = [null, 0, 0.04, 2.5, 9.94, 9.96, 731.4, 12_345, 999_949, 999_951, 1.25e6, 99.9e6, 2e8]
  const expected = [
    '-',
    '0',
    '0',
    '2.5',
    '9.9',
    '10',
    '731',
    '12,345',
    '999,949',
    '1.0M',
    '1.3M',
    '99.9M',
    '200M',
  ]
  t.deepEqual(shown.map(briefRate), expected)
})

test('a time has at most 7 columns, and is never more than passed', (t) => {
  const shown = [0, 0.4, 999.9, 1000, 1999, 9999, 10_000, 119_999, 120_000, 7_199_999, 7_200_000, 172_800_000]
  const expected = [
    '0 ms',
    '0 ms',
    '999 ms',
    '1.0 s',
    '1.9 s',
    '9.9 s',
    '10 s',
    '119 s',
    '2 min',
    '119 min',
    '2 h',
    '2 d',
  ]
  t.deepEqual(shown.map(briefTime), expected)
})

test('a sparkline is relative to its greatest value, and shows less than the lowest bar only for 0', (t) => {
  t.is(sparkline([0, 1, 50, 100], 4, true), '▁▂▅█')
  t.is(sparkline([null, 0, 0], 5, true), '   ▁▁')
  t.is(sparkline([9, 9, 1, 2], 2, true), '▅█')
  t.is(sparkline([0, 100], 2, false), '_@')
})

// biome-ignore lint/suspicious/noControlCharactersInRegex: that is what it finds
const SEQUENCE = /\x1b\[([?\d;]*[A-Za-z])|([^\x1b])/gu

/** What a terminal of this size shows after these bytes: enough of one for what `Paint` sends. */
function terminal(columns, rows) {
  const cells = Array.from({ length: rows }, () => Array(columns).fill(' '))
  let [row, column] = [0, 0]
  const feed = (bytes) => {
    for (const [, sequence, character] of bytes.matchAll(SEQUENCE)) {
      if (character !== undefined) {
        if (row >= rows || column >= columns) throw new Error('written outside of the screen')
        cells[row][column++] = character
      } else if (sequence === '2J') for (const line of cells) line.fill(' ')
      else if (sequence === 'K') cells[row].fill(' ', column)
      else if (sequence.endsWith('H'))
        [row, column] = sequence
          .slice(0, -1)
          .split(';')
          .map((at) => Number(at) - 1)
      else if (!/^(\d+m|\?2026[hl])$/.test(sequence)) throw new Error(`unknown sequence ${sequence}`)
    }
  }
  return { feed, lines: () => cells.map((line) => line.join('').trimEnd()) }
}

test('after every change the terminal shows the new frame, whatever it showed before', (t) => {
  const [columns, rows] = [80, 24]
  for (const colours of [true, false]) {
    const paint = new Paint(colours)
    const shown = terminal(columns, rows)
    let token = 1
    for (let step = 0; step < 300; step++) {
      token = (token * 48271) % 2147483647
      const count = token % 40
      const activities = Array.from({ length: count }, (_, index) =>
        activity(`${token % 7}-${'n'.repeat((token + index) % 60)}`, {
          holders: index % 3 === 0 ? [holder()] : [],
        }),
      )
      const model = {
        ...firstModel('name'),
        help: token % 11 === 0,
        page: token % 5 === 0 ? /** @type {const} */ ('lock') : /** @type {const} */ ('list'),
      }
      const lines = screen(frame({ look: look(activities), model, columns, rows }))
      if (token % 13 === 0) paint.forget()
      shown.feed(paint.update(lines, { columns, rows }))
      t.deepEqual(shown.lines(), text(lines))
    }
  }
})

test('a frame that has not changed sends nothing, and one line that has sends that line', (t) => {
  const paint = new Paint(false)
  const size = { columns: 80, rows: 24 }
  const update = (fields) => paint.update(screen(frame(fields)), size)
  t.true(update().length > 500)
  t.is(update(), '')
  const clockOnly = update({ time: new Date(2026, 0, 2, 3, 4, 6) })
  t.true(clockOnly.includes('03:04:06') && clockOnly.length < 130, clockOnly)
  t.true(paint.update(screen(frame({ columns: 70 })), { ...size, columns: 70 }).includes('\x1b[2J'))
})
