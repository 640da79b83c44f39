// What the server and this process know of a lock, as a snapshot. Of its own sessions this process
// knows more: how many holds share one, their labels, and what waits in its own queue.
import { writable } from '../inspect.js'
import { MODE_NAMES, type Mode, type ModeName, READ, UPGRADABLE, WRITE } from '../modes.js'
import type { Holder, LockSnapshot, Waiter } from '../types.js'
import type { Row } from './adapter.js'
import type { LocalLock } from './local-lock.js'
import type { Entry } from './requests.js'
import { parseDied } from './server-hold.js'
import type { Client } from './server-lock.js'

export async function inspect(client: Client, local: LocalLock): Promise<LockSnapshot> {
  const main = await local.openMain()
  await local.settled(main)
  const [[before], rows, [row]] = await Promise.all([
    local.ask(main, 'row', [local.key]),
    local.ask(main, 'holders', [local.key]),
    local.ask(main, 'row', [local.key]),
  ])
  return snapshotOf(client, local.name, local, rows, row ?? {}, before)
}

/**
 * `local`: what this process has of the lock. `before`: the row as it was before the holders were
 * looked up.
 */
export function snapshotOf(
  client: Client,
  name: string,
  local: LocalLock | undefined,
  rows: readonly Row[],
  row: Row,
  before: Row | undefined,
): LockSnapshot {
  const own = new Set([...client.sessions.all].map(({ backend }) => String(backend)))
  const holders = rows.filter(({ granted, backend }) => granted === 't' && !own.has(backend as string))
  const all = [...(local === undefined ? [] : ownHolders(client, local)), ...holders.map(holderOf)]
  const waiters = waitersOf(client, local, rows, own)
  const limit = row.max_readers == null ? null : Number(row.max_readers)
  const written = [...(local?.holds ?? [])].find(({ mode }) => mode === WRITE)
  // The row names the writer, who holds the lock if it is not dead.
  const isUnchanged = before?.writer === row.writer && !all.some(({ mode }) => mode === 'write')
  const died = written !== undefined ? written.ownerDied : isUnchanged ? parseDied(row.writer) : null
  return writable({
    name,
    holders: all,
    waiters,
    contended: waiters.some((waiter) =>
      all.some((holder) => keepsOut(holder.mode, waiter.mode, limit !== null)),
    ),
    token: BigInt(row.token ?? 0),
    ownerDied: died,
    capacity: Number.POSITIVE_INFINITY,
    maxReaders: limit,
    value: row.value == null ? null : new Uint8Array(Buffer.from(row.value, 'hex')),
    valueToken: row.value_token == null ? null : BigInt(row.value_token),
  })
}

/** Whether a hold in one mode keeps out a request for another one. With a limit, reads may keep out reads. */
export function keepsOut(held: ModeName, wanted: ModeName, isLimited: boolean): boolean {
  if (held === wanted && held === 'read') return isLimited
  return held === 'write' || wanted === 'write' || held === wanted
}

function holderOf(row: Row): Holder {
  return {
    pid: Number(row.pid),
    threadId: Number(row.thread_id),
    mode: row.mode as ModeName,
    count: Number(row.count ?? 1),
    label: row.label ?? '',
    ms: Math.max(0, Number(row.ms ?? 0)),
    host: row.host ?? '',
  }
}

function ownHolders(client: Client, local: LocalLock): Holder[] {
  const now = performance.now()
  return ([READ, UPGRADABLE, WRITE] as const).flatMap((mode) => {
    const holds = [...local.holds].flatMap((hold) => [...hold.holds].filter(({ held }) => held === mode))
    const [first] = holds
    if (first === undefined) return []
    const since = Math.min(...holds.map(({ grant }) => grant.since))
    return { ...party(client, mode, first.grant.label), count: holds.length, ms: now - since }
  })
}

function party({ pid, threadId, host }: Client, mode: Mode, label: string) {
  return { pid, threadId, mode: MODE_NAMES[mode] as ModeName, label, host }
}

function waitersOf(
  client: Client,
  local: LocalLock | undefined,
  rows: readonly Row[],
  own: ReadonlySet<string>,
): Waiter[] {
  const now = performance.now()
  const ofEntry = (entry: Entry): Waiter => ({
    ...party(client, entry.mode, entry.label),
    count: 1,
    ms: now - entry.since,
    more: 0,
  })
  const rest = new Set<Entry>()
  for (const { entries } of local?.attempts ?? []) for (const entry of entries) rest.add(entry)
  for (const entry of local?.upgrades ?? []) rest.add(entry)
  for (const entry of local?.queue ?? []) rest.add(entry)
  const waiters: Waiter[] = []
  for (const row of rows) {
    if (row.granted === 't') continue
    if (!own.has(row.backend as string)) {
      waiters.push({ ...holderOf(row), more: 0 })
      continue
    }
    const entries = [...rest].filter(
      ({ attempt }) => attempt?.session != null && String(attempt.session.backend) === row.backend,
    )
    for (const entry of entries) {
      rest.delete(entry)
      waiters.push(ofEntry(entry))
    }
  }
  for (const entry of rest) waiters.push(ofEntry(entry))
  return waiters
}

/** Why a request was not granted, for people. */
export function timeoutMessage({ holders, waiters }: LockSnapshot, client: Client): string {
  if (holders.length === 0) {
    return waiters.length === 0
      ? 'nobody holds it now'
      : `nobody holds it now, and ${waiters.length} wait for it`
  }
  const modes = new Map<string, string[]>()
  for (const { mode, pid, label, ms, host } of holders) {
    const where = host === undefined || host === client.host || host === '' ? '' : ` on ${host}`
    const text = `pid ${pid}${where}${label === '' ? '' : ` ('${label}')`} for ${duration(ms)}`
    modes.set(mode, [...(modes.get(mode) ?? []), text])
  }
  const texts = [...modes].map(([mode, parties]) => `held for ${mode} by ${parties.join(', ')}`)
  return `it is ${texts.join('; ')}`
}

function duration(ms: number): string {
  return ms < 10_000 ? `${Math.round(ms)} ms` : `${Math.round(ms / 1000)} s`
}
