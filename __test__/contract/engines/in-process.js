// A second engine: locks of this process whose engine answers later, like a server. It implements
// src/engine.ts, and shows that the API needs no more than that.
import { setImmediate } from 'node:timers/promises'
import { EngineLock } from '../../../dist/engine-lock.js'
import { LockError, notDowngradeError, notWriterError, readUpgradeError } from '../../../dist/errors.js'
import { Hold } from '../../../dist/guard.js'
import { MODE_NAMES, READ, UPGRADABLE, WRITE } from '../../../dist/modes.js'

/**
 * @import { LockEngine } from '../../../dist/engine.js'
 * @typedef {import('../../../dist/modes.js').Mode} Mode
 * @typedef {import('../../../dist/pending.js').PendingRequest<Grant>} Request
 * @typedef {{ mode: Mode, token: bigint, label: string, client: string, since: number, lost?: Error }} Grant `lost`: the server ended it
 * @typedef {import('../../../dist/notice.js').Notice<Grant>} Notice
 * @typedef {{ maxReaders: number | null, token: bigint, value: Uint8Array | null, valueToken: bigint | null, grants: Set<Grant>, queue: Array<{ request: Request, engine: InProcessEngine, since: number }>, notices: Map<Notice, Mode>, engines: Set<InProcessEngine> }} Server
 */

/** The state of "the server", by name of the lock. @type {Map<string, Server>} */
const servers = new Map()

/** @param {string} name @param {number | null} maxReaders the limit of a new lock @returns {Server} */
function serverOf(name, maxReaders) {
  const server = servers.get(name) ?? {
    maxReaders,
    token: 0n,
    value: null,
    valueToken: null,
    grants: new Set(),
    queue: [],
    notices: new Map(),
    engines: new Set(),
  }
  servers.set(name, server)
  return server
}

/** @param {Mode} mode @param {Grant[]} grants @param {number | null} maxReaders */
function isGrantable(mode, grants, maxReaders) {
  for (const held of grants) {
    if (mode === WRITE || held.mode === WRITE || (mode === UPGRADABLE && held.mode === UPGRADABLE))
      return false
  }
  return (
    mode !== READ || maxReaders === null || grants.filter((held) => held.mode === READ).length < maxReaders
  )
}

/** @param {string} code @param {string} message @param {object[]} [holders] @returns {LockError} */
const lockError = (code, message, holders) => new /** @type {any} */ (LockError)(code, message, holders)

/**
 * What this thread sees of waits: everything. Locks that were opened with the same label are those
 * of one client, which counts as a thread.
 *
 * @type {import('../../../dist/wait-graph.js').WaitGraph}
 */
const waitGraph = {
  pending: () => [...servers.values()].flatMap(({ queue }) => queue.map(({ request }) => request)),
  see: async ({ engine }) => seen(/** @type {string} */ (engine.location.name)),
  held: async () => [...servers.keys()].map(seen),
  wanted: async () => [...servers.keys()].map(seen),
}

/** @param {string} name @returns {import('../../../dist/wait-graph.js').SeenLock} */
function seen(name) {
  const { grants, queue } = serverOf(name, null)
  const party = (
    /** @type {string} */ client,
    /** @type {Mode} */ mode,
    /** @type {string} */ label,
    /** @type {number} */ since,
  ) => ({
    thread: client,
    pid: process.pid,
    threadId: 0,
    mode: /** @type {'read' | 'write' | 'upgradable'} */ (MODE_NAMES[mode]),
    label,
    since,
    ms: performance.now() - since,
    own: true,
  })
  return {
    identity: `in-process:${name}`,
    name,
    holders: [...grants].map(({ client, mode, label, since }) => party(client, mode, label, since)),
    waiters: queue.map(({ engine: { client }, request: { mode, label = client }, since }) =>
      party(client, mode, label, since),
    ),
  }
}

/** @implements {LockEngine<Grant>} */
class InProcessEngine {
  capabilities = {
    sync: false,
    upgradable: true,
    ownerDied: false,
    value: true,
    contention: true,
    steal: true,
  }
  closed = false
  waitGraph = waitGraph
  /** @type {Set<AbortController>} */
  losses = new Set()
  /** @type {Set<Notice>} */
  #notices = new Set()
  #server
  /** @type {Set<Hold<Grant>>} */
  #holds = new Set()
  /** The pending requests, each with its timer. @type {Map<Request, NodeJS.Timeout>} */
  #requests = new Map()

  /** Also the name of the client: see `waitGraph`. */
  #label
  #allowsSteals

  /** @param {string} name @param {{ label?: string, maxReaders?: number, stealable?: boolean }} [options] */
  constructor(name, { label = 'in process', maxReaders, stealable = false } = {}) {
    this.#label = label
    this.#allowsSteals = stealable
    this.location = { name }
    this.text = `lock '${name}'`
    this.identity = `in-process:${name}`
    this.#server = serverOf(name, maxReaders ?? null)
    this.#server.engines.add(this)
  }

  get client() {
    return this.#label
  }

  assertOpen() {
    if (this.closed) throw lockError('ERR_LOCK_CLOSED', `${this.text} is closed`)
  }

  /** @param {object} lock @param {Mode} mode @param {string | undefined} label */
  async tryAcquire(lock, mode, label) {
    await setImmediate()
    this.assertOpen()
    return this.#isGrantable(mode) ? this.#hold(lock, this.#grant(mode, label)) : null
  }

  /** @param {Request} request */
  request(request) {
    // Even without a timeout: a pending request keeps the process alive.
    const timer = setTimeout(
      () => void this.#timeOut(request),
      Math.min(Math.ceil(request.timeout), 2 ** 31 - 1),
    )
    this.#requests.set(request, timer)
    const entry = { request, engine: this, since: performance.now() }
    const { queue } = this.#server
    if (request.upgrade !== null) queue.unshift(entry)
    else if (request.steal) queue.splice(queue.findLastIndex(({ request }) => request.steal) + 1, 0, entry)
    else queue.push(entry)
    const { again } = request
    if (again !== null) {
      again.ended = true
      this.#holds.delete(again)
      this.#server.grants.delete(again.grant)
    }
    this.#giveNotice()
    this.#rob()
    setImmediate().then(() => {
      this.advance()
      for (const { request } of this.#server.queue) request.waits()
    })
  }

  /** Asks the holders that allow steals to give up, if a request wants that. */
  #rob() {
    const { queue, engines } = this.#server
    if (!queue.some(({ request }) => request.steal)) return
    for (const engine of engines) setImmediate().then(() => engine.giveUp())
  }

  giveUp() {
    const { queue, grants } = this.#server
    if (!this.#allowsSteals || !queue.some(({ request }) => request.steal)) return
    const lost = [...this.#holds]
    const reason = lockError('ERR_LOCK_LOST', `a hold of ${this.text} was stolen`)
    for (const hold of lost) hold.lose(reason)
    for (const hold of lost) {
      this.#holds.delete(hold)
      grants.delete(hold.grant)
    }
    if (lost.length > 0) this.advance()
  }

  /** @param {Request} request */
  async #timeOut(request) {
    // The wait is published first, also if the process did not run since the request.
    request.waits()
    await setImmediate()
    // A request that need not wait is granted, even if its timeout passed before the server saw it.
    this.advance()
    if (!this.#requests.has(request)) return
    const { holders } = this.#snapshot()
    this.cancel(request)
    request.timeOut(
      lockError(
        'ERR_LOCK_TIMEOUT',
        `${this.text} was not granted within ${request.timeout} ms: it is ` +
          holders.map(({ mode, pid, label }) => `held for ${mode} by pid ${pid} ('${label}')`).join(', '),
        holders,
      ),
    )
    this.advance()
  }

  /** @param {Request} request */
  cancel(request) {
    clearTimeout(this.#requests.get(request))
    this.#requests.delete(request)
    const { queue } = this.#server
    const index = queue.findIndex((entry) => entry.request === request)
    if (index !== -1) queue.splice(index, 1)
  }

  /** @param {Mode} mode @param {Grant} [instead] a hold that ends with it */
  #isGrantable(mode, instead) {
    const { grants, maxReaders } = this.#server
    const others = [...grants].filter((grant) => grant !== instead)
    return isGrantable(mode, others, maxReaders)
  }

  /** Whether a request waits that a hold in that mode keeps out. @param {Mode} mode */
  #keepsOut(mode) {
    const held = { mode, token: 0n, label: '', client: '', since: 0 }
    const limit = this.#server.maxReaders && 1
    return this.#server.queue.some(
      ({ request }) =>
        !(request.upgrade !== null && mode === UPGRADABLE) && !isGrantable(request.mode, [held], limit),
    )
  }

  /** @param {Hold<Grant>} hold */
  isContended(hold) {
    return this.#keepsOut(hold.held)
  }

  /** @param {Notice} notice @param {Mode} mode */
  notify(notice, mode) {
    this.#server.notices.set(notice, mode)
    this.#notices.add(notice)
    this.#giveNotice()
  }

  /** @param {Notice} notice */
  forget(notice) {
    this.#server.notices.delete(notice)
    this.#notices.delete(notice)
  }

  #giveNotice() {
    for (const [notice, mode] of [...this.#server.notices]) {
      if (!this.#keepsOut(mode)) continue
      notice.engine.forget(notice)
      notice.settle()
    }
  }

  /** Grants requests in the order of the queue. */
  advance() {
    const { queue, grants } = this.#server
    for (let first = queue[0]; first !== undefined; first = queue[0]) {
      const { request, engine } = first
      if (request.upgrade?.held === READ) {
        engine.cancel(request)
        request.fail(readUpgradeError(this.text))
        continue
      }
      const before = request.upgrade?.grant
      if (!this.#isGrantable(request.mode, before)) return
      engine.cancel(request)
      if (before !== undefined) grants.delete(before)
      const grant = engine.#grant(request.mode, request.label ?? before?.label ?? request.again?.grant.label)
      if (!request.grant(grant)) grants.delete(grant)
      this.#rob()
    }
  }

  /** @param {Mode} mode @param {string} [label] @returns {Grant} */
  #grant(mode, label = this.#label) {
    const server = this.#server
    if (mode === WRITE) server.token++
    const grant = { mode, token: server.token, label, client: this.#label, since: performance.now() }
    server.grants.add(grant)
    return grant
  }

  /** @param {object} lock @param {Grant} grant */
  #hold(lock, grant) {
    /** @type {Hold<Grant>} */
    const hold = new Hold(this, lock, grant.mode, grant, null)
    this.#holds.add(hold)
    return hold
  }

  /** @param {Request} request @param {Grant} grant */
  granted({ lock, upgrade, again }, grant) {
    if (again !== null) {
      again.regained(grant, null)
      this.#holds.add(again)
      return again
    }
    if (upgrade === null) return this.#hold(lock, grant)
    upgrade.held = WRITE
    upgrade.grant = grant
    upgrade.upgraded(null)
    return upgrade
  }

  /** @param {Hold<Grant>} hold */
  async release(hold) {
    this.#holds.delete(hold)
    await setImmediate()
    this.#server.grants.delete(hold.grant)
    this.advance()
    if (hold.grant.lost) throw hold.grant.lost
  }

  /** @param {Hold<Grant>} hold */
  async tryUpgrade(hold) {
    await setImmediate()
    const { grants } = this.#server
    if (hold.held === WRITE) return true
    if (!this.#isGrantable(WRITE, hold.grant)) return false
    grants.delete(hold.grant)
    hold.grant = this.#grant(WRITE, hold.grant.label)
    hold.held = WRITE
    hold.upgraded(null)
    return true
  }

  /** @param {Hold<Grant>} hold @param {Exclude<Mode, 3>} to */
  async downgrade(hold, to) {
    await setImmediate()
    if (hold.held === to) return
    if (hold.held === READ) throw notDowngradeError('upgradable')
    if (hold.held === UPGRADABLE && !this.#isGrantable(READ)) {
      throw lockError('ERR_LOCK_BUSY', `all read holds of ${this.text} are in use: this one stays upgradable`)
    }
    hold.held = to
    hold.grant.mode = to
    this.advance()
  }

  /** @param {Grant} grant */
  tokenOf(grant) {
    return grant.token
  }

  async getValue() {
    await setImmediate()
    return this.#server.value && new Uint8Array(this.#server.value)
  }

  /** @param {Hold<Grant>} hold @param {Uint8Array | null} value */
  async setValue(hold, value) {
    if (value !== null && value.length > 1024)
      throw Object.assign(new TypeError(`${value.length} bytes`), { code: 'ERR_INVALID_ARG_VALUE' })
    await setImmediate()
    if (hold.held !== WRITE) throw notWriterError(this.text, hold.mode)
    this.#server.value = value
    this.#server.valueToken = value && hold.grant.token
  }

  async inspect() {
    await setImmediate()
    return this.#snapshot()
  }

  #snapshot() {
    const { grants, queue, token, value, valueToken } = this.#server
    const row = (
      /** @type {Mode} */ mode,
      /** @type {string} */ label,
      /** @type {number} */ ms,
      count = 1,
    ) => ({
      pid: process.pid,
      threadId: 0,
      mode: /** @type {'read' | 'write' | 'upgradable'} */ (MODE_NAMES[mode]),
      count,
      label,
      ms,
    })
    return {
      ...this.location,
      holders: /** @type {Mode[]} */ ([READ, UPGRADABLE, WRITE]).flatMap((mode) => {
        const held = [...grants].filter((grant) => grant.mode === mode)
        if (held.length === 0) return []
        return row(mode, held[0].label, performance.now() - held[0].since, held.length)
      }),
      waiters: queue.map(({ request, since }) => ({
        ...row(request.mode, request.label ?? this.#label, performance.now() - since),
        more: 0,
      })),
      contended: [...grants].some(({ mode }) => this.#keepsOut(mode)),
      token,
      ownerDied: null,
      capacity: 1,
      maxReaders: this.#server.maxReaders,
      value: value && new Uint8Array(value),
      valueToken,
    }
  }

  async close() {
    if (this.closed) return
    this.closed = true
    this.#server.engines.delete(this)
    for (const request of this.#requests.keys()) {
      request.withdraw(lockError('ERR_LOCK_CLOSED', `${this.text} was closed while this waited for it`))
    }
    for (const hold of this.#holds) this.#server.grants.delete(hold.grant)
    for (const notice of [...this.#notices]) notice.end()
    for (const loss of this.losses) loss.abort(lockError('ERR_LOCK_CLOSED', `${this.text} was closed`))
    await setImmediate()
    this.advance()
  }
}

/**
 * @param {string} name
 * @param {{ label?: string, maxReaders?: number, stealable?: boolean, reentrant?: boolean }} [options]
 * @returns {import('process-rwlock').AsyncRWLock}
 */
export const open = (name, options) => new EngineLock(() => new InProcessEngine(name, options), options)

export { steal } from '../../../dist/steal.js'
