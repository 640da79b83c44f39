// The server processes: started, counted, replaced when they die, and ended.
import cluster from 'node:cluster'
import { EventEmitter, once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const END_TIMEOUT = 2000 // ms that a worker may take to end

/**
 * Emits `ready(port)` when every worker listens; `halfway(server, message)` and `repaired(server, message)` as worker.js
 * reports them; `died(server, signal)`, `replaced(server)`; and `error`.
 *
 * @typedef {{ number: number, pid: number }} Server
 */
export class Fleet extends EventEmitter {
  /** Since `takeReports()` was last called. */
  #reports = newReports()
  /** @type {Map<number, number>} the number of the server that a cluster worker is, by the worker's id */
  #numbers = new Map()
  #env
  #stopping = false
  /** @type {number[]} of all workers there ever were */
  pids = []

  /** @param {{ LOCK: string, DIRECTORY: string, PORT: string }} env */
  constructor(env) {
    super()
    this.#env = env
    cluster.setupPrimary({ exec: fileURLToPath(new URL('worker.js', import.meta.url)) })
    cluster.on('message', (worker, message) => this.#hear(worker, message))
    cluster.on('exit', (worker, code, signal) => this.#exited(worker, code, signal))
  }

  /**
   * Resolves with the port that they listen on.
   *
   * @param {number} servers
   * @returns {Promise<number>}
   */
  async start(servers) {
    const workers = Array.from({ length: servers }, (_, i) => this.#fork(i + 1))
    const addresses = await Promise.all(workers.map((worker) => once(worker, 'listening')))
    return addresses[0][0].port
  }

  /** Has a server die in the middle of its next write. @param {number} number */
  crash(number) {
    this.#workers()
      .find((worker) => this.#numbers.get(worker.id) === number)
      ?.send('crash')
  }

  takeReports() {
    const reports = this.#reports
    this.#reports = newReports()
    return reports
  }

  /** Ends every server, one way or the other. */
  async stop() {
    this.#stopping = true
    await Promise.all(
      this.#workers().map(async (worker) => {
        const ended = once(worker, 'exit')
        if (worker.isConnected()) worker.send('end')
        await Promise.race([ended, sleep(END_TIMEOUT, undefined, { ref: false })])
        worker.process.kill('SIGKILL')
        await ended
      }),
    )
  }

  #workers() {
    return Object.values(cluster.workers ?? {}).filter((worker) => worker !== undefined)
  }

  #fork(number) {
    const worker = cluster.fork({ ...this.#env, NUMBER: String(number) })
    this.#numbers.set(worker.id, number)
    this.pids.push(worker.process.pid ?? 0)
    return worker
  }

  #serverOf(worker) {
    return { number: this.#numbers.get(worker.id) ?? 0, pid: worker.process.pid ?? 0 }
  }

  #hear(worker, message) {
    const { type, ...rest } = message
    if (type === 'failed') {
      this.emit('error', new Error(`the server cannot listen: ${rest.message}`))
    } else if (type === 'report') {
      for (const name of /** @type {const} */ (['reads', 'writes', 'torn', 'turnedAway'])) {
        this.#reports[name] += rest[name]
      }
      this.#reports.loopDelay = Math.max(this.#reports.loopDelay, rest.loopDelay)
    } else {
      this.emit(type, this.#serverOf(worker), rest)
    }
  }

  #exited(worker, code, signal) {
    if (this.#stopping) return
    const server = this.#serverOf(worker)
    if (!signal) {
      this.emit('error', new Error(`server ${server.number} (pid ${server.pid}) ended with code ${code}`))
      return
    }
    this.emit('died', server, signal)
    const replacement = this.#fork(server.number)
    replacement.once('listening', () => this.emit('replaced', this.#serverOf(replacement)))
  }
}

function newReports() {
  return { reads: 0, writes: 0, torn: 0, turnedAway: 0, loopDelay: 0 }
}
