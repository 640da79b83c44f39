// Starts drivers, and speaks to them as protocol.md says.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

/** How long a driver may take to start, and to answer what takes no time by itself, in ms. */
export const PATIENCE = 30_000

/** What the drivers told of the systems that they use. @type {Record<string, string>} */
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
    this.#child.stdin.on('error', () => {}) // it has died: whoever awaits an answer is told so
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
   * @param {number} [bound] how many ms the answer may take
   * @returns {Promise<any>}
   */
  ask(command, bound = PATIENCE) {
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
          // An answer that comes later must not be taken for the next one's: this driver is done for.
          reject(new TimeoutError(`${this.name} did not answer within ${bound} ms`))
          this.kill()
        }, bound)
      })
    } finally {
      clearTimeout(timer)
    }
  }

  async ready() {
    const { system, version } = await this.#answer(PATIENCE)
    versions[system] = version
    return this
  }

  kill() {
    this.#child.kill('SIGKILL')
  }

  /** Ends it as it wants to be ended; a driver that still waits for its lock is killed. */
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
