import test from 'ava'
import { ratiosFor, ratiosOf, slower, TOLERANCE } from '../../bench/check.js'
import { Histogram } from '../../bench/histogram.js'
import { ratiosTo } from '../../bench/inprocess/measure.js'
import { goals as goalsOverServers } from '../../bench/postgres/goals.js'
import { goals } from '../../bench/report/goals.js'
import { noticed } from '../../bench/workloads/caching.js'
import { contended } from '../../bench/workloads/contended.js'
import { handoffs } from '../../bench/workloads/handoff.js'
import { PROMISE } from '../../bench/workloads/pairs.js'
import { median, percentile, summary } from '../../scripts/lib/statistics.js'

test('a percentile is interpolated between the closest ranks', (t) => {
  const samples = Array.from({ length: 101 }, (_, index) => 101 - index)
  t.deepEqual(summary(samples), { median: 51, p10: 11, p90: 91, p99: 100, min: 1, max: 101, samples: 101 })
  t.is(median([4, 1, 3, 2]), 2.5)
  t.is(percentile([10, 0], 75), 7.5)
  t.deepEqual(summary([7]), { median: 7, p10: 7, p90: 7, p99: 7, min: 7, max: 7, samples: 1 })
})

test('a histogram of several drivers gives the percentiles of the waits', (t) => {
  const histogram = new Histogram()
  t.is(histogram.percentile(50), 0)
  histogram.add({ buckets: [[80, 98]], max: 1100 }) // 2^10 to 2^10.125
  histogram.add({ buckets: [[80, 1], [160, 1]], max: 2 ** 20 }) // biome-ignore format: a bucket each
  t.is(histogram.percentile(50), 2 ** (81 / 8))
  t.is(histogram.percentile(99), 2 ** (81 / 8))
  t.is(histogram.percentile(100), 2 ** 20)
  t.is(histogram.max, 2 ** 20)
})

test('a handoff is counted if the next holder waited and is another process', (t) => {
  const first = [
    [0, 1, 10],
    [11, 30, 40],
    [41, 45, 50], // alone again
  ]
  const second = [
    [5, 12, 29], // requested while the first held it
    [60, 61, 70], // requested when it was free
  ]
  t.deepEqual(handoffs([first, second]), [2, 1])
})

test('a notice is timed from the request that it is about', (t) => {
  const kept = [
    [0, 12, 13],
    [20, 31, 32], // for a request that came before the hold
  ]
  const holds = [
    [10, 14, 15],
    [19, 33, 34],
  ]
  t.deepEqual(noticed(kept, holds), [2])
})

test('ratios are computed for each round', (t) => {
  const measured = [
    { name: 'base', times: [10, 1000, 20] },
    { name: 'other', times: [20, 2000, 60] },
  ]
  t.deepEqual(ratiosTo(measured, 'base'), { base: 1, other: 2 })
  t.throws(() => ratiosTo(measured, 'missing'))
})

const measured = (ratio) => ({
  native: {
    read: [
      { name: 'pthread_rwlock_t', ratioToPthread: 1 },
      { name: 'process-rwlock, 1 attached', ratioToPthread: 0.75 * ratio },
    ],
    write: [],
  },
  javaScript: [
    { node: 'v20.1.0', group: 'floors', name: 'empty N-API function, twice', min: 5 },
    { node: 'v20.1.0', group: 'floors', name: PROMISE, min: 10 },
    { node: 'v20.1.0', group: 'ours', name: 'tryRead() and release(), 1 slots', min: 10 * ratio },
    { node: 'v20.1.0', group: 'ours', name: 'await read(() => {}), 1 slots', min: 20 * ratio },
    { node: 'v24.1.0', group: 'ours', name: 'await read(() => {}), 1 slots', min: 9 },
  ],
})

test('the check compares ratios with the saved ratios, and finds each that is worse', (t) => {
  const saved = ratiosOf(measured(1))
  t.deepEqual(Object.values(saved), [0.75, 2, 2])
  t.deepEqual(slower(saved, ratiosOf(measured(TOLERANCE * 0.99))), [])
  t.is(slower(saved, ratiosOf(measured(TOLERANCE * 1.01))).length, 3)
  t.deepEqual(slower(saved, ratiosOf(measured(0.1))), [])
  t.throws(() => slower({ ...saved, 'what is not measured any more': 1 }, ratiosOf(measured(1))))
})

test('ratios are compared with those of the same processor, or otherwise with the largest', (t) => {
  const all = { first: { read: 1, write: 4 }, second: { read: 2, write: 3 } }
  t.deepEqual(ratiosFor(all, 'second'), { read: 2, write: 3 })
  t.deepEqual(ratiosFor(all, 'another'), { read: 2, write: 4 })
})

test('a missed goal is not reported as reached', (t) => {
  const waiting = (cpu) => [
    {
      system: 'process-rwlock',
      language: 'Node.js',
      waits: 1000,
      locks: 1,
      cpu,
      heapPerWait: 900,
      residentPerWait: 1000,
      readingRatio: null,
    },
  ]
  const reached = (results) => goals(results).map((goal) => goal.reached)
  t.deepEqual(reached({ waiting: waiting(0.004) }), [true, true, true, false])
  t.deepEqual(reached({ waiting: waiting(0.006) }), [false, true, true, false])
})

test('the goals of the lock over PostgreSQL are ratios to those of the same run', (t) => {
  const row = (system, median, more) => ({ system, median, ...more })
  const pairs = (ours) =>
    ['read', 'write'].flatMap((mode) => [
      row('select 1, update', 100, { mode }),
      row('process-rwlock/postgres', ours, { mode }),
    ])
  const waits = (usualMax) => ({ read: { usualMax: 0 }, write: { usualMax } })
  const contended = (operations, longest, connections) => [
    row('process-rwlock/postgres', operations, { waits: waits(longest), connections }),
    row('redlock', 1000, { waits: waits(100), connections: 4 }),
  ]
  const reached = (results) => goalsOverServers(results).map((goal) => goal.reached)
  t.deepEqual(reached({ pairs: { near: pairs(110), far: pairs(100) } }), [true, true, true])
  t.deepEqual(reached({ pairs: { near: pairs(161), far: pairs(200) } }), [false, false, false])
  t.deepEqual(reached({ contended: contended(1001, 99, 8) }), [true, true, true])
  t.deepEqual(reached({ contended: contended(999, 101, 9) }), [false, false, false])
  t.deepEqual(reached({ recovery: [row('process-rwlock/postgres', 8e6)] }), [true])
  t.deepEqual(reached({ recovery: [row('process-rwlock/postgres', 8.1e6)] }), [false])
})

test('only a workload that has tasks sends their number, which most drivers refuse', async (t) => {
  /** @type {Set<string>} */
  const fields = new Set()
  const waits = { read: { buckets: [], max: 0 }, write: { buckets: [], max: 0 } }
  const driver = /** @type {any} */ ({
    /** @param {object} command */
    ask(command) {
      for (const field of Object.keys(JSON.parse(JSON.stringify(command)))) fields.add(field)
      return { reads: 1, writes: 1, ns: 1e6, waits }
    },
    end() {},
  })
  const competitor = { system: 'strict', language: /** @type {const} */ ('C'), start: async () => driver }
  await contended({ competitors: [competitor], quick: true, log() {} })
  t.deepEqual([...fields].toSorted(), ['at', 'body', 'do', 'ns', 'readShare'])
})
