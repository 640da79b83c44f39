// The faults of the stress test over PostgreSQL. Each function makes one, and resolves when it is over.
import { now } from './history.js'

/**
 * @typedef {object} Scene
 * @property {import('../../__test__/helpers/postgres/server.js').PostgresServer} server
 * @property {Awaited<ReturnType<typeof import('../../__test__/helpers/postgres/proxy.js').startProxy>>} proxy
 * @property {() => import('node:child_process').ChildProcess | undefined} actor any that runs
 * @property {() => void} replace starts a new actor
 * @property {import('./history.js').Fault[]} faults
 * @property {(ms: number) => Promise<void>} pause
 *
 * @typedef {object} Profile
 * @property {number} every ms between two faults
 * @property {(scene: Scene) => Promise<void>} [fault]
 * @property {object} [options] of PostgresLocks
 * @property {number} [limit] the most readers of a lock
 * @property {boolean} [loses] whether sessions end: holds may be lost, and acquisitions may fail meanwhile
 */

const random = (/** @type {number} */ below) => Math.floor(Math.random() * below)

/** The processes of the server's sessions. @param {Scene} scene @param {string} call what is done with one of them */
async function toOneSession({ server, faults }, call) {
  const at = now()
  const { rows } = await server.query(
    `select s.pid, ${call}(s.backend) from (
       select a.pid as backend, s.pid from pg_stat_activity a join rwlock.session s on s.backend = a.pid
       where a.application_name like 'process-rwlock %' order by random() limit 1) s`,
  )
  for (const { pid } of rows) faults.push({ at, pid, kind: call })
}

/** @type {(scene: Scene, end: () => Promise<void>) => Promise<void>} */
async function restart({ server, faults, pause }, end) {
  faults.push({ at: now(), pid: 'all', kind: 'restart' })
  await end()
  await pause(random(300))
  await server.start()
  await pause(1500)
}

/** @type {Record<string, Profile>} */
export const profiles = {
  quiet: { every: 1000 },
  kill: { every: 700, fault: kill },
  'kill, two sessions': { every: 700, fault: kill, options: { maxSessions: 2 } },
  'kill, one session': { every: 700, fault: kill, options: { maxSessions: 1 } },
  'kill, a limit': { every: 400, fault: kill, limit: 2 },
  'kill, a limit, two sessions': { every: 400, fault: kill, limit: 2, options: { maxSessions: 2 } },
  stop: {
    every: 300,
    async fault({ actor, pause }) {
      const stopped = actor()
      stopped?.kill('SIGSTOP')
      await pause(100 + random(1000))
      stopped?.kill('SIGCONT')
    },
  },
  terminate: { every: 100, fault: (scene) => toOneSession(scene, 'pg_terminate_backend'), loses: true },
  'terminate, a limit': {
    every: 100,
    fault: (scene) => toOneSession(scene, 'pg_terminate_backend'),
    limit: 2,
    loses: true,
  },
  'cancel, a limit': {
    every: 3,
    fault: (scene) => toOneSession(scene, 'pg_cancel_backend'),
    limit: 2,
    loses: true,
  },
  cancel: { every: 3, fault: (scene) => toOneSession(scene, 'pg_cancel_backend'), loses: true },
  restart: {
    every: 500,
    loses: true,
    fault: (scene) => {
      const { server } = scene
      const ends = [() => server.kill(), () => server.stop('fast'), () => server.stop('immediate')]
      return restart(scene, /** @type {() => Promise<void>} */ (ends[random(3)]))
    },
  },
  network: {
    every: 150,
    loses: true,
    async fault({ proxy, faults, pause }) {
      proxy.delay = random(3)
      const links = [...proxy.links]
      const link = links[random(links.length)]
      if (!link) return
      // It is not known whose it is.
      faults.push({ at: now(), pid: 'all', kind: 'network' })
      const kind = random(3)
      if (kind === 0) link.cut()
      else if (kind === 1) link.cutAfter(random(200))
      else {
        link.stall()
        await pause(random(300))
        link.resume()
      }
    },
  },
}

/** @param {Scene} scene */
async function kill({ actor, replace, faults }) {
  const killed = actor()
  if (!killed?.pid) return
  faults.push({ at: now(), pid: killed.pid, kind: 'kill' })
  killed.kill('SIGKILL')
  replace()
}
