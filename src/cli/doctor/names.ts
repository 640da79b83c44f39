// How findings name locks and processes.
import { type LockReport, pidText, type ReportedProcess } from '../report.js'
import { harmless } from '../text/width.js'

export function lockText({
  name,
  path,
  file,
}: {
  name?: string | null
  path?: string | null
  file: string | null
}): string {
  return name ? `lock '${harmless(name)}'` : `lock ${harmless(path ?? file ?? '')}`
}

export function processText(
  party: Pick<ReportedProcess, 'pid' | 'threadId' | 'label'> & Partial<ReportedProcess>,
): string {
  const { threadId, label } = party
  return `${pidText(party)}${threadId === 0 ? '' : `, thread ${threadId}`}${label === '' ? '' : ` ('${harmless(label)}')`}`
}

/** The processes of these threads that can be seen, each once, by the PID that they have here. */
export function processesOf(threads: readonly ReportedProcess[]): Map<number, ReportedProcess> {
  return new Map(
    threads.flatMap((thread) =>
      thread.localPid === null ? [] : [[thread.localPid, { ...thread, threadId: 0 }]],
    ),
  )
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
