// Reads a trace strictly: what it takes has no event that a viewer would have to guess at.
// Source of the rules: "Trace Event Format",
// https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU
import { readFileSync } from 'node:fs'

/**
 * @typedef {{ pid: number, tid: number, name: string, cat: string, args: any, begin: number, end: number | null, depth: number, endArgs: any }} Span
 * @typedef {{ pid: number, tid: number, name: string, s: string, ts: number, args: any }} Mark
 * @typedef {{ pid: number, name: string, ts: number, unit: string, value: number }} Count
 * `end` is `null` if the span did not end. Times are in µs.
 */

const METADATA = {
  process_name: 'name',
  process_labels: 'labels',
  thread_name: 'name',
  thread_sort_index: 'sort_index',
  process_sort_index: 'sort_index',
}

/** @param {string} file of PROCESS_RWLOCK_TRACE: an array that nobody closes */
export const readRecord = (file) => readEvents(JSON.parse(`${readFileSync(file, 'utf8')}]`))

/** @param {any[]} events */
export function readEvents(events) {
  /** @type {Map<number, { name?: string, labels?: string, threads: Map<number, string> }>} */
  const processes = new Map()
  /** @type {Map<string, { last: number, open: Span[] }>} */
  const rows = new Map()
  /** @type {Span[]} */
  const spans = []
  /** @type {Mark[]} */
  const marks = []
  /** @type {Count[]} */
  const counts = []
  const check = (holds, event) => {
    if (!holds) throw new Error(`not an event: ${JSON.stringify(event)}`)
  }

  for (const event of events) {
    const { ph, pid, tid, ts, name, cat, s, args } = event
    check(Number.isInteger(pid) && pid > 0, event)
    check(tid === undefined ? ph === 'C' || ph === 'M' : Number.isInteger(tid) && tid > 0, event)
    check(args === undefined || (typeof args === 'object' && args !== null), event)
    if (ph !== 'E') check(typeof name === 'string' && name !== '' && args !== undefined, event)
    if (ph === 'M') {
      const value = args[METADATA[name]]
      check(METADATA[name] === 'sort_index' ? Number.isInteger(value) : typeof value === 'string', event)
      const known = processes.get(pid) ?? { threads: new Map() }
      processes.set(pid, known)
      if (name === 'thread_name') known.threads.set(tid, value)
      else if (METADATA[name] !== 'sort_index') known[METADATA[name]] = value
      continue
    }
    check(Number.isFinite(ts) && ts > 0, event)
    check(processes.get(pid)?.name !== undefined, event)
    if (ph === 'C') {
      const [[unit, value] = ['', Number.NaN], ...others] = Object.entries(args)
      check(others.length === 0 && Number.isFinite(value), event)
      counts.push({ pid, name, ts, unit, value })
      continue
    }
    const key = `${pid}/${tid}`
    const row = rows.get(key) ?? { last: 0, open: [] }
    rows.set(key, row)
    if (ph === 'i') {
      check(s === 't' || s === 'p' || s === 'g', event)
      check(processes.get(pid)?.threads.has(tid), event)
      marks.push({ pid, tid, name, s, ts, args })
      continue
    }
    check(processes.get(pid)?.threads.has(tid), event)
    check(ts >= row.last, event) // viewers sort the events by their times, which must not change their order
    row.last = ts
    if (ph === 'B') {
      check(['hold', 'wait'].includes(cat), event)
      const span = {
        pid,
        tid,
        name,
        cat,
        args,
        begin: ts,
        end: null,
        depth: row.open.length,
        endArgs: undefined,
      }
      row.open.push(span)
      spans.push(span)
    } else {
      check(ph === 'E' && row.open.length > 0, event)
      const span = row.open.pop()
      Object.assign(span ?? {}, { end: ts, endArgs: args, args: { ...span?.args, ...args } }) // as viewers do
    }
  }
  return { processes, spans, marks, counts }
}
