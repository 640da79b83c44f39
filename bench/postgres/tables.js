// The results as tables.
import { rate, significant, size, spread, time } from '../report/text.js'
import { ROUND_TRIP } from './systems.js'

/**
 * @param {Record<string, any>} results by workload
 * @param {(row: any) => string} nameOf
 * @returns {{ title: string, columns: string[], rows: string[][] }[]}
 */
export function tables({ pairs, handoff, contended, recovery, waiting }, nameOf) {
  const found = []
  const pair = (/** @type {any} */ row) => [nameOf(row), row.mode, time(row.median), spread(row)]
  for (const [where, rows] of Object.entries(pairs ?? {})) {
    const title =
      where === 'near' ? 'Uncontended pair' : 'Uncontended pair, through a network with a round trip of 11 ms'
    found.push({ title, columns: ['', 'mode', 'median', '10–90 %'], rows: rows.map(pair) })
  }
  if (handoff) {
    found.push({
      title: 'From a release to the next writer, in another process that waits',
      columns: ['', 'median', '10–90 %', 'p99', 'handoffs'],
      rows: handoff.map((/** @type {any} */ row) => [
        nameOf(row),
        ...(row.samples > 0 ? [time(row.median), spread(row), time(row.p99)] : ['', '', '']),
        `${row.samples}`,
      ]),
    })
  }
  if (contended) {
    found.push({
      title: 'Four processes with 8 tasks each, 90 % reads, empty body',
      columns: ['', 'operations', 'longest wait to read', 'to write', 'write p99', 'connections'],
      rows: contended.map((/** @type {any} */ { median, waits, connections, ...row }) => [
        nameOf(row),
        rate(median),
        time(waits.read.usualMax),
        time(waits.write.usualMax),
        time(waits.write.p99),
        `${connections}`,
      ]),
    })
  }
  if (recovery) {
    found.push({
      title: 'From SIGKILL of a holder to the next one, which waits',
      columns: ['', 'median', '10–90 %', 'max', 'kills'],
      rows: recovery.map((/** @type {any} */ { never, ...row }) => [
        nameOf(row),
        ...(never === undefined
          ? [time(row.median), spread(row), time(row.max), `${row.samples}`]
          : [`not within ${never / 1000} s`, '', '', '1']),
      ]),
    })
  }
  if (waiting) {
    found.push({
      title: 'Waits of one process for locks that another one holds',
      columns: ['', 'waits', 'locks', 'connections of both', 'CPU', 'heap per wait'],
      rows: waiting.map((/** @type {any} */ row) => [
        nameOf(row),
        `${row.waits}`,
        `${row.locks}`,
        `${row.connections}`,
        `${significant(row.cpu * 100)} %`,
        size(row.heapPerWait),
      ]),
    })
  }
  return found.map(({ rows, ...table }) => ({ ...table, rows: rows.map(withoutLanguage) }))
}

/** @param {string[]} row */
const withoutLanguage = ([name, ...rest]) => [
  name.startsWith(ROUND_TRIP) ? 'no lock: `select 1`, one-row update' : name.replace(' (Node.js)', ''),
  ...rest,
]
