// One of the numbered processes of a stress test: a process, and after its end the next one.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

const NODE_WORKER = fileURLToPath(new URL('worker.js', import.meta.url))
const STDERR_KEPT = 4000

// Exit codes on Windows, which has no signals: the killer's, and STATUS_STACK_BUFFER_OVERRUN, with which a Rust program aborts.
const [KILLED, ABORTED] = process.platform === 'win32' ? [137, 0xc0000409] : []

/** Starts a program. The caller waits for its end. @param {string} program @param {(string | number)[]} args */
export function start(program, args) {
  const child = spawn(program, args.map(String), { stdio: ['pipe', 'pipe', 'pipe'] })
  const started = { child, stderr: '', ended: once(child, 'exit') }
  // A process that dies while it is written to.
  child.stdin.on('error', () => {})
  child.stderr.setEncoding('utf8').on('data', (text) => {
    started.stderr = (started.stderr + text).slice(-STDERR_KEPT)
  })
  return started
}

export class StressProcess {
  life = 0
  isRunning = false
  isStopped = false
  #started
  #killer
  #job

  /**
   * @param {number} number
   * @param {any} killer
   * @param {{ worker: string | undefined, folder: string, location: string, fairness: number }} job `worker`: the Rust
   *   program; without it, the process runs Node
   */
  constructor(number, killer, job) {
    this.number = number
    this.#killer = killer
    this.#job = job
  }

  get isNode() {
    return this.#job.worker === undefined
  }

  get pid() {
    return this.#started.child.pid
  }

  /**
   * Begins the next life. Resolves at its end, with what is wrong about the end, if anything.
   *
   * @param {number} seed
   * @returns {Promise<string | undefined>}
   */
  async live(seed) {
    const { worker, folder, location, fairness } = this.#job
    this.life++
    const args = [folder, location, fairness, this.number, this.life, seed]
    const started = this.isNode
      ? start(process.execPath, [NODE_WORKER, ...args])
      : start(/** @type {string} */ (worker), ['work', ...args])
    this.#started = started
    this.isRunning = true
    const [code, signal] = await started.ended
    this.isRunning = false
    this.isStopped = false
    this.#killer.ended(this.number, this.life)
    const killed = signal === 'SIGKILL' || code === KILLED
    // Some processes abort by themselves, inside a hold.
    const aborted = signal === 'SIGABRT' || code === ABORTED
    if (code === 0 || killed || (aborted && started.stderr === '')) return undefined
    return `process ${this.number} (pid ${started.child.pid}) ended with ${signal ?? `code ${code}`}:\n${started.stderr}`
  }

  kill() {
    if (this.isRunning) this.#killer.kill(this.number, this.life, this.pid)
  }

  stop() {
    if (!this.isRunning || this.isStopped) return
    this.#killer.stop(this.number, this.life, this.pid)
    this.isStopped = true
  }

  resume() {
    if (!this.isRunning || !this.isStopped) return
    this.#killer.resume(this.number, this.life, this.pid)
    this.isStopped = false
  }
}
