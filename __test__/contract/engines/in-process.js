// A second engine: locks of this process, whose engine answers later, like a server. It proves that the API needs no more of an
// engine than src/engine.ts says.
import { setImmediate } from 'node:timers/promises'
import { EngineLock } from '../../../dist/engine-lock.js'
import { LockError } from '../../../dist/errors.js'
import { Hold } from '../../../dist/guard.js'
import { CONSISTENT, MODE_NAMES, READ, UPGRADABLE, WRITE } from '../../../dist/modes.js'

/** @typedef {{ mode: number, token: bigint, since: number, label: string, engine: InProcessEngine }} Grant */

/** The state of each lock, by name. */
const servers = new Map()
const serverOf = (/** @type {string} */ name) => {
  if (!servers.has(name)) servers.set(name, { token: 0n, grants: new Set(), queue: [] })
  return servers.get(name)
}

/** @param {number} mode @param {Iterable<Grant>} grants */
function isFree(mode, grants) {
  for (const held of grants) {
    if (mode === WRITE || held.mode === WRITE || (mode === UPGRADABLE && held.mode === UPGRADABLE)) return false
  }
  return true
}

/** @implements {import('../../../dist/engine.js').LockEngine<Grant>} */
export class InProcessEngine {
  capabilities = { sync: false, upgradable: true, ownerDied: false }
  closed = false
  #server
  /** @type {Set<Hold<Grant>>} */
  #holds = new Set()
  /** The requests that wait, each with its timer. @type {Map<any, NodeJS.Timeout>} */
  #requests = new Map()

  /** @param {string} name */
  constructor(name) {
    this.location = { name }
    this.text = `lock '${name}'`
    this.#server = serverOf(name)
  }

  assertOpen() {
    if (this.closed) throw new LockError('ERR_LOCK_CLOSED', `${this.text} is closed`)
  }

  async tryAcquire(lock, mode, label) {
    await setImmediate()
    this.assertOpen()
    return isFree(mode, this.#server.grants) ? this.#hold(lock, mode, this.#grant(mode, label)) : null
  }

  request(request) {
    // Without a timeout, too: a pending request keeps the process alive.
    const timer = setTimeout(
      () => {
        const { holders } = this.#snapshot()
        this.#forget(request)
        request.timeOut(new LockError('ERR_LOCK_TIMEOUT', `${this.text} was not granted in time`, holders))
        this.advance()
      },
      Math.min(request.timeout, 2 ** 31 - 1),
    )
    this.#requests.set(request, timer)
    const { queue } = this.#server
    if (request.upgrade === null) queue.push(request)
    else queue.unshift(request)
    setImmediate().then(() => this.advance())
  }

  cancel(request) {
    this.#forget(request)
  }

  #forget(request) {
    clearTimeout(this.#requests.get(request))
    this.#requests.delete(request)
    const { queue } = this.#server
    const index = queue.indexOf(request)
    if (index !== -1) queue.splice(index, 1)
  }

  /** Grants in the order of the queue. */
  advance() {
    const { queue, grants } = this.#server
    while (queue.length > 0) {
      const [request] = queue
      const { mode, label, upgrade, engine } = request
      const others = [...grants].filter((grant) => grant !== upgrade?.grant)
      if (!isFree(mode, others)) return
      engine.#forget(request)
      if (upgrade !== null) grants.delete(upgrade.grant)
      const grant = engine.#grant(mode, label)
      if (!request.grant(grant)) grants.delete(grant)
    }
  }

  #grant(mode, label = 'in process') {
    const server = this.#server
    if (mode === WRITE) server.token++
    const grant = { mode, token: server.token, since: performance.now(), label, engine: this }
    server.grants.add(grant)
    return grant
  }

  #hold(lock, mode, grant) {
    const hold = new Hold(this, lock, mode, grant, null)
    this.#holds.add(hold)
    return hold
  }

  granted({ lock, mode, upgrade }, grant) {
    if (upgrade === null) return this.#hold(lock, mode, grant)
    upgrade.held = WRITE
    upgrade.grant = grant
    return upgrade
  }

  async release(hold) {
    this.#holds.delete(hold)
    await setImmediate()
    this.#server.grants.delete(hold.grant)
    this.advance()
  }

  async tryUpgrade(hold) {
    await setImmediate()
    const { grants } = this.#server
    if (!isFree(WRITE, [...grants].filter((grant) => grant !== hold.grant))) return false
    grants.delete(hold.grant)
    hold.held = WRITE
    hold.grant = this.#grant(WRITE, hold.grant.label)
    return true
  }

  async downgrade(hold, to) {
    await setImmediate()
    hold.held = to
    hold.grant.mode = to
    this.advance()
  }

  tokenOf(grant) {
    return grant.token
  }

  async inspect() {
    await setImmediate()
    return this.#snapshot()
  }

  #snapshot() {
    const { grants, queue, token } = this.#server
    const row = (mode, label, since) => ({
      pid: process.pid,
      threadId: 0,
      mode: MODE_NAMES[mode],
      count: 1,
      label,
      ms: performance.now() - since,
    })
    return {
      ...this.location,
      holders: [...grants].map(({ mode, label, since }) => row(mode, label, since)),
      waiters: queue.map(({ mode, label = 'in process' }) => row(mode, label, performance.now())),
      token,
      ownerDied: null,
      capacity: 1,
    }
  }

  async close() {
    if (this.closed) return
    this.closed = true
    for (const request of this.#requests.keys()) {
      request.withdraw(new LockError('ERR_LOCK_CLOSED', `${this.text} was closed while this waited for it`))
    }
    for (const hold of this.#holds) this.#server.grants.delete(hold.grant)
    await setImmediate()
    this.advance()
  }
}

/** @param {string} name @returns {import('process-rwlock').AsyncRWLock} */
export const open = (name) => new EngineLock(() => new InProcessEngine(name))
