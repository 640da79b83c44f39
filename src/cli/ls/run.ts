import type { Invocation } from '../command.js'
import { type LockReport, marksOf, type ReportedHolder, reportsOf } from '../report.js'
import { type LockSource, sourceOf } from '../source.js'
import { duration } from '../text/duration.js'
import { messageOf } from '../text/message.js'
import { type Output, outputOf } from '../text/output.js'
import { type Cell, type Column, table } from '../text/table.js'
import { harmless, jsonOf } from '../text/width.js'
import type { Values } from './description.js'

export async function run({ values, stdout, stderr, env }: Invocation & { values: Values }): Promise<number> {
  const source = sourceOf(values)
  const reports = await reportsOf(await listed(source))
  reports.sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1))
  if (values.json) stdout.write(`${jsonOf(reports, 2)}\n`)
  else if (reports.length > 0) stdout.write(`${listOf(reports, outputOf(stdout, env)).join('\n')}\n`)
  else stderr.write(messageOf(noneText(values, env)))
  return 0
}

function noneText({ postgres }: Values, { PROCESS_RWLOCK_DIR }: NodeJS.ProcessEnv): string {
  if (postgres !== undefined) return 'there are no locks'
  const where = PROCESS_RWLOCK_DIR ? ` in ${PROCESS_RWLOCK_DIR} (PROCESS_RWLOCK_DIR)` : ''
  return `this user has no named locks${where}`
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

/**
 * Such as `4711/2 +1 'rebuild'`: thread 2 of process 4711, and another holder. `(1)`: it cannot be seen
 * from here, and 1 is its PID in its own PID namespace.
 */
function whoOf({ pid, foreign, localPid, threadId, label, host }: ReportedHolder, others: number): string {
  // Before the label, of which the end may be cut.
  const more = others > 0 ? ` +${others}` : ''
  const where = host && localPid === null ? `@${harmless(host)}` : ''
  const process = localPid ?? (foreign ? `(${pid})` : pid)
  return `${process}${where}${threadId === 0 ? '' : `/${threadId}`}${more}${label === '' ? '' : ` '${harmless(label)}'`}`
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
