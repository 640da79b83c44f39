// Which thread waits for which, and the search for threads that wait for each other.
import type { Mode, ModeName } from './modes.js'
import type { Awaitable, LockLocation } from './types.js'

/** What is used here of a `PendingRequest`. */
export interface WaitingRequest {
  readonly engine: { readonly identity: string; readonly location: LockLocation; readonly text: string }
  readonly lock: object
  readonly mode: Mode
  readonly upgrade: object | null
  readonly done: boolean
}

/** A hold, or a request. */
export interface SeenParty {
  /** The same text for the same thread in every lock, and another one for any other thread. */
  readonly thread: string
  readonly pid: number
  readonly threadId: number
  readonly mode: ModeName
  readonly label: string
  /**
   * When it began, on a clock that all processes share; 0: unknown. Two holds, or two requests, of
   * one thread differ in it.
   */
  readonly since: number
  /** How long ago that was, in ms. */
  readonly ms: number
  /** Whether it is of this thread. */
  readonly own: boolean
}

/** A lock, its holds, and the requests for it in the order of the queue. */
export interface SeenLock {
  /** See `LockEngine.identity`. */
  readonly identity: string
  readonly name?: string
  readonly path?: string
  readonly holders: readonly SeenParty[]
  readonly waiters: readonly SeenParty[]
}

/** What an engine shows of waits. */
export interface WaitGraph {
  /** The requests of this thread that wait. */
  pending(): Iterable<WaitingRequest>
  /** The lock of such a request. */
  see(request: WaitingRequest): Awaitable<SeenLock>
  /** The locks that this thread holds while another thread waits for them. */
  held(): Awaitable<readonly SeenLock[]>
  /** The locks with waiting requests, as far as this thread can see them. */
  wanted(): Awaitable<readonly SeenLock[]>
}

/** A request, and what keeps it out. */
export interface Wait {
  readonly lock: SeenLock
  readonly waiter: SeenParty
  /** A hold of another thread, or its earlier request. */
  readonly blockedBy: SeenParty
  readonly queued: boolean
}

/** Threads that wait for each other: each waits for the next one, and the last for the first. */
export type Cycle = readonly Wait[]

/** A request in its place in the queue. */
interface Place {
  readonly lock: SeenLock
  readonly index: number
}

export function conflicts(a: ModeName, b: ModeName): boolean {
  return a === 'write' || b === 'write' || (a === 'upgradable' && b === 'upgradable')
}

/**
 * The shortest cycles that begin with requests of this thread, at most one for each.
 *
 * A thread may do several things at once, so only this is taken for a wait of one for the other:
 * it waits for a lock since it has held another one, which somebody else waits for. If it waits for
 * a lock that it also holds, no cycle passes through both: programs that use one lock have many
 * such waits, and they end.
 */
export function findCycles(locks: readonly SeenLock[]): Cycle[] {
  const places = new Map<string, Place[]>()
  for (const lock of locks) {
    lock.waiters.forEach(({ thread }, index) => {
      const its = places.get(thread)
      if (its === undefined) places.set(thread, [{ lock, index }])
      else its.push({ lock, index })
    })
  }
  const cycles: Cycle[] = []
  for (const lock of locks) {
    lock.waiters.forEach(({ own }, index) => {
      const cycle = own ? cycleThrough({ lock, index }, places) : null
      if (cycle !== null) cycles.push(cycle)
    })
  }
  return cycles
}

/** A breadth-first search: the first way back is a shortest one. */
function cycleThrough(start: Place, places: ReadonlyMap<string, readonly Place[]>): Cycle | null {
  const ways: { place: Place; way: Cycle }[] = [{ place: start, way: [] }]
  const seen = new Set<SeenParty>()
  for (const { place, way } of ways) {
    for (const { wait, next } of waitsOf(place, places)) {
      const longer = [...way, wait]
      if (next.lock === start.lock && next.index === start.index) return longer
      const party = partyAt(next)
      if (seen.has(party)) continue
      seen.add(party)
      ways.push({ place: next, way: longer })
    }
  }
  return null
}

const partyAt = ({ lock, index }: Place) => lock.waiters[index] as SeenParty

/** What keeps a request out, each with a request of that thread. */
function* waitsOf(
  place: Place,
  places: ReadonlyMap<string, readonly Place[]>,
): Iterable<{ wait: Wait; next: Place }> {
  const { lock, index } = place
  const waiter = partyAt(place)
  const obstacles = lock.holders.filter(({ mode }) => conflicts(mode, waiter.mode))
  for (const blockedBy of obstacles) {
    if (blockedBy.thread === waiter.thread || blockedBy.since === 0) continue
    for (const next of places.get(blockedBy.thread) ?? []) {
      if (next.lock === lock || partyAt(next).since < blockedBy.since) continue
      yield { wait: { lock, waiter, blockedBy, queued: false }, next }
    }
  }
  // Otherwise only its place in the queue keeps it out; but not if it is nested in another read.
  if (obstacles.length > 0 || lock.holders.some(({ thread }) => thread === waiter.thread)) return
  for (const [earlier, blockedBy] of lock.waiters.slice(0, index).entries()) {
    if (blockedBy.thread === waiter.thread || blockedBy.since === 0) continue
    if (!conflicts(blockedBy.mode, waiter.mode)) continue
    yield { wait: { lock, waiter, blockedBy, queued: true }, next: { lock, index: earlier } }
  }
}

/** Whether the same requests still wait for the same holds and requests. */
export function stillStands(cycle: Cycle, locks: readonly SeenLock[]): boolean {
  return cycle.every(({ lock, waiter, blockedBy, queued }) => {
    const now = locks.find(({ identity }) => identity === lock.identity)
    if (now === undefined) return false
    const waits = indexOf(now.waiters, waiter)
    const blocks = indexOf(queued ? now.waiters : now.holders, blockedBy)
    return waits !== -1 && blocks !== -1 && (!queued || blocks < waits)
  })
}

function indexOf(parties: readonly SeenParty[], party: SeenParty): number {
  return parties.findIndex(
    ({ thread, mode, since }) => thread === party.thread && mode === party.mode && since === party.since,
  )
}

/** The same text for the same cycle, wherever it begins. */
export function textOf(cycle: Cycle): string {
  const texts = cycle.map(({ lock, waiter, blockedBy }) =>
    [lock.identity, waiter.thread, waiter.since, blockedBy.thread, blockedBy.since].join(),
  )
  return texts.toSorted().join('\n')
}
