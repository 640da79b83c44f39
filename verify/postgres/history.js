// Checks what the processes of a stress test have written: whether it could have happened with a correct lock.

/** @typedef {{ hold: string, pid: number, lock: number, spans: Span[], from: number, to: number, releases: boolean, lost: boolean, killed: boolean }} Hold */
/** @typedef {{ mode: string, from: number, to: number, token: bigint, ownerDied: { token: bigint, failover: boolean } | null }} Span */
/** @typedef {{ at: number, pid: number | 'all', kind: string }} Fault `pid`: of the process whose sessions it may have ended */

/** Milliseconds of a clock that all processes of the machine share. */
export const now = () => Number(process.hrtime.bigint()) / 1e6

/**
 * @param {any[]} events of all processes
 * @param {Fault[]} faults
 * @returns {Hold[]}
 */
export function holdsOf(events, faults) {
  const killedAt = new Map(faults.filter(({ kind }) => kind === 'kill').map(({ pid, at }) => [pid, at]))
  /** @type {Map<string, Hold>} */
  const holds = new Map()
  for (const event of events) {
    if (event.event === 'held') {
      holds.set(event.hold, {
        hold: event.hold,
        pid: event.pid,
        lock: event.lock,
        spans: [spanOf(event)],
        from: event.at,
        to: Number.POSITIVE_INFINITY,
        releases: false,
        lost: false,
        killed: false,
      })
      continue
    }
    const hold = holds.get(event.hold)
    const span = hold?.spans.at(-1)
    if (!hold || !span) continue
    if (event.event === 'lost') hold.lost = true
    if (event.event === 'released') hold.releases = true
    if (hold.to !== Number.POSITIVE_INFINITY) continue
    if (event.event === 'lost' || event.event === 'released') span.to = hold.to = event.at
    else if (event.event === 'changing' || event.event === 'changed') {
      span.to = event.at
      hold.spans.push({
        ...span,
        ...(event.token === undefined ? { mode: event.mode } : spanOf(event)),
        from: event.at,
      })
    }
  }
  for (const hold of holds.values()) {
    if (hold.to !== Number.POSITIVE_INFINITY) continue
    const at = killedAt.get(hold.pid)
    hold.killed = at !== undefined
    hold.to = at ?? hold.from
    for (const span of hold.spans) span.to = Math.min(span.to, hold.to)
  }
  return [...holds.values()]
}

/** @param {any} event @returns {Span} */
function spanOf({ mode, at, token, ownerDied }) {
  return {
    mode,
    from: at,
    to: Number.POSITIVE_INFINITY,
    token: BigInt(token),
    ownerDied: ownerDied && { token: BigInt(ownerDied.token), failover: Boolean(ownerDied.failover) },
  }
}

/**
 * What is wrong, a line each.
 *
 * @param {Hold[]} holds
 * @param {Fault[]} faults
 * @param {number} [limit] the most readers of a lock
 */
export function violations(holds, faults, limit = Number.POSITIVE_INFINITY) {
  const found = []
  for (const lock of new Set(holds.map((hold) => hold.lock))) {
    const its = holds.filter((hold) => hold.lock === lock)
    found.push(...overlaps(its, faults), ...crowds(its, faults, limit))
    found.push(...tokens(its, faults), ...deaths(its, faults))
  }
  return found
}

/** The modes that a hold excludes, by its mode. */
export const EXCLUDES = /** @type {Record<string, string[]>} */ ({
  read: ['write'],
  upgradable: ['write', 'upgradable'],
  write: ['read', 'upgradable', 'write'],
})

/** @param {Hold[]} holds @param {Fault[]} faults */
function overlaps(holds, faults) {
  const found = []
  const spans = holds
    .flatMap((hold) => hold.spans.map((span) => ({ ...span, hold })))
    .toSorted((a, b) => a.from - b.from)
  for (const [index, later] of spans.entries()) {
    for (let at = index - 1; at >= 0 && at >= index - 200; at--) {
      const earlier = /** @type {typeof later} */ (spans[at])
      if (earlier.hold === later.hold || earlier.to <= later.from) continue
      if (!EXCLUDES[earlier.mode]?.includes(later.mode)) continue
      // A holder may learn of the end of its session after the next one has the lock.
      const excused = faults.some(
        (fault) =>
          fault.kind !== 'kill' &&
          fault.at <= later.from &&
          ((affects(fault, earlier.hold.pid) && fault.at >= earlier.hold.from - DELAY) ||
            (affects(fault, later.hold.pid) && fault.at >= later.hold.from - DELAY)),
      )
      if (!excused) {
        found.push(
          `lock ${lock(later)}: ${later.hold.hold} had it as ${later.mode} at ${later.from.toFixed(2)} while ` +
            `${earlier.hold.hold} had it as ${earlier.mode} from ${earlier.from.toFixed(2)} to ${earlier.to.toFixed(2)}`,
        )
      }
    }
  }
  return found
}

/** Reads beyond the limit. @param {Hold[]} holds @param {Fault[]} faults @param {number} limit */
function crowds(holds, faults, limit) {
  const found = []
  const reads = holds
    .flatMap((hold) => hold.spans.map((span) => ({ ...span, hold })))
    .filter(({ mode }) => mode === 'read')
    .toSorted((a, b) => a.from - b.from)
  /** @type {typeof reads} */
  let open = []
  for (const read of reads) {
    open = [...open.filter(({ to }) => to > read.from), read]
    // A holder may learn of the end of its session after the next one has the permit.
    const certain = open.filter(({ hold }) => !mayHaveEnded(hold, read.from, faults))
    if (certain.length > limit) {
      const who = certain.map(({ hold }) => hold.hold).join(', ')
      found.push(`lock ${lock(read)}: ${certain.length} read at ${read.from.toFixed(2)}, of ${limit}: ${who}`)
    }
  }
  return found
}

/** How long before a grant is known its session may have ended already. */
const DELAY = 2000

/** Whether its session may have ended before `at`, although its process lived. @param {Hold} hold @param {number} at @param {Fault[]} faults */
const mayHaveEnded = (hold, at, faults) =>
  faults.some(
    (fault) =>
      fault.kind !== 'kill' && fault.at <= at && affects(fault, hold.pid) && fault.at >= hold.from - DELAY,
  )

/** @param {{ hold: Hold }} span */
const lock = ({ hold }) => hold.lock

/** @param {Fault} fault @param {number} pid */
const affects = (fault, pid) => fault.pid === 'all' || fault.pid === pid

/** A write has a token above all that were known before it was granted. @param {Hold[]} holds @param {Fault[]} faults */
function tokens(holds, faults) {
  const found = []
  const spans = holds
    .flatMap((hold) => hold.spans.map((span) => ({ ...span, hold })))
    .toSorted((a, b) => a.from - b.from)
  const writes = new Map()
  for (const span of spans) {
    if (span.mode !== 'write') continue
    const other = writes.get(span.token)
    if (other && other !== span.hold.hold)
      found.push(`lock ${lock(span)}: ${span.hold.hold} and ${other} wrote with token ${span.token}`)
    writes.set(span.token, span.hold.hold)
  }
  // Ends of holds in their order: what is granted afterwards must have at least their tokens.
  const ends = holds
    .filter(({ lost }) => !lost)
    .map((hold) => ({ at: hold.to, token: hold.spans.at(-1)?.token ?? 0n, hold }))
    .toSorted((a, b) => a.at - b.at)
  let highest = 0n
  let next = 0
  for (const hold of holds.toSorted((a, b) => a.from - b.from)) {
    while (next < ends.length && ends[next].at <= hold.from) {
      if (ends[next].token > highest) highest = ends[next].token
      next++
    }
    const [{ token, mode }] = hold.spans
    if (hold.lost && mayHaveEnded(hold, hold.from, faults)) continue
    if (token < highest || (mode === 'write' && token === highest)) {
      found.push(`lock ${hold.lock}: ${hold.hold} has token ${token} for ${mode}, after ${highest}`)
    }
  }
  return found
}

/** The first write after one that died inside its hold is told so; other reports name one that died or was lost. @param {Hold[]} holds @param {Fault[]} faults */
function deaths(holds, faults) {
  const found = []
  const writes = holds
    .flatMap((hold) => hold.spans.filter(({ mode }) => mode === 'write').map((span) => ({ span, hold })))
    .toSorted((a, b) => (a.span.token < b.span.token ? -1 : 1))
  const byToken = new Map(writes.map((write) => [write.span.token, write]))
  for (const [index, { span, hold }] of writes.entries()) {
    const isLast = hold.spans.at(-1)?.mode === 'write'
    const next = writes[index + 1]
    if (hold.killed && isLast && next && next.span.ownerDied === null && !next.hold.spans[0].ownerDied) {
      found.push(
        `lock ${hold.lock}: ${next.hold.hold} was not told that ${hold.hold} died inside, with token ${span.token}`,
      )
    }
  }
  for (const hold of holds) {
    for (const { ownerDied } of hold.spans) {
      if (ownerDied === null || ownerDied.failover) continue
      const died = byToken.get(ownerDied.token)
      if (!died || died.hold.killed || died.hold.lost) continue
      if (
        faults.some(
          (fault) =>
            fault.at <= hold.from && fault.at >= died.span.from - DELAY && affects(fault, died.hold.pid),
        )
      )
        continue
      found.push(
        `lock ${hold.lock}: ${hold.hold} was told of a death with token ${ownerDied.token}, but ${died.hold.hold} released it`,
      )
    }
  }
  return found
}
