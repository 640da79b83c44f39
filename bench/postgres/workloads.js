// The workloads, most of them those of `npm run bench`, with the servers between the processes.
import { setTimeout } from 'node:timers/promises'
import { mixed } from '../workloads/contended.js'
import { handoffBetween } from '../workloads/handoff.js'
import { pairsBetween } from '../workloads/pairs.js'
import { recovery } from '../workloads/recovery.js'
import { endTeams, startTeams, together } from '../workloads/teams.js'
import { waiting } from '../workloads/waiting.js'
import { BLOCKED, OURS, ROUND_TRIP } from './systems.js'

const PROCESSES = 4
/** The tasks of each process that request the lock at the same time. */
const TASKS = 8
const READ_SHARE = 0.9

/**
 * @typedef {object} Context
 * @property {import('./systems.js').System[]} systems
 * @property {Record<'postgres' | 'redis', { connections: () => Promise<number> }>} servers
 * @property {(far: boolean) => void} connectThrough
 * @property {boolean} quick
 * @property {(line: string) => void} log
 */

/** @type {Record<string, (context: Context) => Promise<any>>} */
export const workloads = {
  async pairs({ systems: competitors, connectThrough, quick, log }) {
    const near = await pairsBetween({ competitors, quick, log })
    connectThrough(true)
    const far = await pairsBetween({ competitors, quick, log })
    connectThrough(false)
    return { near, far }
  },

  handoff: ({ systems, quick, log }) => handoffBetween({ competitors: locksOf(systems), quick, log }),

  async contended({ systems, servers, quick, log }) {
    // A session that blocks cannot serve several tasks.
    const competitors = locksOf(systems).filter(({ system }) => system !== BLOCKED)
    const length = quick ? 1e9 : 2e9
    const cases = [{ mix: '90/10', readShare: READ_SHARE, body: 'empty', ns: 0, length, tasks: TASKS }]
    const rows = await mixed({ competitors, cases, rounds: quick ? 1 : 5, log })
    for (const row of rows) {
      const system = /** @type {any} */ (competitors.find(({ system }) => system === row.system))
      Object.assign(row, { connections: await connectionsOf(system, servers[system.server]) })
    }
    return rows
  },

  recovery: ({ systems, quick, log }) => recovery({ competitors: locksOf(systems), quick, log }),

  /** 1,000 waits in one process. A connection for each of them would be too many for the server. */
  async waiting({ systems, servers, quick, log }) {
    const rows = []
    for (const system of systems.filter(({ system, server }) => system === OURS || server === 'redis')) {
      const { value, most } = await sampled(servers[system.server], () =>
        waiting({ competitors: [system], quick, log }),
      )
      rows.push(...value.map((row) => ({ ...row, connections: most })))
    }
    return rows
  },
}

/** @param {Context['systems']} systems */
const locksOf = (systems) => systems.filter(({ system }) => system !== ROUND_TRIP)

/**
 * The most connections of four processes together while they compete.
 *
 * @param {Context['systems'][0]} system
 * @param {{ connections: () => Promise<number> }} server
 */
async function connectionsOf(system, server) {
  const [team] = await startTeams([system], PROCESSES)
  const command = { do: 'mix', readShare: READ_SHARE, body: 0, ns: 1e9, tasks: TASKS }
  const { most } = await sampled(server, () => together(team.drivers, command))
  await endTeams([team])
  return most
}

/**
 * The most connections while `run` runs.
 *
 * @template T
 * @param {{ connections: () => Promise<number> }} server
 * @param {() => Promise<T>} run
 */
async function sampled(server, run) {
  let isRunning = true
  let most = 0
  const sampling = (async () => {
    for (; isRunning; await setTimeout(50)) most = Math.max(most, await server.connections())
  })()
  try {
    return {
      value: await run(),
      get most() {
        return most
      },
    }
  } finally {
    isRunning = false
    await sampling
  }
}
