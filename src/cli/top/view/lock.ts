// One lock: what it counted, who holds it, and who waits for it in which order.
import type { Holder, Waiter } from '../../../types.js'
import { type LockReport, marksOf, type ReportedHolder, type ReportedWaiter } from '../../report.js'
import { harmless } from '../../text/width.js'
import { briefRate, briefTime } from '../brief.js'
import { cell, type Line, piece, type Style, spread } from '../line.js'
import { chosenOf } from '../model.js'
import { keyOf, type Sample } from '../sampler.js'
import { sparkline } from '../sparkline.js'
import { modeOf, nameOf } from './columns.js'
import type { Frame } from './frame.js'
import { clock, count } from './summary.js'

const HISTORY = 60
const MODES: Record<string, string> = { read: 'read', write: 'write', upgradable: 'upgr' }
/** Of the columns before the label; negative: aligned at the right. */
const WIDTHS = [9, -7, -6, 5, -8] as const
const WIDEST_LABEL = 24

export function head(frame: Frame): Line[] {
  const { model, look, time, columns } = frame
  const sample = chosenOf(model, look.samples)
  const paused = model.paused ? [piece('paused  ', 'yellow')] : []
  const right = [...paused, piece(clock(time), 'dim')]
  if (sample === undefined) {
    const name = model.chosen === null ? '' : harmless(model.chosen.replace(/^(name|path):/, ''))
    return [spread([piece(name, 'bold')], right, columns), [piece('The lock does not exist now.', 'yellow')]]
  }
  const { snapshot } = sample
  return [
    spread([piece(nameOf(snapshot), 'bold')], right, columns),
    stateOf(sample),
    measured('writes/s', briefRate(sample.writes), sample.history.writes, frame),
    measured('waits/s', briefRate(sample.waits), sample.history.waits, frame),
    measured('waiting', String(sample.waiting), sample.history.waiting, frame),
    propertiesOf(sample),
    ...diedOf(sample),
  ]
}

function stateOf({ snapshot, holds, waiting, waitMs, worstMs }: Sample): Line {
  const held =
    holds === 0
      ? 'free'
      : `held for ${{ upgr: 'upgradable' }[modeOf(snapshot)] ?? modeOf(snapshot)}: ${count(holds, 'hold')}`
  const worst = worstMs > 0 ? `; the longest wait seen: ${briefTime(worstMs)}` : ''
  return [
    piece(held, holds > 0 ? 'green' : undefined),
    piece('; '),
    waiting > 0 ? piece(`${waiting} waiting, up to ${briefTime(waitMs)}`, 'yellow') : piece('none waits'),
    piece(worst),
  ]
}

function measured(
  title: string,
  value: string,
  history: readonly (number | null)[],
  { columns, unicode }: Frame,
): Line {
  const room = Math.max(0, Math.min(HISTORY, columns - 20))
  return [
    piece(title.padEnd(9), 'dim'),
    piece(cell(value, 9, 'right')),
    piece('  '),
    piece(sparkline(history, room, unicode).trimStart(), 'cyan'),
  ]
}

function propertiesOf({ snapshot: { token, capacity, maxReaders } }: Sample): Line {
  const limits = [
    ...(Number.isFinite(capacity) ? [`capacity ${capacity}`] : []),
    ...(maxReaders === null ? [] : [`at most ${count(maxReaders, 'read hold')}`]),
  ]
  return [piece([`last token ${token}`, ...limits].join(', '), 'dim')]
}

function diedOf({ snapshot: { ownerDied } }: Sample): Line[] {
  if (ownerDied === null) return []
  const { pid, label, host, failover } = ownerDied
  const writer = `its writer, pid ${pid}${host ? ` on ${harmless(host)}` : ''} (${harmless(label)}), died: the protected data`
  const text = failover
    ? 'its database was replaced by a standby that may lack the last changes'
    : `${writer} may be half-written`
  return [[piece(`! ${text}`, 'red')]]
}

export function titles({ columns }: Frame): Line {
  return [piece(cells(['', 'PID', 'THREAD', 'MODE', 'FOR', 'LABEL', 'COMMAND'], columns), 'dim')]
}

/** The holders, and then the requests in the order of the queue. */
export function rows(frame: Frame, room: number): Line[] {
  const sample = chosenOf(frame.model, frame.look.samples)
  if (sample === undefined) return []
  const { holders, waiters } = reportOf(frame, sample) ?? sample.snapshot
  const { columns, model } = frame
  const lines = [
    ...holders.map((holder) =>
      row(holder.count > 1 ? `holds ${holder.count}` : 'holds', holder, 'green', columns),
    ),
    ...waiters.flatMap((waiter, index) => rowsOfWaiter(waiter, index, columns)),
  ]
  const first = Math.max(0, Math.min(model.scroll, lines.length - 1))
  return lines.slice(first, first + room)
}

/** What is known of this lock, and not of one that the user looked into before. */
function reportOf({ report }: Frame, { key }: Sample): LockReport | null {
  return report !== null && keyOf(report) === key ? report : null
}

function rowsOfWaiter(waiter: Waiter | ReportedWaiter, index: number, columns: number): Line[] {
  const own = row(`waits ${index + 1}`, waiter, 'yellow', columns)
  const more = `${' '.repeat(WIDTHS[0] + 1)}and ${waiter.more} more of this thread`
  return waiter.more === 0 ? [own] : [own, [piece(more, 'dim')]]
}

type Party = Holder | Waiter | ReportedHolder | ReportedWaiter

function row(role: string, party: Party, style: Style, columns: number): Line {
  const { pid, threadId, mode, label, ms } = party
  const marks = 'command' in party ? marksOf(party) : []
  const texts = [role, String(pid), String(threadId), MODES[mode] ?? mode, briefTime(ms), harmless(label)]
  return [piece(cells([...texts, processOf(party, marks)], columns), marks.length > 0 ? 'red' : style)]
}

function processOf(party: Party, marks: string[]): string {
  if (!('command' in party)) return ''
  const mark = marks.length === 0 ? '' : `[${marks.join(', ')}] `
  return `${mark}${placeOf(party)}${harmless(party.command ?? '')}`
}

/** Where the PID is not that which this process sees. */
function placeOf({ foreign, localPid, host }: ReportedHolder | ReportedWaiter): string {
  if (localPid === null) return host ? `(on ${harmless(host)})` : '(in another PID namespace)'
  return foreign ? `(pid ${localPid} here) ` : ''
}

function cells(texts: string[], columns: number): string {
  const fixed = WIDTHS.reduce((sum, width) => sum + Math.abs(width) + 1, 0)
  const room = Math.max(0, columns - fixed - 1)
  const label = Math.min(WIDEST_LABEL, Math.ceil(room / 2))
  const widths = [...WIDTHS, label, room - label]
  return texts
    .map((text, index) =>
      cell(text, Math.abs(widths[index] ?? 0), (widths[index] ?? 0) < 0 ? 'right' : 'left'),
    )
    .join(' ')
    .trimEnd()
}
