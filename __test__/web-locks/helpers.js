// Names and agents of the tests of Web Locks.
import { randomUUID } from 'node:crypto'
import { threadId } from 'node:worker_threads'
import ava from 'ava'
import { RWLock } from 'process-rwlock'
import { locks } from 'process-rwlock/web-locks'
import { spawnNode, spawnThread, waitFor } from '../helpers/index.js'

/** @typedef {import('ava').ExecutionContext<any>} Test */

const AGENT = new URL('./programs/agent.js', import.meta.url)

/** The client ID of this thread. */
export const ownId = `${process.pid}-${threadId}`

/** In all names of this test file. */
const file = `test-${randomUUID()}`

ava.after.always('nothing is left', () => isGone(file))

/** A name that no other test uses. */
export const newName = () => `${file}/${randomUUID()}`

/** Resolves when no lock is left whose name contains `name`. @param {string} name */
export function isGone(name) {
  const left = () => RWLock.list().filter((lock) => lock.name?.includes(name))
  return waitFor(() => left().length === 0, { what: `no lock of ${name} is left`, every: 50 })
}

/** The kinds of agents: each starts one, which takes the commands of `agent.js`. */
export const agents = {
  /** @param {Test} t */
  async process(t) {
    const child = spawnNode(t, AGENT)
    await child.next('ready')
    return Object.assign(child, { clientId: `${child.pid}-0`, destroyed: () => child.kill() })
  },
  /** @param {Test} t */
  async thread(t) {
    const thread = await spawnThread(t, { program: AGENT })
    return Object.assign(thread, {
      clientId: `${process.pid}-${thread.threadId}`,
      destroyed: () => thread.terminate(),
    })
  },
}

/** What `query()` says of one name: the modes and clients. @param {string} name */
export async function stateOf(name) {
  const { held, pending } = await locks.query()
  const of = (all) => all.flatMap((it) => (it.name === name ? [`${it.mode} ${it.clientId}`] : []))
  return { held: of(held), pending: of(pending) }
}

/** Waits until so many requests wait for a lock. @param {string} name @param {number} count */
export function pending(name, count) {
  const are = async () => (await stateOf(name)).pending.length === count
  return waitFor(are, { what: `${count} requests wait` })
}

/**
 * Begins a request of this thread, whose callback runs until `end()`.
 *
 * @param {string} name
 * @param {import('process-rwlock/web-locks').LockOptions} [options]
 */
export function begin(name, options = {}) {
  /** @type {(value?: unknown) => void} */
  let end = () => {}
  const ended = new Promise((resolve) => {
    end = resolve
  })
  const state = { isRunning: false, end }
  /** @type {Promise<unknown>} */
  let outcome = Promise.resolve()
  const granted = new Promise((resolve) => {
    outcome = locks.request(name, options, async (lock) => {
      state.isRunning = true
      resolve(lock)
      const value = await ended
      state.isRunning = false
      return value
    })
  })
  outcome.catch(() => {})
  return Object.assign(state, { granted, outcome })
}
