import {
  type Cycle,
  findCycles,
  type SeenLock,
  type SeenParty,
  stillStands,
  textOf,
} from '../../wait-graph.js'
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
    const findings = [...cycles.values()].flatMap((cycle) =>
      stillStands(cycle, now) ? [findingOf(cycle)] : [],
    )
    return resultOf(findings, 'none')
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

function findingOf(cycle: Cycle) {
  const waits = cycle.map(({ lock, waiter, blockedBy, queued }) => {
    const held = queued ? 'which is requested earlier by' : `which is held for ${blockedBy.mode} by`
    const name = lock.name === undefined ? lock.path : `'${lock.name}'`
    return `${partyText(waiter)} has waited for ${duration(waiter.ms)} for lock ${harmless(name ?? '')} for ${waiter.mode}, ${held} ${partyText(blockedBy)}`
  })
  const pids = [...new Set(cycle.map(({ waiter }) => waiter.pid))]
  return {
    text: `${cycle.length} requests wait for each other: ${waits.join('; ')}`,
    remedy: `end one of the processes (kill ${pids.join(' or kill ')}): the others continue. To prevent it, acquire several locks in one order, or together with lockAll(); a timeout ends such a wait`,
  }
}

const partyText = (party: SeenParty) => processText(party)
