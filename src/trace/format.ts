// The trace event format of Chrome, as far as it is used here. Perfetto and Chrome's viewer read it.
// Source: "Trace Event Format",
// https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU
import type { Holder } from '../types.js'

/** Times are in microseconds, on a clock that the processes of a machine share. */
export type TraceEvent = Begin | End | Mark | Counter | Metadata

export interface Row {
  pid: number
  tid: number
}

export type Arguments = Readonly<Record<string, unknown>>

/** Begins a span. It lasts until the `End` of the last open span of its row. */
export interface Begin extends Row {
  ph: 'B'
  ts: number
  name: string
  cat: 'hold' | 'wait'
  args: Arguments
}

export interface End extends Row {
  ph: 'E'
  ts: number
  args?: Arguments
}

export interface Mark extends Row {
  ph: 'i'
  ts: number
  name: string
  cat: 'mark'
  /** How high it is drawn: over its row, its process, or everything. */
  s: 't' | 'p' | 'g'
  args: Arguments
}

export interface Counter {
  ph: 'C'
  pid: number
  ts: number
  name: string
  /** Viewers append the name of the value, so it is the unit. */
  args: Readonly<Record<string, number>>
}

export interface Metadata {
  ph: 'M'
  pid: number
  tid?: number
  name: 'process_name' | 'process_labels' | 'process_sort_index' | 'thread_name' | 'thread_sort_index'
  args: Arguments
}

export const begin = (cat: 'hold' | 'wait', row: Row, ts: number, name: string, args: Arguments): Begin => ({
  name,
  cat,
  ph: 'B',
  ts: rounded(ts),
  ...row,
  args,
})

export const end = (row: Row, ts: number, args?: Arguments): End => ({
  ph: 'E',
  ts: rounded(ts),
  ...row,
  ...(args && { args }),
})

export const mark = (s: Mark['s'], row: Row, ts: number, name: string, args: Arguments): Mark => ({
  name,
  cat: 'mark',
  ph: 'i',
  s,
  ts: rounded(ts),
  ...row,
  args,
})

export const counter = (pid: number, ts: number, name: string, value: number, unit: string): Counter => ({
  name,
  ph: 'C',
  ts: rounded(ts),
  pid,
  args: { [unit]: value },
})

export const processName = (pid: number, name: string): Metadata => ({
  name: 'process_name',
  ph: 'M',
  pid,
  args: { name },
})

export const processLabels = (pid: number, labels: string): Metadata => ({
  name: 'process_labels',
  ph: 'M',
  pid,
  args: { labels },
})

/** To ns, in which viewers calculate. */
const rounded = (ts: number) => Math.round(ts * 1000) / 1000

/** What a mark or a span says of the holders of a lock. */
export function holdersText(holders: readonly Holder[] | undefined): string[] | undefined {
  return holders?.map(
    ({ pid, threadId, mode, count, label, ms }) =>
      `${mode}${count > 1 ? ` ×${count}` : ''} by pid ${pid}${threadId === 0 ? '' : `, thread ${threadId}`} ('${label}') for ${ms} ms`,
  )
}
