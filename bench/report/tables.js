// The results as tables, for the terminal and for people who read them later.
import { nameOf } from '../competitors.js'
import { rate, significant, size, spread, time, times } from './text.js'

/**
 * @typedef {object} Table
 * @property {string} title
 * @property {string} [note]
 * @property {string[]} columns
 * @property {string[][]} rows
 */

/** @param {Record<string, any>} results @returns {Table[]} */
export function tables(results) {
  return Object.entries(results).flatMap(([name, result]) => makers[name](result))
}

/** @param {Record<string, any>} results */
export function printTables(results) {
  for (const { title, columns, rows } of tables(results)) {
    const widths = columns.map((column, index) =>
      Math.max(column.length, ...rows.map((row) => row[index].length)),
    )
    const line = (/** @type {string[]} */ cells) =>
      cells
        .map((cell, index) => (index === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[index])))
        .join('  ')
    console.log(`\n${title}\n${line(columns)}`)
    for (const row of rows) console.log(line(row))
  }
  console.log()
}

/** @param {Table} table */
export function markdown({ title, note, columns, rows }) {
  const line = (/** @type {string[]} */ cells) => `| ${cells.join(' | ')} |`
  const rule = columns.map((_, index) => (index === 0 ? '---' : '---:'))
  return [
    `## ${title}`,
    ...(note ? ['', note] : []),
    '',
    line(columns),
    line(rule),
    ...rows.map(line),
    '',
  ].join('\n')
}

/** @type {Record<string, (result: any) => Table[]>} */
const makers = {
  pairs: ({ native, javaScript, between }) => [
    {
      title: 'Uncontended pair: acquire and release, without Node.js',
      note: 'All take turns within one process; the ratio is the median of the ratios round by round.',
      columns: ['', 'read', '10–90 %', '× pthread', 'write', '10–90 %', '× pthread'],
      rows: native.read.map((/** @type {any} */ read, /** @type {number} */ index) => {
        const write = native.write[index]
        return [
          read.name,
          ...[read, write].flatMap((one) => [time(one.median), spread(one), significant(one.ratioToPthread)]),
        ]
      }),
    },
    {
      title: 'Uncontended pair in JavaScript, in one process',
      note: 'Floors, this lock with as many slots in use, and what people use instead. All take turns; each Node.js version in a run of its own.',
      columns: ['', 'Node.js', 'median', '10–90 %', '× awaited async function'],
      rows: javaScript.map((/** @type {any} */ row) => [
        row.name,
        row.node,
        time(row.median),
        spread(row),
        significant(row.ratio),
      ]),
    },
    {
      title: 'Uncontended pair, all that lock out other processes',
      note: 'A process for each, in turns. process-rwlock (Node.js) and fs-ext are the synchronous pair here; the other locks of Node.js are awaited. A lock without readers is taken alone for reading, too.',
      columns: ['', 'mode', 'median', '10–90 %'],
      rows: between.map((/** @type {any} */ row) => [nameOf(row), row.mode, time(row.median), spread(row)]),
    },
  ],

  scaling: (rows) => {
    const counts = [...new Set(rows.map((/** @type {any} */ row) => row.processes))]
    const names = [...new Set(rows.map(nameOf))]
    return [
      {
        title: 'Read scaling: pairs per second, of all processes together',
        note: 'Median of the rounds.',
        columns: ['', ...counts.map((count) => (count === 1 ? '1 process' : `${count} processes`))],
        rows: names.map((name) => [
          /** @type {string} */ (name),
          ...counts.map((count) => {
            const row = rows.find(
              (/** @type {any} */ each) => nameOf(each) === name && each.processes === count,
            )
            return rate(row.median)
          }),
        ]),
      },
    ]
  },

  contended: (rows) =>
    [...new Set(rows.map((/** @type {any} */ row) => `${row.mix}, ${row.body}`))].map((which) => ({
      title: `Contended: 4 processes, ${which.replace(',', ' reads/writes, body')}`,
      note: 'Operations of all processes per second, median of the rounds and spread; waits over all rounds, and the longest of a usual round; share of the luckiest process by that of the unluckiest. "nothing" locks nobody out: its waits are the scheduler\'s, four processes on two cores.',
      columns: [
        '',
        'operations',
        '10–90 %',
        'read p50',
        'p99',
        'max',
        'write p50',
        'p99',
        'max',
        'usual max',
        'luckiest/unluckiest',
      ],
      rows: rows
        .filter((/** @type {any} */ row) => `${row.mix}, ${row.body}` === which)
        .map((/** @type {any} */ row) => {
          const { read, write } = row.waits
          return [
            nameOf(row),
            rate(row.median),
            `${rate(row.p10)} – ${rate(row.p90)}`,
            ...[read.p50, read.p99, read.max, write.p50, write.p99, write.max, write.usualMax].map(time),
            significant(row.luck),
          ]
        }),
    })),

  handoff: (rows) => [
    {
      title: 'Handoff: from the release of a writer to the start of the next, in another process',
      note: 'The next one sleeps. pipe: a byte from one event loop to another; futex: a word that the other process sleeps on.',
      columns: ['', 'median', '10–90 %', 'p99', 'handoffs'],
      rows: rows.map((/** @type {any} */ row) =>
        row.samples === 0
          ? [nameOf(row), 'none', '', '', '0']
          : [nameOf(row), time(row.median), spread(row), time(row.p99), String(row.samples)],
      ),
    },
  ],

  recovery: (rows) => [
    {
      title: 'Recovery: from SIGKILL of the holder to the start of the next one, who waits',
      note: 'Who is killed: a small process (for the locks of Node.js one without Node.js that takes part in the same lock), one of Node.js, or a small one that has written to 1 GB. The kernel frees memory before it frees locks. proper-lockfile polls every 5 ms here.',
      columns: ['', 'killed', 'median', '10–90 %', 'p99', 'max', 'kills'],
      rows: rows.map((/** @type {any} */ row) =>
        row.never
          ? [nameOf(row), row.size, `not within ${time(row.never * 1e6)}`, '', '', '', '1']
          : [
              nameOf(row),
              row.size,
              time(row.median),
              spread(row),
              time(row.p99),
              time(row.max),
              String(row.samples),
            ],
      ),
    },
  ],

  waiting: (rows) => [
    {
      title: 'Waiting: what a process pays that waits for locks held by another',
      note: 'CPU: more than without waits, of one core. Reading a small file: how many times as long as before.',
      columns: ['', 'waits', 'locks', 'CPU', 'threads', 'heap a wait', 'resident a wait', 'reading a file'],
      rows: rows.map((/** @type {any} */ row) => [
        nameOf(row),
        String(row.waits),
        String(row.locks),
        `${significant(row.cpu * 100)} %`,
        row.threads === null ? '' : String(row.threads),
        size(row.heapPerWait),
        size(row.residentPerWait),
        row.readingRatio === null ? 'stops' : times(row.readingRatio),
      ]),
    },
  ],

  // Results saved before have neither readers, labelled holds nor the closing of handles.
  growth: ({ slots, readers = [], locks, waiters, holds = [] }) => [
    {
      title: 'Growth with the slots of a lock in use: pairs without Node.js',
      columns: ['', 'read', 'write', 'write × pthread'],
      rows: slots.read.flatMap((/** @type {any} */ read, /** @type {number} */ index) =>
        read.name.startsWith('process-rwlock')
          ? [
              [
                read.name,
                time(read.median),
                time(slots.write[index].median),
                significant(slots.write[index].ratioToPthread),
              ],
            ]
          : [],
      ),
    },
    {
      title:
        'Growth with the readers of a lock, without Node.js: the worst includes the pauses of the machine',
      columns: ['readers', 'attach one', 'refused try to write', 'its worst in 50 ms', 'inspect'],
      rows: readers.map((/** @type {any} */ row) => [
        String(row.size),
        time(row.attach),
        time(row.refused),
        time(row.worst),
        time(row.inspect),
      ]),
    },
    {
      title: 'Growth with the locks of a process: for one of them',
      columns: ['locks', 'open', 'tryRead() and release(), in turn', 'close'],
      rows: locks.map((/** @type {any} */ row) => [
        String(row.size),
        time(row.opening),
        time(row.reading),
        time(row.closing),
      ]),
    },
    {
      title: 'Growth with the waiters of a process for one lock: for one of them',
      columns: [
        'waiters',
        'ask',
        'be granted and finish',
        'be called off',
        'close() of another lock, beside them',
      ],
      rows: waiters.map((/** @type {any} */ row) => [
        String(row.size),
        time(row.asking),
        time(row.finishing),
        time(row.calling),
        row.closing === undefined ? '–' : time(row.closing),
      ]),
    },
    {
      title: 'Growth with the labelled read holds of a process: for one of them',
      columns: ['holds', 'acquireRead({ label })', 'release()'],
      rows: holds.map((/** @type {any} */ row) => [
        String(row.size),
        time(row.acquiring),
        time(row.releasing),
      ]),
    },
  ],
}
