// Declares the tests of the contract for each engine, and gives them new locks and other owners.
import { hostname } from 'node:os'
import { childPool } from '../helpers/child-pool.js'
import { cleanUp } from '../helpers/cleanup.js'
import { spawnThread, testUnless, test as testWithBound } from '../helpers/index.js'
import { stream } from '../helpers/observe.js'
import { engines } from './engines.js'
import { MODES } from './modes.js'

/**
 * @typedef {import('./engines.js').Test} Test
 * @typedef {import('./engines.js').Capability} Capability
 * @typedef {(t: Test) => void | Promise<void>} Body
 */

/** The means of the tests over one engine. */
class Bench {
  #engine
  #pool

  /** @param {(typeof engines)[number]} engine */
  constructor(engine) {
    this.#engine = engine
    this.#pool = childPool(engine.module)
  }

  /**
   * Declares a test of the contract: `test(title, body)`, or `test(title, needs, body)` if it needs
   * capabilities that not every engine has. Over an engine without them it is skipped.
   *
   * @param {string} title
   * @param {[Body] | [Capability[], Body]} rest
   */
  test = (title, ...rest) => {
    const [needs, body] = rest.length === 1 ? [[], rest[0]] : rest
    const lacked = needs.find((capability) => !this.#engine.capabilities.includes(capability))
    const declare = lacked ? testUnless(`the engine has no ${lacked}`) : testWithBound
    declare(`${this.#engine.name}: ${title}`, body)
  }

  /** @param {Capability} capability */
  has = (capability) => this.#engine.capabilities.includes(capability)

  /** The modes in which its locks can be held. */
  get modes() {
    return MODES.filter((mode) => mode !== 'upgradable' || this.#engine.capabilities.includes(mode))
  }

  /** The kinds of references, each with the function that makes one. */
  get refs() {
    return Object.entries(this.#engine.refs)
  }

  /** The longest time in which the exit of a process is detected, in ms. */
  get exitDetection() {
    return this.#engine.exitDetection
  }

  /** What holders and dead owners have besides: the name of their machine, if the engine is of several. */
  get host() {
    return this.#engine.capabilities.includes('hosts') ? { host: hostname() } : {}
  }

  /** A reference of a lock that no other test uses. @param {Test} t */
  newRef = (t) => this.refs[0][1](t)

  /**
   * A handle of this thread, by default of a new lock. It is closed after the test.
   *
   * @param {Test} t
   * @param {any} [ref]
   * @param {any} [options]
   */
  open = (t, ref = this.newRef(t), options = undefined) => {
    const lock = this.#engine.open(ref, options)
    cleanUp(t, 'locks', () => lock.close())
    return lock
  }

  /** A semaphore, by default a new one. It is closed after the test. @param {Test} t @param {number} permits @param {any} [ref] */
  semaphore = (t, permits, ref = this.newRef(t)) => {
    const semaphore = this.#engine.semaphore(ref, { permits })
    cleanUp(t, 'locks', () => semaphore.close())
    return semaphore
  }

  /** Acquires a lock for writing, from those who hold it. @param {any} lock @param {any} [options] */
  steal = (lock, options = undefined) => this.#engine.steal(lock, options)

  /** A process that acquires a lock repeatedly; see `stream`. @param {Test} t @param {any} what */
  stream = (t, what) => stream(t, { engine: this.#engine.module.href, ...what })

  /** Another process, with no lock open (`helpers/child.js`). @param {Test} t */
  otherProcess = (t) => this.#pool(t)

  /** A worker thread of this process, with no lock open. @param {Test} t */
  otherThread = (t) => spawnThread(t, { engine: this.#engine.module })
}

/**
 * Declares tests for every engine.
 *
 * @param {(bench: Bench) => void} declare
 */
export function contract(declare) {
  for (const engine of engines) declare(new Bench(engine))
}
