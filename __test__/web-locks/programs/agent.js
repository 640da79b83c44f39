// A process or thread that requests Web Locks on command, in the protocol of the helper child. The
// commands name their requests by a key.
import { existsSync } from 'node:fs'
import { install, locks } from 'process-rwlock/web-locks'

/** @typedef {{ granted: Promise<any>, outcome: Promise<any>, end: (value?: unknown) => void, isRunning: boolean, time: bigint, controller: AbortController }} Request */

/** @type {Map<string, Request>} */
const requests = new Map()

/** The codes of the warnings of this process or thread. @type {Array<string | undefined>} */
const warnings = []
process.on('warning', (/** @type {any} */ { code }) => warnings.push(code))

const ops = {
  /** Begins a request, whose callback runs until `end`. With `aborts`, it has a signal. */
  begin({ key, name, options = {}, aborts = false }) {
    const controller = new AbortController()
    const request = /** @type {Request} */ ({ controller, isRunning: false })
    const ended = new Promise((resolve) => {
      request.end = resolve
    })
    request.granted = new Promise((resolve) => {
      const all = aborts ? { ...options, signal: controller.signal } : options
      const released = locks.request(name, all, async (lock) => {
        request.time = process.hrtime.bigint()
        request.isRunning = true
        resolve(lock && { name: lock.name, mode: lock.mode })
        const value = await ended
        request.isRunning = false
        return value
      })
      request.outcome = released.then(
        (value) => ({ value }),
        ({ name, message }) => ({ error: { name, message } }),
      )
    })
    requests.set(key, request)
  },
  granted: ({ key }) => requests.get(key)?.granted,
  outcome: ({ key }) => requests.get(key)?.outcome,
  isRunning: ({ key }) => requests.get(key)?.isRunning,
  /** When the callback was called, on the clock of all processes. */
  time: ({ key }) => requests.get(key)?.time,
  end: ({ key, value }) => requests.get(key)?.end(value),
  abort: ({ key }) => requests.get(key)?.controller.abort(),
  /** Ends each callback as soon as it runs. */
  endAll() {
    for (const { end } of requests.values()) end()
  },
  /** The result of a request whose callback returns at once whether it has the lock. */
  tryRequest: ({ name, mode }) => locks.request(name, { mode, ifAvailable: true }, (lock) => lock !== null),
  query: () => locks.query(),
  warnings: () => warnings,
  install() {
    const { navigator } = globalThis
    const before = navigator?.locks
    install()
    const after = globalThis.navigator.locks
    return {
      isLeftAlone: before !== locks,
      isOurs: after === locks,
      isSame: navigator === globalThis.navigator,
      userAgent: globalThis.navigator.userAgent,
    }
  },
  /** Adds 1 to the number in the shared memory, so many times. */
  async add({ name, memory, times }) {
    const number = new Int32Array(memory)
    for (let time = 0; time < times; time++) {
      await locks.request(name, async () => {
        const before = number[0]
        await new Promise((resolve) => setImmediate(resolve))
        number[0] = before + 1
      })
    }
  },
  /** Keeps the event loop busy until a file exists. Sends "busy" first. */
  busy({ until }) {
    process.send?.({ type: 'busy' })
    while (!existsSync(until));
  },
}

process.on('message', async (/** @type {any} */ { id, op, args }) => {
  try {
    process.send?.({ type: 'answer', id, value: await ops[op](args) })
  } catch ({ name, code, message }) {
    process.send?.({ type: 'answer', id, error: { name, code, message } })
  }
})
process.send?.({ type: 'ready' })
