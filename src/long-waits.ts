// Looks at the waits of this thread that last, and warns of those that may never end. A wait that
// ends sooner costs nothing but the question whether the timer runs.
import { emitWarning } from 'node:process'
import { setTimeout } from 'node:timers'
import { type DeadlockParty, type DeadlockWait, deadlockChannel } from './diagnostics.js'
import { MODE_NAMES, type ModeName } from './modes.js'
import type { AsyncRWLock } from './types.js'
import {
  type Cycle,
  conflicts,
  findCycles,
  type SeenLock,
  type SeenParty,
  stillStands,
  textOf,
  type Wait,
  type WaitGraph,
  type WaitingRequest,
} from './wait-graph.js'

/**
 * In ms. A deadlock is found in the second look after its last wait began, and reported in the
 * third: after 0.8 to 1.2 s.
 */
const PERIOD = 400
/** The first looks at a wait, counted in periods; later ones are rarer. */
const LOOKS = [2, 4, 8, 16, 32]
const LAST_LOOKS = 75
/** After how many periods behind a hold of its own a thread is warned: 10 s. */
const LONG = 26
/** Deadlocks that are not reported again. */
const REMEMBERED = 100

/** In how many looks each request waited. */
const looksOf = new WeakMap<WaitingRequest, number>()
const watchers = new Map<WaitGraph, Watcher>()
let timer: NodeJS.Timeout | undefined
const warned = { deadlock: false, longWait: false }

/** Called when a request begins to wait. */
export function watchWaits(graph: WaitGraph): void {
  if (!watchers.has(graph)) watchers.set(graph, new Watcher(graph))
  if (timer === undefined) schedule()
}

function schedule(): void {
  timer = setTimeout(look, PERIOD)
  timer.unref()
}

function look(): void {
  timer = undefined
  let waiting = false
  for (const watcher of watchers.values()) if (watcher.look()) waiting = true
  if (waiting) schedule()
}

/** The waits over one engine. */
class Watcher {
  readonly #graph: WaitGraph
  /** Cycles of the last look. */
  #found: Cycle[] = []
  readonly #reported = new Set<string>()
  #busy = false

  constructor(graph: WaitGraph) {
    this.#graph = graph
  }

  /** Returns whether something waits. */
  look(): boolean {
    let waiting = false
    let due = this.#found.length > 0
    const long: WaitingRequest[] = []
    for (const request of this.#graph.pending()) {
      waiting = true
      const looks = looksAt(request)
      if (LOOKS.includes(looks) || looks % LAST_LOOKS === 0) due = true
      if (looks >= LONG && (looks - LONG) % 25 === 0 && !warned.longWait) long.push(request)
    }
    if (!waiting) this.#found = []
    if (waiting && !this.#busy && (due || long.length > 0)) {
      this.#busy = true
      this.#search(due, long)
        .catch(() => {}) // the locks cannot be seen now; perhaps at the next look
        .finally(() => {
          this.#busy = false
        })
    }
    return waiting
  }

  async #search(due: boolean, long: readonly WaitingRequest[]): Promise<void> {
    for (const request of long) warnOfOwnHold(request, await this.#graph.see(request))
    if (!due) return
    const before = this.#found
    this.#found = []
    // A thread whose holds nobody waits for is in no cycle.
    if ((await this.#graph.held()).length === 0) return
    const seen = await this.#graph.wanted()
    for (const cycle of before) if (stillStands(cycle, seen)) this.#report(cycle, seen)
    this.#found = findCycles(seen).filter((cycle) => !this.#reported.has(textOf(cycle)))
  }

  #report(cycle: Cycle, seen: readonly SeenLock[]): void {
    const text = textOf(cycle)
    if (this.#reported.has(text)) return
    if (this.#reported.size >= REMEMBERED) this.#reported.clear()
    this.#reported.add(text)
    const request = this.#requestOf(cycle[0] as Wait)
    if (request === undefined) return // it has ended since
    report(
      cycle.map((wait) => latest(wait, seen)),
      request,
    )
  }

  #requestOf({ lock, waiter }: Wait): WaitingRequest | undefined {
    for (const request of this.#graph.pending()) {
      const { engine, mode } = request
      if (MODE_NAMES[mode] === waiter.mode && engine.identity === lock.identity) return request
    }
    return undefined
  }
}

function looksAt(request: WaitingRequest): number {
  const looks = (looksOf.get(request) ?? 0) + 1
  looksOf.set(request, looks)
  return looks
}

function warnOfOwnHold(request: WaitingRequest, { holders, waiters }: SeenLock): void {
  const { engine, mode, upgrade } = request
  const wanted = MODE_NAMES[mode] as ModeName
  const own = waiters.filter(({ own }) => own)
  const { thread } = own.find(({ mode }) => mode === wanted) ?? own[0] ?? {}
  const hold = holders.find(
    (hold) =>
      hold.thread === thread &&
      hold.ms >= PERIOD * (LONG - 1) &&
      conflicts(hold.mode, wanted) &&
      !(upgrade !== null && hold.mode === 'upgradable'),
  )
  if (hold === undefined || request.done || warned.longWait) return
  warned.longWait = true
  emitWarning(
    `a request for ${wanted} of ${engine.text} has waited for more than 10 s for this same thread, which has held the lock for ` +
      `${hold.mode} ('${hold.label}') for ${seconds(hold.ms)}. If the function that holds it awaits this request, neither ever ends: ` +
      'release the lock first, or use the guard that you have. Further ones are not reported.',
    { code: 'RWLOCK_LONG_WAIT' },
  )
}

/** With the times of the last look. */
function latest(wait: Wait, seen: readonly SeenLock[]): Wait {
  const lock = seen.find(({ identity }) => identity === wait.lock.identity) as SeenLock
  const now = (party: SeenParty, parties: readonly SeenParty[]) =>
    parties.find(
      ({ thread, mode, since }) => thread === party.thread && mode === party.mode && since === party.since,
    ) ?? party
  const { waiter, blockedBy, queued } = wait
  return {
    lock,
    waiter: now(waiter, lock.waiters),
    blockedBy: now(blockedBy, queued ? lock.waiters : lock.holders),
    queued,
  }
}

function report(cycle: Cycle, { lock, engine, mode }: WaitingRequest): void {
  const waits = cycle.map(shown)
  if (deadlockChannel.hasSubscribers) {
    const { name, path } = engine.location
    const waitedMs = (waits[0] as DeadlockWait).waiter.ms
    deadlockChannel.publish({
      lock: lock as AsyncRWLock,
      name,
      path,
      mode: MODE_NAMES[mode] as ModeName,
      waitedMs,
      waits,
    })
  }
  if (warned.deadlock) return
  warned.deadlock = true
  emitWarning(
    `${deadlockText(waits)}. Acquire several locks in one order, or together with lockAll(); a timeout ends such a wait. ` +
      "Further deadlocks are not reported here, but on the diagnostics channel 'process-rwlock:deadlock'.",
    { code: 'RWLOCK_DEADLOCK' },
  )
}

function shown({ lock: { name, path }, waiter, blockedBy, queued }: Wait): DeadlockWait {
  return { name, path, waiter: partyOf(waiter), blockedBy: partyOf(blockedBy), queued }
}

function partyOf({ pid, threadId, mode, label, ms }: SeenParty): DeadlockParty {
  return { pid, threadId, mode, label, ms }
}

export function deadlockText(waits: readonly DeadlockWait[]): string {
  const threads = waits.map(({ name, path, waiter, blockedBy, queued }) => {
    const lock = name === undefined ? `lock ${path}` : `lock '${name}'`
    const how = queued ? 'and is queued behind' : 'which is held'
    const other = queued
      ? `the request for ${blockedBy.mode} of ${threadText(blockedBy)}`
      : `for ${blockedBy.mode} by ${threadText(blockedBy)}`
    return `${threadText(waiter)} waits for ${lock} for ${waiter.mode}, ${how} ${other}`
  })
  return `deadlock of ${waits.length} requests: ${threads.join('; ')}`
}

function threadText({ pid, threadId, label }: DeadlockParty): string {
  return `pid ${pid}${threadId === 0 ? '' : `, thread ${threadId}`} ('${label}')`
}

const seconds = (ms: number) => `${Math.round(ms / 1000)} s`
