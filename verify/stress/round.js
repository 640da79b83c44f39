// One round of a stress test: a lock, its processes, and the killer. All decisions come from the seed; the scheduling of the
// kernel does not.
import { spawnSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { RWLock } from '../../dist/index.js'
import { random } from '../../scripts/lib/random.js'
import { StressProcess, start } from './process.js'

const THREADS = 2
const END_BOUND = 20_000 // ms for all processes to end after the request
const WAIT_BOUND = 15_000 // ms that a wait may last while no process is stopped
const CHECK_INTERVAL = 50 // ms between two checks of the oracle page
const RESUMING = 200 // ms for resumed processes to join again
const MOST_STOPPED = 3
const FAULT_PROFILES = /** @type {const} */ (['killing', 'barging', 'stopping', 'calm']) // in turn
const BARGERS = 3 // processes: enough threads to occupy each core of a small machine

/**
 * @typedef {object} RoundOptions
 * @property {number} seed
 * @property {number} ms
 * @property {number} processes
 * @property {number} nodes how many of them run Node
 * @property {string} worker the program in Rust
 */

/**
 * @typedef {object} Result
 * @property {string[]} violations
 * @property {string} folder where the histories are, if there are violations
 * @property {any} [figures] what the check of the histories printed
 */

export class Round {
  #options
  #dice
  #folder = mkdtempSync(join(tmpdir(), 'process-rwlock-stress-'))
  #location
  #fairness
  /** The most read holds at once; 0: no limit. */
  #limit
  #killer
  #keeper
  /** @type {StressProcess[]} */
  #processes = []
  /** @type {Promise<void>[]} */
  #lives = []
  #ending = false
  /** @type {string[]} */
  #violations = []
  /** How long each wait has lasted while no process was stopped, in ms. @type {Map<string, number>} */
  #waits = new Map()
  #disturbed = 0
  #phases = 0

  /** @param {RoundOptions} options */
  constructor(options) {
    this.#options = options
    this.#dice = random(options.seed)
    this.#location = options.seed % 2 ? `path:${join(this.#folder, 'lock')}` : `name:stress/${randomUUID()}`
    this.#fairness = this.#dice.pick([1, 1, 1, 0, 5])
    this.#limit = this.#dice.pick([0, 0, 1, 4])
    const { StressKiller } = createRequire(import.meta.url)('../../__test__/helpers/testkit.node')
    this.#killer = new StressKiller(this.#folder, this.#fairness, this.#limit)
  }

  get title() {
    const { seed, ms, processes, nodes } = this.#options
    return (
      `seed ${seed}: ${ms / 1000} s, ${nodes} Node and ${processes - nodes} Rust processes, ` +
      `a lock by ${this.#location.slice(0, 4)}, fairness ${this.#fairness} ms, ` +
      (this.#limit ? `at most ${this.#limit} readers` : 'any number of readers')
    )
  }

  /** @returns {Promise<Result>} */
  async run() {
    const { processes, nodes, worker, ms } = this.#options
    this.#keeper = start(worker, [
      'keep-lock',
      this.#folder,
      this.#location,
      processes * THREADS + 1,
      this.#limit,
    ])
    await Promise.race([once(this.#keeper.child.stdout, 'data'), this.#keeper.ended])
    const end = performance.now() + ms
    for (let number = 0; number < processes; number++) {
      const job = { folder: this.#folder, location: this.#location, fairness: this.#fairness }
      const one = new StressProcess(number, this.#killer, {
        ...job,
        worker: number < nodes ? undefined : worker,
      })
      this.#processes.push(one)
      this.#lives.push(this.#keepAlive(one))
    }
    const watch = setInterval(() => this.#check(), CHECK_INTERVAL)
    try {
      while (performance.now() < end && !this.#hasFailed) await this.#phase(end)
    } catch (error) {
      this.#violations.push(`the stress test itself failed: ${error.stack}`)
    } finally {
      clearInterval(watch)
    }
    if (this.#hasFailed) await this.kill()
    else await this.#finish()
    return this.#result()
  }

  /** Kills all processes. */
  async kill() {
    this.#ending = true
    for (const one of this.#processes) one.kill()
    await Promise.all(this.#lives)
    this.#keeper?.child.kill('SIGKILL')
    await this.#keeper?.ended
  }

  /** Removes all files and shared memory. All processes must have ended. */
  remove() {
    this.removeLock()
    this.#killer.close()
    rmSync(this.#folder, { recursive: true, force: true })
  }

  /** Separate, because it happens even if the histories are kept. */
  removeLock() {
    if (this.#location.startsWith('name:')) RWLock.remove(this.#location.slice(5))
  }

  get #hasFailed() {
    return this.#violations.length > 0 || this.#killer.isFailed
  }

  /** @param {StressProcess} one */
  async #keepAlive(one) {
    while (!this.#ending) {
      const wrong = await one.live(Math.floor(this.#dice.next() * 2 ** 31))
      if (wrong) this.#violations.push(wrong)
      if (this.#hasFailed) return
      // Mostly at once. Sometimes late, so that other processes must recover what is left.
      await sleep(this.#dice.chance(0.9) ? this.#dice.below(30) : this.#dice.below(4000))
    }
  }

  /**
   * A phase with one fault profile. Only `stopping` stops processes: a bound on waiting means nothing then.
   *
   * @param {number} end
   */
  async #phase(end) {
    const profile = FAULT_PROFILES[this.#phases++ % FAULT_PROFILES.length]
    // Long enough to exceed the bound of a second by far if the queue were not closed.
    const least = profile === 'barging' ? 4000 : 1500
    const until = Math.min(end, performance.now() + least + this.#dice.below(1500))
    const bargers =
      profile === 'barging' ? this.#processes.filter((one) => !one.isNode).slice(0, BARGERS) : []
    this.#killer.bargers = bargers.reduce((bits, { number }) => bits | (1 << number), 0)
    // The other processes leave the processors to those that barge.
    this.#killer.calm = profile === 'calm' || profile === 'barging'
    if (profile !== 'stopping') for (const one of this.#processes) one.resume()
    while (performance.now() < until && !this.#hasFailed) {
      await sleep(5 + this.#dice.below(120))
      const any = this.#dice.pick(this.#processes)
      // Often one that holds the lock.
      const inside = this.#dice.chance(0.5) ? this.#killer.insideExclusively() : null
      const one = this.#processes[inside ?? any.number] ?? any
      const stops = this.#dice.chance(0.6)
      const stopped = this.#dice.below(this.#dice.chance(0.8) ? 40 : 800)
      if (profile === 'stopping' && stops) this.#stopFor(one, stopped)
      else if (profile !== 'barging') one.kill()
    }
    this.#killer.bargers = 0
  }

  /** @param {StressProcess} one @param {number} ms */
  #stopFor(one, ms) {
    if (this.#processes.filter(({ isStopped }) => isStopped).length >= MOST_STOPPED) return
    const { life } = one
    one.stop()
    setTimeout(() => {
      if (one.life === life) one.resume()
    }, ms)
  }

  /** Reports a wait that is too long. Time while a process is stopped does not count, because that process may be the holder. */
  #check() {
    const now = performance.now()
    if (this.#processes.some(({ isStopped }) => isStopped)) this.#disturbed = now
    const counts = now - this.#disturbed > RESUMING
    const waits = new Map()
    for (const { process, since } of this.#killer.waits()) {
      const key = `${process} since ${since} ns`
      waits.set(key, (this.#waits.get(key) ?? 0) + (counts ? CHECK_INTERVAL : 0))
    }
    this.#waits = waits
    for (const [key, ms] of waits) {
      if (ms > WAIT_BOUND) this.#violations.push(`a wait of process ${key} has not ended after ${ms} ms`)
    }
  }

  /** All processes end by themselves; then nothing may be left. */
  async #finish() {
    this.#ending = true
    for (const one of this.#processes) one.resume()
    this.#killer.endAll()
    const bound = new AbortController()
    const inTime = await Promise.race([
      Promise.all(this.#lives).then(() => true),
      sleep(END_BOUND, false, { signal: bound.signal }),
    ])
    bound.abort()
    if (!inTime) {
      const left = this.#processes
        .filter(({ isRunning }) => isRunning)
        .map(({ number, pid }) => `${number} (pid ${pid})`)
      this.#violations.push(
        `still running ${END_BOUND} ms after the request to end: process ${left.join(', ')}`,
      )
      return this.kill()
    }
    this.#keeper.child.stdin.end('check\n')
    const [code] = await this.#keeper.ended
    if (code !== 0) this.#violations.push(`the lock keeper failed: ${this.#keeper.stderr}`)
  }

  /** @returns {Result} */
  #result() {
    const folder = this.#folder
    for (const name of readdirSync(folder)) {
      if (name.startsWith('violation-'))
        this.#violations.push(readFileSync(join(folder, name), 'utf8').trimEnd())
    }
    const { stdout, stderr } = spawnSync(this.#options.worker, ['check', folder], {
      encoding: 'utf8',
      maxBuffer: 2 ** 28,
    })
    if (!stdout)
      return { folder, violations: [...this.#violations, `the check of the histories failed: ${stderr}`] }
    const { violations, ...figures } = JSON.parse(stdout)
    return { folder, figures, violations: [...this.#violations, ...violations] }
  }
}
