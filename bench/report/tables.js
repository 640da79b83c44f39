// The results as tables, for the terminal and for bench/results/README.md.
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
  return Object.entries(results)
    .flatMap(([name, result]) => makers[name](result))
    .filter(({ rows }) => rows.length > 0)
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
      note: 'All take turns in one process; the ratio is the median of the ratios of each round.',
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
      note: 'Floors, this lock with 1, 16 and 128 slots in use, and other locks. All take turns; each version of Node.js has a separate run.',
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
      title: 'Uncontended pair, all locks that exclude other processes',
      note: 'Each lock has a process; they take turns. process-rwlock (Node.js), fs-ext and fs-native-extensions use their synchronous pair; the other locks of Node.js are awaited. A lock without a shared mode reads exclusively.',
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
      note: 'Operations of all processes per second, median of the rounds and spread; waits over all rounds, and the median of the longest wait in each round; the share of the luckiest process divided by that of the unluckiest. "nothing" excludes no process: its waits are those of the scheduler, for four processes on two cores.',
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
      title: 'Handoff: from the release of a writer to the start of the next writer, in another process',
      note: 'The next writer sleeps. pipe: a byte from one event loop to another; futex: a word that the other process sleeps on.',
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
      title: 'Recovery: from SIGKILL of the holder to the start of the next holder, which waits',
      note: 'The killed process is small (for the locks of Node.js, one without Node.js that uses the same lock), or runs Node.js, or has written to 1 GB. The kernel frees memory before it frees locks. proper-lockfile and lockfile poll every 5 ms here, cross-process-lock every 500 ms.',
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
      title: 'Waiting: the cost for a process that waits for locks held by another',
      note: 'CPU: share of one core, beyond that without waits. Reading a file: how many times as long as without waits.',
      columns: [
        '',
        'waits',
        'locks',
        'CPU',
        'threads',
        'heap per wait',
        'resident per wait',
        'reading a file',
      ],
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

  caching: ({ operations, notices }) => [
    {
      title: 'Lock caching: operations per second of one process',
      note: 'The hold is kept until another process wants the lock, or the lock is acquired for each operation. Both take turns; the ratio is the median of the ratios of each round. An operation on a file increments the number in it; while the hold is kept, the number is in memory.',
      columns: ['other processes', 'kept', '10–90 %', 'acquired', '10–90 %', 'ratio'],
      rows: operations.map((/** @type {any} */ { others, cached, acquired, ratio }) => [
        others,
        ...[cached, acquired].flatMap((one) => [rate(one.median), `${rate(one.p10)} – ${rate(one.p90)}`]),
        significant(ratio),
      ]),
    },
    {
      title: 'Lock caching: from the request of another process',
      note: 'The holder waits in whenContended(), and releases when it resolves. pipe: a byte from one event loop to another.',
      columns: ['', 'median', '10–90 %', 'p99', 'samples'],
      rows: Object.entries({
        'to the notice of the holder': notices.notice,
        'to the grant': notices.grant,
        pipe: notices.pipe,
      }).map(([name, row]) => [name, time(row.median), spread(row), time(row.p99), String(row.samples)]),
    },
  ],

  // Older saved results lack readers, named locks, labelled holds and the closing of handles.
  commands: ({ node, rows }) => [
    {
      title: `A short command under a free lock, Node.js ${node}`,
      note: 'All take turns; the ratio is the median of the ratios of each round.',
      columns: ['', 'time', '× node -e 0'],
      rows: rows.map((/** @type {any} */ row) => [row.name, time(row.median * 1e6), times(row.ratio)]),
    },
  ],
  growth: ({ slots, readers = [], locks, named = [], waiters, holds = [] }) => [
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
      title: 'Growth with the readers of a lock, without Node.js: the slowest includes pauses of the machine',
      columns: ['readers', 'attach one', 'refused tryWrite', 'slowest in 50 ms', 'inspect'],
      rows: readers.map((/** @type {any} */ row) => [
        String(row.size),
        time(row.attach),
        time(row.refused),
        time(row.worst),
        time(row.inspect),
      ]),
    },
    {
      title: 'Growth with the locks of a process: cost for one lock',
      columns: ['locks', 'open', 'tryRead() and release(), in turn', 'close'],
      rows: locks.map((/** @type {any} */ row) => [
        String(row.size),
        time(row.opening),
        time(row.reading),
        time(row.closing),
      ]),
    },
    {
      title: 'Growth with the named locks of a user, half of them held: cost for one lock',
      columns: ['locks', 'list()', '× the file', 'inspect()', 'prune()', 'open, read and close a file'],
      rows: named.map((/** @type {any} */ row) => [
        String(row.size),
        time(row.listing),
        significant(row.listing / row.floor),
        time(row.inspecting),
        time(row.pruning),
        time(row.floor),
      ]),
    },
    {
      title: 'Growth with the waiters of a process for one lock: cost for one waiter',
      columns: [
        'waiters',
        'request',
        'be granted and finish',
        'be aborted',
        'close() of another lock meanwhile',
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
      title: 'Growth with the labelled read holds of a process: cost for one hold',
      columns: ['holds', 'acquireRead({ label })', 'release()'],
      rows: holds.map((/** @type {any} */ row) => [
        String(row.size),
        time(row.acquiring),
        time(row.releasing),
      ]),
    },
  ],
}
