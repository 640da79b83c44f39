// A lock as a page of text.
import { isUtf8 } from 'node:buffer'
import {
  deathText,
  type LockReport,
  marksOf,
  pidText,
  type ReportedHolder,
  type ReportedProcess,
  type ReportedWaiter,
} from '../report.js'
import { dateTime, duration, size } from '../text/duration.js'
import type { Output } from '../text/output.js'
import { fitted, harmless, wrapped } from '../text/width.js'

const INDENT = '  '
/** The column of the properties' values. */
const LEFT = 13

export function pageOf(report: LockReport, output: Output): string[] {
  const { name, path, holders, waiters, attached, file } = report
  const idle = attached.filter((one) => ![...holders, ...waiters].some((other) => isSame(one, other)))
  return [
    output.style('bold', harmless(name ?? path ?? file ?? '')),
    ...propertiesOf(report, output),
    ...section('Held by', holders, output),
    ...section('Waiting, in this order', waiters, output),
    ...section('Also open in', idle, output),
  ]
}

function propertiesOf(report: LockReport, output: Output): string[] {
  const { ownerDied, error, token, value, valueToken, capacity, maxReaders, file, memory, bytes, path } =
    report
  const lines: string[] = []
  const say = (title: string, text: string | null, style?: 'red' | 'yellow') => {
    if (text === null) return
    const parts = wrapped(text, Math.max(20, output.width - LEFT))
    for (const [index, part] of parts.entries()) {
      const shown = style === undefined ? part : output.style(style, part)
      lines.push(`${INDENT}${(index === 0 ? title : '').padEnd(LEFT - INDENT.length)}${shown}`)
    }
  }
  say('state', stateOf(report))
  say('error', error && harmless(error.message), 'red')
  say(
    'owner died',
    ownerDied &&
      `${deathText(ownerDied, whoOf)} (token ${ownerDied.token}). Every holder is told until a write hold ends normally`,
    'yellow',
  )
  say('value', value === null ? null : `${valueText(Buffer.from(value, 'base64'))}${setBy(report)}`)
  say('token', token && `${token}${valueToken === token ? ' (set the value)' : ''}`)
  say('limits', capacity === null ? null : limitsOf(capacity, maxReaders))
  say('lock file', path === null && file !== null ? harmless(file) : null)
  say(
    'memory',
    memory === null ? (bytes === null ? null : size(bytes)) : `${memory}${bytes ? `, ${size(bytes)}` : ''}`,
  )
  return lines
}

function limitsOf(capacity: number, maxReaders: number | null): string {
  return `${capacity} attachments, ${maxReaders === null ? 'any number of readers' : `${maxReaders} readers`}`
}

function setBy({ holders, token, valueToken }: LockReport): string {
  const writer = holders.find(({ mode }) => mode === 'write')
  return writer !== undefined && valueToken !== null && valueToken === token
    ? `, set by ${pidText(writer)}`
    : ''
}

function stateOf(report: LockReport): string {
  const { status, mode, holders, waiters, attached } = report
  const [holder, ...others] = holders
  const waiting = waiters.reduce((sum, { more }) => sum + 1 + more, 0)
  const requests = waiting === 1 ? '1 request waits' : `${waiting} requests wait`
  const wait =
    waiting === 0
      ? ''
      : `; ${requests}, the longest for ${duration(Math.max(...waiters.map(({ ms }) => ms)))}`
  const threads = attached.length === 1 ? '1 thread' : `${attached.length} threads`
  // Nobody counts who has a lock in a database open.
  const open = attached.length === 0 ? '' : `, open in ${threads}`
  switch (status) {
    case 'held':
      return `held for ${mode} by ${holder && others.length === 0 ? pidText(holder) : `${holders.length} holders`}${wait}`
    case 'free':
      return `free${open}${wait}`
    case 'dead':
      return `dead: no process has it open. The next process that opens it uses it again${removal(report)}`
    default:
      return status
  }
}

/** What removes a lock that nobody has open. A lock by path stays. */
function removal({ path, ownerDied }: LockReport): string {
  if (path !== null) return ''
  return ownerDied === null
    ? '; "process-rwlock prune" removes it'
    : '; "process-rwlock prune --owner-died" removes it and the report'
}

function section(
  title: string,
  parties: readonly (ReportedHolder | ReportedWaiter | ReportedProcess)[],
  output: Output,
): string[] {
  if (parties.length === 0) return []
  const lines = parties.flatMap((party) => {
    const line = `${INDENT}${lineOf(party)}`
    const marks = 'mode' in party ? marksOf(party) : []
    const marked = marks.length > 0 ? `  ${output.style('yellow', marks.join(', '))}` : ''
    const command = party.command ?? ''
    const since = party.started === null ? '' : `, started ${dateTime(new Date(party.started))}`
    const detail =
      command === '' ? '' : fitted(`${INDENT.repeat(3)}${harmless(command)}${since}`, output.width)
    return [`${line}${marked}`, ...(detail === '' ? [] : [output.style('dim', detail)])]
  })
  return ['', output.style('bold', title), ...lines]
}

function lineOf(party: ReportedHolder | ReportedWaiter | ReportedProcess): string {
  const who = whoOf(party)
  if (!('mode' in party)) return who
  const times = party.count > 1 ? ` (${party.count} times)` : ''
  const more = 'more' in party && party.more > 0 ? `, and ${party.more} more of this thread` : ''
  return `${who}  ${party.mode}${times} for ${duration(party.ms)}${more}`
}

function whoOf(party: { pid: number; threadId: number; label: string }): string {
  const { threadId, label } = party
  return `${pidText(party)}${threadId === 0 ? '' : `, thread ${threadId}`}${label === '' ? '' : ` '${harmless(label)}'`}`
}

/** A value that is text as text, else its bytes. */
function valueText(value: Uint8Array): string {
  const bytes = `${value.length} ${value.length === 1 ? 'byte' : 'bytes'}`
  if (value.length > 0 && isUtf8(value)) {
    const text = new TextDecoder().decode(value)
    // biome-ignore lint/suspicious/noControlCharactersInRegex: text has none, except blanks.
    if (!/[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]/.test(text)) return `"${harmless(text)}" (${bytes})`
  }
  const hex = Buffer.from(value)
    .toString('hex')
    .replace(/..(?=.)/g, '$& ')
  return `${hex} (${bytes})`
}

const isSame = (a: ReportedProcess, b: ReportedProcess) =>
  a.pid === b.pid && a.localPid === b.localPid && a.threadId === b.threadId
