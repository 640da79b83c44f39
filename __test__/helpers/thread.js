// Worker threads of this process that take the same commands as a child process.
import { EventEmitter, once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { cleanUp } from './cleanup.js'
import { timeoutFactor } from './timeout-factor.js'

const BOUND = 15_000

/**
 * Starts a thread that takes the commands of `child.js`, or of another program, ready for the
 * first. It is terminated after the test.
 *
 * @param {import('ava').ExecutionContext<any>} t
 * @param {{ engine?: URL, program?: URL }} [options] `engine`: what it opens its locks with;
 *   `program`: what it runs instead of `child.js`
 */
export async function spawnThread(t, { engine, program } = {}) {
  const argv = engine ? [engine.href] : []
  const workerData = { program: program?.href }
  const thread = new Thread(new Worker(new URL('./worker.js', import.meta.url), { argv, workerData }))
  cleanUp(t, 'processes', () => thread.terminate())
  await thread.ready
  return thread
}

class Thread {
  pid = process.pid
  /** Resolves with the exit code. @type {Promise<number>} */
  exited
  /** @type {Promise<void>} */
  ready
  /** The uncaught error that ended it. @type {any} */
  error
  #worker
  /** @type {Map<number, (answer: any) => void>} */
  #pending = new Map()
  #lastId = 0
  /** The messages that are no answers, and what waits for one. */
  #messages = new EventEmitter()

  /** @param {Worker} worker */
  constructor(worker) {
    this.#worker = worker
    this.threadId = worker.threadId
    this.exited = new Promise((resolve) => worker.once('exit', resolve))
    this.ready = new Promise((resolve, reject) => {
      worker.on('message', (message) => {
        if (message.type === 'ready') resolve()
        else if (message.type === 'answer') this.#pending.get(message.id)?.(message)
        else this.#messages.emit(message.type, message)
      })
      worker.on('error', (error) => {
        this.error = error
        reject(error)
      })
    })
  }

  /**
   * Like `Child.ask`.
   *
   * @param {string} op
   * @param {object} [args]
   * @param {{ bound?: number }} [options] ms
   * @returns {Promise<any>}
   */
  ask(op, args, { bound = BOUND } = {}) {
    return new Promise((resolve, reject) => {
      const id = this.tell(op, args)
      const end = () => {
        clearTimeout(timer)
        this.#pending.delete(id)
      }
      const timer = setTimeout(() => {
        end()
        reject(new Error(`thread ${this.threadId} sent no answer to "${op}" within ${bound} ms`))
      }, bound * timeoutFactor)
      this.#pending.set(id, ({ value, error }) => {
        end()
        if (error) reject(Object.assign(new Error(error.message), error))
        else resolve(value)
      })
      this.exited.then(() => {
        end()
        reject(new Error(`thread ${this.threadId} ended without its answer to "${op}"`))
      })
    })
  }

  /**
   * Like `Child.tell`.
   *
   * @param {string} op
   * @param {object} [args]
   */
  tell(op, args = {}) {
    const id = ++this.#lastId
    this.#worker.postMessage({ id, op, args })
    return id
  }

  /**
   * The next message of this `type`, from now on.
   *
   * @param {string} type
   * @returns {Promise<any>}
   */
  async next(type) {
    const signal = AbortSignal.timeout(BOUND * timeoutFactor)
    const [message] = await once(this.#messages, type, { signal })
    return message
  }

  terminate() {
    return this.#worker.terminate()
  }
}
