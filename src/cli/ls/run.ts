import type { Invocation } from '../command.js'
import { type LockReport, marksOf, type ReportedHolder, reportsOf } from '../report.js'
import { type LockSource, sourceOf } from '../source.js'
import { duration } from '../text/duration.js'
import { messageOf } from '../text/message.js'
import { type Output, outputOf } from '../text/output.js'
import { type Cell, type Column, table } from '../text/table.js'
import { harmless } from '../text/width.js'
import type { Values } from './description.js'

export async function run({ values, stdout, stderr, env }: Invocation & { values: Values }): Promise<number> {
  const source = sourceOf(values)
  const reports = await reportsOf(await listed(source))
  reports.sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1))
  if (values.json) stdout.write(`${JSON.stringify(reports, null, 2)}\n`)
  else if (reports.length > 0) stdout.write(`${listOf(reports, outputOf(stdout, env)).join('\n')}\n`)
  else
    stderr.write(
      messageOf(values.postgres === undefined ? 'this user has no named locks' : 'there are no locks'),
    )
  return 0
}

async function listed(source: LockSource) {
  try {
    return await source.list()
  } finally {
    await source.close()
  }
}

const COLUMNS: readonly Column[] = [
  { title: 'LOCK', least: 16 },
  { title: 'MODE' },
  { title: 'HELD BY', least: 14 },
  { title: 'FOR', align: 'right' },
  { title: 'WAIT', align: 'right' },
  { title: 'LONGEST', align: 'right' },
  { title: 'NOTES', least: 8 },
]

/** The lines of the list. */
export function listOf(reports: readonly LockReport[], output: Output): string[] {
  return table(COLUMNS, reports.map(rowOf), output)
}

function rowOf(report: LockReport): Cell[] {
  const { status, mode, holders, waiters } = report
  // The holder that matters most is the one that everybody waits for longest.
  const [holder, ...others] = holders.toSorted((a, b) => b.ms - a.ms)
  const count = waiters.reduce((sum, { more }) => sum + 1 + more, 0)
  const notes = notesOf(report)
  return [
    harmless(nameOf(report)),
    mode ?? (status === 'free' ? { text: 'free', style: 'dim' } : '-'),
    holder ? whoOf(holder, others.length) : '',
    holder ? duration(holder.ms) : '',
    count > 0 ? String(count) : '',
    count > 0 ? duration(Math.max(...waiters.map(({ ms }) => ms))) : '',
    { text: notes.join(', '), style: 'yellow' },
  ]
}

/** Such as `4711/2 +1 'rebuild'`: thread 2 of process 4711, and another holder. */
function whoOf({ pid, localPid, threadId, label, host }: ReportedHolder, others: number): string {
  // Before the label, of which the end may be cut.
  const more = others > 0 ? ` +${others}` : ''
  const where = host && localPid === null ? `@${harmless(host)}` : ''
  return `${localPid ?? pid}${where}${threadId === 0 ? '' : `/${threadId}`}${more}${label === '' ? '' : ` '${harmless(label)}'`}`
}

function notesOf({ status, holders, ownerDied }: LockReport): string[] {
  const notes = new Set(holders.flatMap(marksOf))
  if (ownerDied !== null) notes.add('owner died')
  if (status !== 'held' && status !== 'free') notes.add(status)
  return [...notes]
}

function nameOf({ name, path, file }: LockReport): string {
  return name ?? path ?? file ?? ''
}
