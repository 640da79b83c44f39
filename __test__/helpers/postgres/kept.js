// A server under a keeper (`keeper.js`): commands to the keeper, and the server's start and end.
import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { timeoutFactor } from '../timeout-factor.js'

const BOUND = 30_000

export class KeptServer {
  /** The process ID of the running server. @type {number | undefined} */
  pid
  #keeper
  #lastId = 0
  /** @type {number | undefined} */
  #lastExited
  /** @type {Map<number, { resolve: (value: any) => void, reject: (error: Error) => void }>} */
  #asked = new Map()
  /** Resolves when the running server has exited. @type {Promise<void>} */
  #exited = Promise.resolve()
  #onExit = () => {}

  /** @param {{ disk?: { size: string, at: string } }} [options] `disk`: see `PostgresServer` */
  constructor({ disk } = {}) {
    this.#keeper = fork(fileURLToPath(new URL('./keeper.js', import.meta.url)), [], {
      execArgv: [],
      ...(disk && onDisk(disk)),
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    })
    this.#keeper.on('message', (/** @type {any} */ message) => {
      if (message.exited) {
        this.#lastExited = message.exited.pid
        this.pid = undefined
        this.#onExit()
        return
      }
      const asked = this.#asked.get(message.id)
      this.#asked.delete(message.id)
      if (message.error === undefined) asked?.resolve(message.value)
      else asked?.reject(new Error(message.error))
    })
    this.ended = new Promise((resolve) => {
      this.#keeper.once('exit', () => {
        for (const { reject } of this.#asked.values()) reject(new Error('the keeper of the server has ended'))
        this.#onExit()
        resolve(undefined)
      })
    })
  }

  /**
   * @param {string} op
   * @param {object} [args]
   * @returns {Promise<any>}
   */
  ask(op, args) {
    const id = ++this.#lastId
    return within(
      new Promise((resolve, reject) => {
        this.#asked.set(id, { resolve, reject })
        this.#keeper.send({ id, op, args })
      }),
      `answer to "${op}" of the keeper`,
    )
  }

  /**
   * @param {string} command
   * @param {string[]} args
   */
  async launch(command, args) {
    this.#exited = new Promise((resolve) => {
      this.#onExit = () => resolve()
    })
    const pid = await this.ask('start', { command, args })
    // Both messages may have come at once.
    if (pid !== this.#lastExited) this.pid = pid
  }

  /** Sends a signal to the server. @param {NodeJS.Signals} signal */
  signal(signal) {
    if (this.pid !== undefined) process.kill(this.pid, signal)
  }

  /** Ends the server by a signal, and waits for its exit. @param {NodeJS.Signals} signal */
  async end(signal) {
    this.signal(signal)
    await within(this.#exited, `exit of the server after ${signal}`)
  }

  /** This process may exit meanwhile; the server then ends. */
  unref() {
    this.#keeper.unref()
    this.#keeper.channel?.unref()
  }

  /** Ends the server in any state, and removes its folder. */
  async destroy() {
    if (this.#keeper.connected) this.#keeper.disconnect()
    await within(this.ended, 'exit of the keeper')
  }
}

/** In a mount namespace, so that the disk goes with the keeper. @param {{ size: string, at: string }} disk */
function onDisk({ size, at }) {
  const mount = `mount -t tmpfs -o "mode=1777,size=$0" tmpfs "$TMPDIR" && exec "$@"`
  return {
    execPath: 'unshare',
    execArgv: ['--mount', '--propagation', 'private', 'sh', '-c', mount, size, process.execPath],
    env: { ...process.env, TMPDIR: at },
  }
}

/**
 * @template T
 * @param {Promise<T>} promise
 * @param {string} what
 * @returns {Promise<T>}
 */
function within(promise, what) {
  /** @type {NodeJS.Timeout | undefined} */
  let timer
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no ${what} within ${BOUND} ms`)), BOUND * timeoutFactor)
  })
  return Promise.race([promise, /** @type {Promise<never>} */ (late)]).finally(() => clearTimeout(timer))
}
