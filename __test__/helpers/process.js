// Child processes of a test: messages with a time limit, and no child left over.
import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { cleanUp } from './cleanup.js'
import { native } from './native.js'
import { timeoutFactor } from './timeout-factor.js'

// Far more than a loaded machine needs, and far less than the timeout of the suite, which would not
// name the child.
const BOUND = 15_000

/**
 * @typedef {import('node:child_process').ForkOptions} ForkOptions
 * @typedef {import('ava').ExecutionContext<any>} Test
 */

/**
 * Starts a script under the Node.js of this test. It is killed after the test, even if it is
 * stopped.
 *
 * @param {Test} t
 * @param {string | URL} script
 * @param {string[]} [args]
 * @param {ForkOptions} [options] `env` adds to this process' environment
 */
export function spawnNode(t, script, args = [], { env, ...options } = {}) {
  const child = new Child(
    fork(fileURLToPath(new URL(script, import.meta.url)), args, {
      execPath: process.execPath,
      execArgv: [],
      // Preserves bigint, Map, Error and similar values.
      serialization: 'advanced',
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      env: { ...process.env, ...env },
      ...options,
    }),
  )
  cleanUp(t, 'processes', () => child.destroy())
  return child
}

/**
 * Options of a child that can open few files. The limit of a machine may be a million, or none.
 *
 * @type {ForkOptions}
 */
export const fewDescriptors = {
  execPath: '/bin/sh',
  execArgv: ['-c', 'ulimit -n 64; exec "$0" "$@"', process.execPath],
}

/**
 * Starts the child that takes commands (`child.js`), ready for the first.
 *
 * @param {Test} t
 * @param {ForkOptions & { engine?: URL }} [options] `engine`: what it opens its locks with
 */
export async function spawnChild(t, { engine, ...options } = {}) {
  const child = spawnNode(t, './child.js', engine ? [engine.href] : [], options)
  await child.next('ready')
  return child
}

/** A child process with its messages and output. */
class Child {
  /** Its standard output and error so far. */
  stdout = ''
  stderr = ''
  /** How it ended. @type {Promise<{ code: number | null, signal: NodeJS.Signals | null }>} */
  exited
  #process
  /** Messages that no call has taken yet. @type {any[]} */
  #inbox = []
  /** @type {Set<() => void>} */
  #listeners = new Set()
  #lastId = 0
  #ended = false

  /** @param {import('node:child_process').ChildProcess} child */
  constructor(child) {
    this.#process = child
    child.stdout?.setEncoding('utf8').on('data', (text) => {
      this.stdout += text
    })
    child.stderr?.setEncoding('utf8').on('data', (text) => {
      this.stderr += text
    })
    child.on('message', (message) => {
      this.#inbox.push(message)
      this.#notify()
    })
    // A message to a child that has just died: its exit says more than EPIPE.
    child.on('error', (error) => {
      this.stderr += `${error}\n`
    })
    this.exited = new Promise((resolve) => {
      child.once('exit', (code, signal) => resolve({ code, signal }))
    })
    // 'close' comes after the last message and the last line of stderr, 'exit' may come before
    // them.
    child.once('close', () => {
      this.#ended = true
      this.#notify()
    })
  }

  get #isRunning() {
    return this.#process.exitCode === null && this.#process.signalCode === null
  }

  get pid() {
    return /** @type {number} */ (this.#process.pid)
  }

  /** @param {any} message */
  send(message) {
    if (this.#process.connected) this.#process.send(message)
  }

  /**
   * The next message of this `type`, including one that has already arrived.
   *
   * @param {string} type
   * @param {{ bound?: number }} [options] ms
   * @returns {Promise<any>}
   */
  next(type, options) {
    return this.#take((message) => message.type === type, `message "${type}"`, options)
  }

  /**
   * Has the child carry out a command of `child.js`, and returns its answer.
   *
   * @param {string} op
   * @param {object} [args]
   * @param {{ bound?: number }} [options] ms
   * @returns {Promise<any>}
   */
  async ask(op, args, options) {
    const id = this.tell(op, args)
    const answer = await this.#take(
      (message) => message.type === 'answer' && message.id === id,
      `answer to "${op}"`,
      options,
    )
    if (answer.error) throw Object.assign(new Error(answer.error.message), answer.error)
    return answer.value
  }

  /**
   * Like `ask`, for a command whose answer does not matter or never comes.
   *
   * @param {string} op
   * @param {object} [args]
   */
  tell(op, args = {}) {
    const id = ++this.#lastId
    this.send({ id, op, args })
    return id
  }

  /**
   * Kills the child, by default with SIGKILL, and waits for its end.
   *
   * @param {NodeJS.Signals} [signal]
   */
  kill(signal = 'SIGKILL') {
    this.#process.kill(signal)
    return this.exited
  }

  /** Stops the child at its current instruction. */
  stop() {
    if (this.#isRunning) native.stopProcess(this.pid)
  }

  /** Resumes a stopped child. */
  resume() {
    if (this.#isRunning) native.resumeProcess(this.pid)
  }

  /** Ends the child in any state, and releases its resources. */
  async destroy() {
    if (this.#process.pid === undefined) return
    if (this.#isRunning) {
      this.#process.kill('SIGKILL')
      if (process.platform !== 'win32') this.#process.kill('SIGCONT')
      await this.exited
    }
    // Descendants of the child may hold its pipes open, which would keep this process alive.
    this.#process.stdout?.destroy()
    this.#process.stderr?.destroy()
    if (this.#process.connected) this.#process.disconnect()
  }

  /**
   * @param {(message: any) => boolean} matches
   * @param {string} what
   * @param {{ bound?: number }} [options]
   */
  #take(matches, what, { bound = BOUND } = {}) {
    return new Promise((resolve, reject) => {
      const look = () => {
        const index = this.#inbox.findIndex(matches)
        if (index >= 0) settle(() => resolve(this.#inbox.splice(index, 1)[0]))
        else if (this.#ended) settle(() => reject(this.#complaint(`ended without its ${what}`)))
      }
      const settle = (how) => {
        clearTimeout(timer)
        this.#listeners.delete(look)
        how()
      }
      const timer = setTimeout(
        () => settle(() => reject(this.#complaint(`sent no ${what} within ${bound} ms`))),
        bound * timeoutFactor,
      )
      this.#listeners.add(look)
      look()
    })
  }

  #notify() {
    for (const listener of this.#listeners) listener()
  }

  /** @param {string} what */
  #complaint(what) {
    const { exitCode, signalCode } = this.#process
    const end = signalCode ?? exitCode
    return new Error(
      `child ${this.pid} ${what}${end === null ? '' : ` (it ended: ${end})`}; its stderr:\n${this.stderr || '(empty)'}`,
    )
  }
}
