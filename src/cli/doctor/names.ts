// How findings name locks and processes.
import type { LockReport, ReportedProcess } from '../report.js'
import { harmless } from '../text/width.js'

export function lockText({
  name,
  path,
  file,
}: {
  name?: string | null
  path?: string | null
  file: string
}): string {
  return name ? `lock '${harmless(name)}'` : `lock ${harmless(path ?? file)}`
}

export function processText({
  pid,
  threadId,
  label,
}: Pick<ReportedProcess, 'pid' | 'threadId' | 'label'>): string {
  return `pid ${pid}${threadId === 0 ? '' : `, thread ${threadId}`}${label === '' ? '' : ` ('${harmless(label)}')`}`
}

/** Such as `, and 2 requests wait`. */
export function waitText({ waiters }: LockReport): string {
  const count = waiters.reduce((sum, { more }) => sum + 1 + more, 0)
  return count === 0 ? '' : count === 1 ? ', and 1 request waits' : `, and ${count} requests wait`
}

/** As in `removes 1 lock`, `removes 2 locks`. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}
