import {
  type Cycle,
  findCycles,
  type SeenLock,
  type SeenParty,
  stillStands,
  textOf,
} from '../../wait-graph.js'
import { keyOf, localPids } from '../namespaces.js'
import { duration } from '../text/duration.js'
import { harmless } from '../text/width.js'
import { type Check, resultOf } from './check.js'
import type { Machine } from './machine.js'
import { processText } from './names.js'

/** A cycle that ends within this time is no deadlock, in ms. */
const PAUSE = 100

/** Threads that wait for each other. A process that waits reports this itself, as a process warning. */
export const deadlocks: Check = {
  name: 'deadlocks',
  title: 'deadlocks',
  async run(machine) {
    const cycles = new Map(findCycles(wanted(machine.locks())).map((cycle) => [textOf(cycle), cycle]))
    if (cycles.size === 0) return resultOf([], 'none')
    await new Promise((resolve) => setTimeout(resolve, PAUSE))
    const now = wanted(fresh(machine))
    const standing = [...cycles.values()].filter((cycle) => stillStands(cycle, now))
    const pids = localPids(standing.flatMap(partiesOf).flatMap((party) => foreignOf(party) ?? []))
    return resultOf(
      standing.map((cycle) => findingOf(cycle, pids)),
      'none',
    )
  },
}

function fresh(machine: Machine) {
  const { survey, examine } = machine.load()
  return [...survey().locks, ...machine.paths.flatMap((path) => examine({ path }) ?? [])]
}

/** Every cycle is wanted, not only those of this thread. */
function wanted(locks: ReturnType<Machine['locks']>): SeenLock[] {
  const seen = locks.flatMap(({ seen }) => (seen !== null && seen.waiters.length > 0 ? [seen] : []))
  return seen.map((lock) => ({ ...lock, waiters: lock.waiters.map((waiter) => ({ ...waiter, own: true })) }))
}

/** The survey also knows whether the PID is that of another PID namespace. */
type FoundParty = SeenParty & { foreignNamespace?: number }

const partiesOf = (cycle: Cycle): FoundParty[] =>
  cycle.flatMap(({ waiter, blockedBy }) => [waiter, blockedBy])

function foreignOf({ pid, foreignNamespace: namespace }: FoundParty) {
  return namespace === undefined ? null : { pid, namespace }
}

/** `pids`: those that foreign processes have here. */
function findingOf(cycle: Cycle, pids: ReadonlyMap<string, number>) {
  const localPidOf = (party: FoundParty) => {
    const foreign = foreignOf(party)
    return foreign === null ? party.pid : (pids.get(keyOf(foreign)) ?? null)
  }
  const partyText = (party: FoundParty) =>
    processText({ ...party, foreign: foreignOf(party) !== null, localPid: localPidOf(party) })
  const waits = cycle.map(({ lock, waiter, blockedBy, queued }) => {
    const held = queued ? 'which is requested earlier by' : `which is held for ${blockedBy.mode} by`
    const name = lock.name === undefined ? lock.path : `'${lock.name}'`
    return `${partyText(waiter)} has waited for ${duration(waiter.ms)} for lock ${harmless(name ?? '')} for ${waiter.mode}, ${held} ${partyText(blockedBy)}`
  })
  const kills = new Set(cycle.flatMap(({ waiter }) => localPidOf(waiter) ?? []))
  const how = kills.size === 0 ? ', in its own container' : ` (kill ${[...kills].join(' or kill ')})`
  return {
    text: `${cycle.length} requests wait for each other: ${waits.join('; ')}`,
    remedy: `end one of the processes${how}: the others continue. To prevent it, acquire several locks in one order, or together with lockAll(); a timeout ends such a wait`,
  }
}
