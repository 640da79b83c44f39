// Writes the messages of the diagnostics channels to a file: PROCESS_RWLOCK_TRACE.
import { subscribe } from 'node:diagnostics_channel'
import { performance } from 'node:perf_hooks'
import process, { emitWarning } from 'node:process'
import { threadId } from 'node:worker_threads'
import {
  acquireChannels,
  contendedChannel,
  type DeadlockMessage,
  deadlockChannel,
  downgradeChannel,
  type LockMessage,
  type OwnerDiedMessage,
  ownerDiedChannel,
  type ReleaseMessage,
  releaseChannel,
} from '../diagnostics.js'
import { deadlockText } from '../long-waits.js'
import type { Acquisition } from '../tracing.js'
import { SHARED } from './clock.js'
import { nameOf } from './command-line.js'
import {
  type Arguments,
  begin,
  type Counter,
  counter,
  end,
  holdersText,
  mark,
  processLabels,
  processName,
  type Row,
  type TraceEvent,
} from './format.js'
import { Rows } from './rows.js'
import { SharedFile } from './shared-file.js'

/** A row in use: by an acquisition, its hold, and the upgrade of that hold. */
interface Track {
  readonly row: Row
  holds: boolean
  /** If it holds, too, that is the wait for an upgrade, inside the hold. */
  waits: boolean
}

/** `path`: of the file, with `%p` for the process id. */
export function record(path: string): void {
  const recorder = new Recorder(path.replaceAll('%p', String(process.pid)))
  const on = <T>(channel: { name: string | symbol }, take: (message: T) => void) =>
    subscribe(channel.name, (message) => take(message as T))
  const settled = (message: Acquisition) => {
    if (message.waitedMs !== undefined && message.error === undefined) recorder.settled(message)
  }
  on<Acquisition>(contendedChannel, (message) => recorder.waits(message))
  on<Acquisition>(acquireChannels.end, settled)
  on<Acquisition>(acquireChannels.asyncStart, settled)
  on<Acquisition>(acquireChannels.error, (message) => recorder.failed(message))
  on<Acquisition>(downgradeChannel, (message) => recorder.downgraded(message))
  on<Acquisition & ReleaseMessage>(releaseChannel, (message) => recorder.released(message))
  on<OwnerDiedMessage>(ownerDiedChannel, (message) => recorder.ownerDied(message))
  on<DeadlockMessage>(deadlockChannel, (message) => recorder.deadlock(message))
  process.once('exit', () => recorder.exits())
}

class Recorder {
  readonly #path: string
  /** Opened for the first event; `null`: it cannot be written. */
  #file: SharedFile | null | undefined
  readonly #rows = new Rows(process.pid, threadId)
  /** Keeps no message reachable: locks and guards that the program lost must be collected. */
  readonly #tracks = new WeakMap<Acquisition, Track>()
  readonly #open = new Set<Track>()
  /** How many requests wait for each lock. */
  readonly #waiting = new Map<string, number>()

  constructor(path: string) {
    this.#path = path
  }

  waits(message: Acquisition): void {
    if (message.waitedMs !== undefined) {
      // An engine that must ask for the holders has the answer after the end of the wait.
      const holders = holdersText(message.holders)
      this.#mark('t', 'contended', { lock: lockOf(message), holders })
      return
    }
    const events: TraceEvent[] = []
    const { track, from } = this.#trackOf(message, shared(message.begunAt), events)
    track.waits = true
    const holders = holdersText(message.holders)
    events.push(
      begin('wait', track.row, from, `wait: ${textOf(message)}`, { ...detailsOf(message), holders }),
      mark('t', track.row, from, 'contended', { lock: lockOf(message), holders }),
      this.#count(message, from, 1),
    )
    this.#write(events)
  }

  settled(message: Acquisition): void {
    if (message.token === undefined) {
      this.#mark('t', `not granted: ${textOf(message)}`, detailsOf(message))
      return
    }
    const events: TraceEvent[] = []
    const { track, from } = this.#trackOf(message, shared(message.grantedAt), events)
    this.#endWait(message, track, from, events)
    if (track.holds) events.push(end(track.row, from)) // it goes on in the mode of the upgrade
    if (track.holds || !message.upgrade) {
      track.holds = true
      events.push(begin('hold', track.row, from, textOf(message), detailsOf(message)))
    } else {
      events.push(mark('t', track.row, from, `upgraded: ${lockOf(message)}`, detailsOf(message)))
      this.#leave(track, from)
    }
    this.#write(events)
  }

  failed(message: Acquisition): void {
    const now = shared(performance.now())
    const events: TraceEvent[] = []
    const track = this.#tracks.get(message)
    if (track !== undefined) this.#endWait(message, track, now, events)
    const { code = 'failed', message: error = String(message.error) } = (message.error ?? {}) as {
      code?: unknown
      message?: unknown
    }
    const row = track?.row ?? this.#firstRow(events)
    events.push(mark('t', row, now, `not granted: ${code}`, { ...detailsOf(message), error }))
    if (track !== undefined) this.#leave(track, now)
    this.#write(events)
  }

  downgraded(message: Acquisition): void {
    const track = this.#tracks.get(message)
    if (!track?.holds) return
    const ts = shared(message.downgradedAt)
    this.#write([end(track.row, ts), begin('hold', track.row, ts, textOf(message), detailsOf(message))])
  }

  released(message: Acquisition & ReleaseMessage): void {
    const track = this.#tracks.get(message)
    if (!track?.holds) return
    const ts = shared(message.grantedAt + message.heldMs)
    const events: TraceEvent[] = []
    this.#endWait(message, track, ts, events)
    events.push(end(track.row, ts))
    track.holds = false
    this.#leave(track, ts)
    this.#write(events)
  }

  ownerDied(message: OwnerDiedMessage): void {
    const { pid, threadId, label, token } = message.ownerDied
    const args = { lock: lockOf(message), pid, threadId, label, token: `${token}` }
    this.#mark('g', `owner died: ${lockOf(message)}`, args)
  }

  deadlock(message: DeadlockMessage): void {
    const args = { lock: lockOf(message), deadlock: deadlockText(message.waits) }
    this.#mark('g', 'deadlock', args)
  }

  #mark(scope: 't' | 'g', name: string, args: Arguments): void {
    const events: TraceEvent[] = []
    events.push(mark(scope, this.#firstRow(events), shared(performance.now()), name, args))
    this.#write(events)
  }

  #firstRow(events: TraceEvent[]): Row {
    return this.#rows.first((description) => events.push(...description))
  }

  exits(): void {
    const ts = shared(performance.now())
    const ends = [...this.#open].flatMap(({ row, waits, holds }) =>
      [waits, holds].filter(Boolean).map(() => end(row, ts, { ended: 'exit of the process or thread' })),
    )
    if (ends.length > 0) this.#write(ends)
  }

  /** The track of an acquisition, and from when on it is free for another span. */
  #trackOf(message: Acquisition, ts: number, events: TraceEvent[]): { track: Track; from: number } {
    const known = this.#tracks.get(message) ?? (message.raised && this.#tracks.get(message.raised))
    if (known !== undefined && (known.waits || known.holds)) {
      this.#tracks.set(message, known)
      return { track: known, from: ts }
    }
    const { row, from } = this.#rows.take(ts, (description) => events.push(...description))
    const track = { row, holds: false, waits: false }
    this.#tracks.set(message, track)
    this.#open.add(track)
    return { track, from }
  }

  #endWait(message: Acquisition, track: Track, ts: number, events: TraceEvent[]): void {
    if (!track.waits) return
    track.waits = false
    events.push(end(track.row, ts), this.#count(message, ts, -1))
  }

  /** The row is free, unless something goes on in it. */
  #leave(track: Track, ts: number): void {
    if (track.waits || track.holds) return
    this.#open.delete(track)
    this.#rows.free(track.row, ts)
  }

  #count(message: LockMessage, ts: number, change: 1 | -1): Counter {
    const lock = lockOf(message)
    const waiting = (this.#waiting.get(lock) ?? 0) + change
    if (waiting === 0) this.#waiting.delete(lock)
    else this.#waiting.set(lock, waiting)
    const thread = threadId === 0 ? '' : ` (worker ${threadId})`
    return counter(process.pid, ts, `waiting: ${lock}${thread}`, waiting, 'requests')
  }

  #write(events: readonly TraceEvent[]): void {
    if (this.#file === null) return
    try {
      this.#file ??= this.#create()
      this.#file.append(events)
    } catch (error) {
      this.#file?.close()
      this.#file = null
      emitWarning(
        `PROCESS_RWLOCK_TRACE: ${this.#path} cannot be written: ${(error as Error).message}. ` +
          'The locks of this thread are not traced any more.',
        { code: 'RWLOCK_TRACE' },
      )
    }
  }

  /** Later than the library is loaded: programs set their title when they begin. */
  #create(): SharedFile {
    const { pid, title, argv } = process
    const file = new SharedFile(this.#path, processName(pid, nameOf(title, argv)))
    if (threadId === 0) file.append([processLabels(pid, [...process.execArgv, ...argv.slice(1)].join(' '))])
    return file
  }
}

/** A time of `performance.now()`, in a trace. */
const shared = (ms: number) => (ms + SHARED) * 1000

const lockOf = ({ name, path }: LockMessage) => name ?? path ?? ''

const textOf = (message: Acquisition) => `${message.mode} ${lockOf(message)}`

function detailsOf({ mode, label, upgrade, token, ...message }: Acquisition): Arguments {
  return {
    lock: lockOf(message as LockMessage),
    mode,
    label,
    ...(upgrade && { upgrade }),
    token: token === undefined ? undefined : `${token}`,
  }
}
