// Makes the events of a trace from looks at locks.
import type {
  Attachment,
  Surveyed,
  SurveyedHolder,
  SurveyedSnapshot,
  SurveyedWaiter,
} from '../../shared-memory/survey.js'
import { nameOf } from '../../trace/command-line.js'
import {
  type Arguments,
  begin,
  counter,
  end,
  holdersText,
  mark,
  processLabels,
  processName,
  type Row,
  type TraceEvent,
} from '../../trace/format.js'
import { Rows } from '../../trace/rows.js'
import { keyOf, localPids } from '../namespaces.js'
import { processInfo } from '../process-info.js'

/** For processes of other PID namespaces that cannot be seen from here: Linux has no greater PID. */
const FIRST_INVENTED = 2 ** 22 + 1
/** In µs; a rate is counted over as long at least. */
const WINDOW = 100_000
/** In µs; the age of a hold or a wait is at most this wrong. */
const PRECISION = 10_000
/** Tokens jump when a lock is created again. */
const JUMP = 1_000_000_000n

type Thread = Pick<SurveyedHolder, 'pid' | 'threadId' | 'label' | 'foreignNamespace'>

interface Process {
  readonly pid: number
  /** Its PID in the trace. */
  readonly shown: number
  readonly foreignNamespace: number | null
  readonly threads: Map<number, Rows>
}

interface Span {
  readonly rows: Rows
  readonly row: Row
  /** As it was written. */
  readonly label: string
  /** The last look that found it. */
  seen: number
  /** What that look found: the holder of a new hold sets its label after the grant. */
  lastLabel: string
}

/** A hold or a request, as a look finds it. */
interface Party {
  readonly kind: 'hold' | 'wait'
  readonly party: SurveyedHolder | SurveyedWaiter
  readonly thread: string
  /** See `SeenParty`. */
  readonly since: number
}

export interface Totals {
  looks: number
  processes: number
  holds: number
  waits: number
  /** How many write holds there were, and how many of them a look found. */
  writeHolds: number
  writeHoldsSeen: number
}

/** The process of the counters in the trace: one that has no other rows. */
export const LOCKS: TraceEvent[] = [
  processName(process.pid, 'locks'),
  { name: 'process_sort_index', ph: 'M', pid: process.pid, args: { sort_index: -1 } },
]

/** Locks, and the processes and threads that use them. */
export class Sampler {
  readonly #write: (events: readonly TraceEvent[]) => void
  readonly #locks = new Map<string, SampledLock>()
  /** By the PID, and the PID namespace if that is another one. */
  readonly #processes = new Map<string, Process>()
  #invented = FIRST_INVENTED
  readonly totals: Totals = { looks: 0, processes: 0, holds: 0, waits: 0, writeHolds: 0, writeHoldsSeen: 0 }

  constructor(write: (events: readonly TraceEvent[]) => void) {
    this.#write = write
  }

  /**
   * Takes what a look found at a lock. `ts`: when it began, in µs; `lock`: how the trace names it;
   * `found`: `null` if there is no such lock now; `until`: when it ended.
   */
  take(ts: number, lock: string, found: Surveyed | null, until = ts): void {
    let known = this.#locks.get(lock)
    if (known === undefined) {
      known = new SampledLock(lock, this)
      this.#locks.set(lock, known)
    }
    const events = known.take(ts, found, until)
    if (events.length > 0) this.#write(events)
  }

  /** Ends all spans. */
  end(): void {
    for (const lock of this.#locks.values()) this.#write(lock.end())
  }

  /** `attached`: the threads that have the lock open, and their labels. */
  rowsOf(
    { pid, threadId, label, foreignNamespace }: Thread,
    attached: readonly Attachment[],
    events: TraceEvent[],
  ): Rows {
    const key = foreignNamespace === null ? `${pid}` : keyOf({ pid, namespace: foreignNamespace })
    let known = this.#processes.get(key)
    if (known === undefined) {
      const local =
        foreignNamespace === null ? pid : localPids([{ pid, namespace: foreignNamespace }]).get(key)
      known = { pid, shown: local ?? this.#invented++, foreignNamespace, threads: new Map() }
      this.#processes.set(key, known)
      this.totals.processes++
      const command = local === undefined ? null : (processInfo([local]).get(local)?.command ?? null)
      const isSame = (other: Attachment) => other.pid === pid && other.foreignNamespace === foreignNamespace
      const title = attached.find(isSame)?.label ?? label
      const name = command === null ? title : nameOf(title, command.split(' '))
      const where = local === undefined ? 'another' : 'its'
      const text = foreignNamespace === null ? name : `${name} (${pid} in ${where} PID namespace)`
      events.push(processName(known.shown, text))
      if (command !== null) events.push(processLabels(known.shown, command))
    }
    let rows = known.threads.get(threadId)
    if (rows === undefined) {
      rows = new Rows(known.shown, threadId)
      known.threads.set(threadId, rows)
    }
    return rows
  }

  /** The PID namespace of a process that died, of which only the PID is known. */
  namespaceOf(pid: number): number | null {
    if (this.#processes.has(`${pid}`)) return null
    return [...this.#processes.values()].find((known) => known.pid === pid)?.foreignNamespace ?? null
  }
}

class SampledLock {
  readonly #name: string
  readonly #sampler: Sampler
  readonly #spans = new Map<string, Span>()
  /** The keys of those that the look before found without the time at which they began. */
  #untimed = new Set<string>()
  #before: SurveyedSnapshot | undefined
  /** When the look before began; 0: there was none. */
  #looked = 0
  #waiting = 0
  readonly #rates: readonly Rate[]

  constructor(name: string, sampler: Sampler) {
    this.#name = name
    this.#sampler = sampler
    this.#rates = [new Rate(`write holds: ${name}`), new Rate(`waits: ${name}`)]
  }

  take(ts: number, found: Surveyed | null, until: number): TraceEvent[] {
    const events: TraceEvent[] = []
    const snapshot = found?.snapshot ?? null
    const parties = this.#timed(snapshot === null ? [] : partiesOf(snapshot, found))
    const present = new Set<string>()
    for (const party of parties) {
      const key = keyOfParty(party)
      present.add(key)
      const span = this.#spans.get(key)
      if (span !== undefined) Object.assign(span, { seen: ts, lastLabel: party.party.label })
    }
    // First, so that what follows can have their rows.
    for (const [key, span] of this.#spans) {
      if (present.has(key)) continue
      this.#spans.delete(key)
      this.#finish(span, events)
    }
    for (const party of parties) {
      const key = keyOfParty(party)
      if (!this.#spans.has(key)) this.#spans.set(key, this.#begin({ ts, until }, party, found, events))
    }
    if (snapshot !== null) this.#count(ts, snapshot, found?.attached ?? [], events)
    this.#looked = ts
    return events
  }

  /**
   * Without those that have no time yet, which they get in the next instant. What never has one, such
   * as a hold of the crate, is there in the next look.
   */
  #timed(parties: readonly Party[]): Party[] {
    const before = this.#untimed
    this.#untimed = new Set(parties.filter(({ since }) => since === 0).map(keyOfParty))
    return parties.filter((party) => party.since !== 0 || before.has(keyOfParty(party)))
  }

  end(): TraceEvent[] {
    const events: TraceEvent[] = []
    for (const span of this.#spans.values()) this.#finish(span, events)
    this.#spans.clear()
    return events
  }

  #begin(
    look: { ts: number; until: number },
    { kind, party, since }: Party,
    found: Surveyed | null,
    events: TraceEvent[],
  ): Span {
    const { totals } = this.#sampler
    const rows = this.#sampler.rowsOf(party, found?.attached ?? [], events)
    // It was not there when the look before began. Locks have its time to a tick of a coarse clock.
    const begun = Math.max(beginOf(look, party, since), this.#looked)
    const { row, from } = rows.take(begun, (description) => events.push(...description))
    const { mode, label, count } = party
    const details: Arguments = { lock: this.#name, mode, label, ...(count > 1 && { count }) }
    const text = `${mode} ${this.#name}`
    if (kind === 'wait') {
      totals.waits++
      const holders = holdersText(found?.snapshot?.holders)
      events.push(
        begin('wait', row, from, `wait: ${text}`, { ...details, holders }),
        mark('t', row, from, 'contended', { lock: this.#name, holders }),
      )
    } else {
      totals.holds++
      if (mode === 'write') totals.writeHoldsSeen++
      const token = mode === 'write' ? { token: `${found?.snapshot?.token}` } : {}
      events.push(begin('hold', row, from, text, { ...details, ...token }))
    }
    return { rows, row, label, seen: Math.max(look.ts, from), lastLabel: label }
  }

  /** The span ends with the last look that found it: so it lies within what it stands for. */
  #finish({ rows, row, label, seen, lastLabel }: Span, events: TraceEvent[]): void {
    // Viewers put the arguments of the end in place of those of the beginning.
    events.push(end(row, seen, label === lastLabel ? undefined : { label: lastLabel }))
    rows.free(row, seen)
  }

  #count(
    ts: number,
    snapshot: SurveyedSnapshot,
    attached: readonly Attachment[],
    events: TraceEvent[],
  ): void {
    const before = this.#before
    this.#before = snapshot
    const waiting = snapshot.waiters.reduce((sum, { more }) => sum + 1 + more, 0)
    if (waiting !== this.#waiting || before === undefined) {
      events.push(counter(process.pid, ts, `waiting: ${this.#name}`, waiting, 'requests'))
      this.#waiting = waiting
    }
    if (before === undefined) return
    const died = snapshot.ownerDied
    if (died !== null && died.token !== before.ownerDied?.token) {
      const { pid, threadId, label, token } = died
      const foreignNamespace = this.#sampler.namespaceOf(pid)
      const rows = this.#sampler.rowsOf({ ...died, foreignNamespace }, attached, events)
      const first = rows.first((description) => events.push(...description))
      const args = { lock: this.#name, pid, threadId, label, token: `${token}` }
      events.push(mark('g', first, ts, `owner died: ${this.#name}`, args))
    }
    const writes = growth(before.token, snapshot.token)
    this.#sampler.totals.writeHolds += writes
    const counts = [writes, growth(before.requests, snapshot.requests)]
    for (const [index, rate] of this.#rates.entries()) {
      const changed = rate.take(ts, counts[index] ?? 0)
      if (changed !== undefined) events.push(counter(process.pid, ts, rate.name, changed, 'per second'))
    }
  }
}

/** A rate per second, over windows. */
class Rate {
  readonly name: string
  #begun = 0
  #count = 0
  #last = -1

  constructor(name: string) {
    this.name = name
  }

  /** Counts `count` more; the new rate, if it has changed. */
  take(ts: number, count: number): number | undefined {
    this.#count += count
    if (this.#begun !== 0 && ts - this.#begun < WINDOW) return undefined
    const rate = this.#begun === 0 ? 0 : Math.round((this.#count * 1e6) / (ts - this.#begun))
    this.#begun = ts
    this.#count = 0
    if (rate === this.#last) return undefined
    this.#last = rate
    return rate
  }
}

function keyOfParty({ kind, thread, party, since }: Party): string {
  return `${kind} ${thread} ${party.mode} ${since}`
}

/** How much a counter has grown; 0 if the lock was created again. */
function growth(before: bigint, now: bigint): number {
  const grown = now - before
  return grown < 0n || grown > JUMP ? 0 : Number(grown)
}

function partiesOf(snapshot: SurveyedSnapshot, found: Surveyed | null): Party[] {
  const seen = found?.seen
  return (['hold', 'wait'] as const).flatMap((kind) => {
    const parties = kind === 'hold' ? snapshot.holders : snapshot.waiters
    const others = kind === 'hold' ? seen?.holders : seen?.waiters
    return parties.map((party, index) => ({
      kind,
      party,
      thread: others?.[index]?.thread ?? `${party.pid}/${party.threadId}`,
      since: others?.[index]?.since ?? 0,
    }))
  })
}

/**
 * When a hold or a wait began, in µs. Locks have it on the clock of `process.hrtime()`; on macOS on
 * one that stops while the machine sleeps, so after a sleep only the whole ms are known.
 */
function beginOf(
  { ts, until }: { ts: number; until: number },
  { ms }: { ms: number },
  since: number,
): number {
  if (since === 0) return 0 // the look before found it
  const exact = since / 1000
  const age = ms * 1000 // at some time between `ts` and `until`
  return exact > ts - age - PRECISION && exact < until - age + PRECISION ? exact : ts - age
}
