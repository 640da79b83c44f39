// One run of the stress test over PostgreSQL: actors, a profile of faults, and the check of their history.
import { fork } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { RWLock } from 'process-rwlock'
import { PostgresLocks } from 'process-rwlock/postgres'
import { waitFor } from '../../__test__/helpers/time.js'
import { holdsOf, violations } from './history.js'
import { profiles } from './profiles.js'

/** How long the actors may need to end after the last fault, and the locks to be free. */
const END_BOUND = 60_000

/**
 * @param {object} options
 * @param {import('../../__test__/helpers/postgres/server.js').PostgresServer} options.server
 * @param {import('./profiles.js').Scene['proxy']} options.proxy before the server
 * @param {string} options.profile
 * @param {number} options.seconds
 * @param {number} [options.actors]
 * @param {number} [options.locks]
 * @param {number} [options.tasks]
 * @param {string[]} [options.databases] which the actors use in turn: with two there are two locks of each name
 */
export async function campaign({
  server,
  proxy,
  profile,
  seconds,
  actors = 4,
  locks = 3,
  tasks = 6,
  databases = ['postgres'],
}) {
  const { every, fault, options = {}, loses = false, limit } = profiles[profile] ?? {}
  if (every === undefined) throw new Error(`there is no profile "${profile}"`)
  const folder = mkdtempSync(join(tmpdir(), 'process-rwlock-stress-'))
  let end = 0
  const witness = loses ? undefined : `process-rwlock-stress/${randomUUID()}`
  /** @type {Set<import('node:child_process').ChildProcess>} */
  const running = new Set()
  /** @type {Record<string, number>} */
  const counts = {}
  const problems = /** @type {string[]} */ ([])
  /** @type {import('./history.js').Fault[]} */
  const faults = []
  let started = 0

  const start = () => {
    const log = join(folder, `${running.size}-${Date.now()}-${Math.random()}.log`)
    const ms = Math.max(0, end - Date.now())
    const url = server.url({ port: proxy.port, database: databases[started++ % databases.length] })
    const actor = fork(
      fileURLToPath(new URL('./actor.js', import.meta.url)),
      [JSON.stringify({ url, locks, ms, tasks, log, options, witness, limit })],
      { stdio: ['ignore', 'inherit', 'pipe', 'ipc'] },
    )
    let stderr = ''
    actor.stderr?.setEncoding('utf8').on('data', (text) => {
      stderr += text
    })
    actor.on('message', (/** @type {Record<string, number>} */ its) => {
      for (const [name, count] of Object.entries(its)) counts[name] = (counts[name] ?? 0) + count
    })
    actor.once('exit', (code, signal) => {
      running.delete(actor)
      if (code !== 0 && signal !== 'SIGKILL')
        problems.push(`an actor ended with ${code ?? signal}: ${stderr}`)
    })
    running.add(actor)
  }
  const pause = (/** @type {number} */ ms) =>
    /** @type {Promise<void>} */ (new Promise((resolve) => setTimeout(resolve, ms)))
  const actor = () => [...running][Math.floor(Math.random() * running.size)]
  const locksOfServer = new PostgresLocks({ connectionString: server.url() })
  try {
    for (const database of databases) {
      const each = new PostgresLocks({ connectionString: server.url({ database }) })
      await each.migrate()
      // Those of another profile have its limit.
      for (let lock = 0; lock < locks; lock++) await each.remove(`stress/${lock}`)
      await each.close()
    }
    end = Date.now() + seconds * 1000
    for (let each = 0; each < actors; each++) start()
    while (fault && Date.now() < end - 500) {
      await pause(every)
      await fault({ server, proxy, actor, replace: start, faults, pause })
    }
    proxy.delay = 0
    await waitFor(() => running.size === 0, {
      bound: seconds * 1000 + END_BOUND,
      every: 20,
      what: 'the actors end',
    }).catch((error) => problems.push(error.message))
    for (let lock = 0; lock < locks; lock++) {
      try {
        const guard = await locksOfServer.open(`stress/${lock}`).acquireWrite({ timeout: END_BOUND })
        await guard.release()
      } catch (error) {
        problems.push(`lock ${lock} is not free afterwards: ${error.message}`)
      }
    }
    await locksOfServer.close()
    await waitFor(
      async () => (await server.query("select from pg_locks where locktype = 'advisory'")).rowCount === 0,
      { what: 'the server has no lock left' },
    ).catch((error) => problems.push(error.message))
    const events = readdirSync(folder)
      .flatMap((name) => readFileSync(join(folder, name), 'utf8').split('\n').slice(0, -1))
      .map((line) => JSON.parse(line))
    const holds = holdsOf(events, faults)
    const allowed = loses ? ['ERR_LOCK_LOST', 'ERR_LOCK_UNAVAILABLE'] : []
    for (const { event, code, message } of events) {
      if (event === 'failed' && !allowed.includes(code)) problems.push(`${code}: ${message}`)
    }
    return {
      holds: holds.length,
      faults: faults.length,
      counts,
      problems: [...problems, ...violations(holds, faults, limit)],
    }
  } finally {
    for (const each of running) {
      each.kill('SIGKILL')
      each.kill('SIGCONT')
    }
    await locksOfServer.close()
    if (witness !== undefined) {
      await waitFor(() => [...Array(locks).keys()].every((lock) => isRemoved(`${witness}/${lock}`)), {
        what: 'the witnesses are free',
      })
    }
    rmSync(folder, { recursive: true, force: true })
  }
}

/** @param {string} name */
function isRemoved(name) {
  try {
    RWLock.remove(name)
    return true
  } catch (error) {
    if (error.code === 'ERR_LOCK_BUSY') return false
    throw error
  }
}
