// Starts drivers, and sends them the commands of protocol.md.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

/** The time limit for the start of a driver, and for an answer that needs no time itself, in ms. */
export const DRIVER_TIMEOUT = 30_000

/** The versions of the systems, as their drivers report them. @type {Record<string, string>} */
export const versions = {}

/** @type {Set<Driver>} */
const running = new Set()
process.once('exit', () => {
  for (const driver of running) driver.kill()
})

export class Driver {
  /** @type {import('node:child_process').ChildProcessWithoutNullStreams} */
  #child
  /** @type {{ resolve: (answer: any) => void, reject: (error: Error) => void }[]} */
  #asked = []
  #errors = ''
  #ended

  /** @param {string[]} command */
  constructor(command) {
    this.name = command.slice(-2)[0]
    this.#child = spawn(command[0], command.slice(1), { stdio: 'pipe' })
    running.add(this)
    this.#child.stderr.on('data', (chunk) => {
      this.#errors += chunk
    })
    this.#child.stdin.on('error', () => {}) // it has exited, which rejects pending answers
    createInterface({ input: this.#child.stdout }).on('line', (line) => {
      const answer = JSON.parse(line)
      const { resolve, reject } = this.#asked.shift() ?? {}
      if (answer.error === undefined) resolve?.(answer)
      else reject?.(new Error(`${this.name}: ${answer.error}`))
    })
    this.#ended = once(this.#child, 'close').then(([code, signal]) => {
      running.delete(this)
      for (const { reject } of this.#asked.splice(0)) {
        reject(new Error(`${this.name} ended with ${signal ?? code}: ${this.#errors.trim()}`))
      }
    })
  }

  /**
   * @param {object} command
   * @param {number} [bound] time limit for the answer, in ms
   * @returns {Promise<any>}
   */
  ask(command, bound = DRIVER_TIMEOUT) {
    const answer = this.#answer(bound)
    this.#child.stdin.write(`${JSON.stringify(command)}\n`)
    return answer
  }

  /** @param {number} bound */
  async #answer(bound) {
    /** @type {NodeJS.Timeout | undefined} */
    let timer
    try {
      return await new Promise((resolve, reject) => {
        const asked = { resolve, reject }
        this.#asked.push(asked)
        timer = setTimeout(() => {
          // A late answer would be taken for that of the next command, so this driver is of no more
          // use.
          reject(new TimeoutError(`${this.name} did not answer within ${bound} ms`))
          this.kill()
        }, bound)
      })
    } finally {
      clearTimeout(timer)
    }
  }

  async ready() {
    const { system, version } = await this.#answer(DRIVER_TIMEOUT)
    versions[system] = version
    return this
  }

  kill() {
    this.#child.kill('SIGKILL')
  }

  /** Ends the driver by closing its input; kills it if it still waits for its lock. */
  async end() {
    this.#child.stdin.end()
    const timer = setTimeout(() => this.kill(), 2000)
    await this.#ended
    clearTimeout(timer)
  }

  async died() {
    await this.#ended
  }
}

export class TimeoutError extends Error {}

export const nodeDriver = fileURLToPath(new URL('node.js', import.meta.url))
