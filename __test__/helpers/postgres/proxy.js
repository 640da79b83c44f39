// A TCP proxy before a server, which delays, stalls and cuts connections.
import { connect, createServer } from 'node:net'
import { cleanUp } from '../cleanup.js'

/**
 * @param {import('ava').ExecutionContext<any>} t
 * @param {number} target the port of the server, on the loopback interface
 */
export async function startProxy(t, target) {
  const proxy = new TcpProxy(target)
  cleanUp(t, 'names', () => proxy.close())
  await proxy.listen()
  return proxy
}

export class TcpProxy {
  port = 0
  /** ms that data needs in each direction. */
  delay = 0
  /** Whether new connections are cut at once. */
  refuses = false
  /** Whether new connections get no answer. */
  stalls = false
  /** Those that are open. @type {Set<Link>} */
  links = new Set()
  #server

  /** @param {number} target */
  constructor(target) {
    this.#server = createServer((client) => {
      if (this.refuses) client.resetAndDestroy()
      else new Link(this, client, target)
    })
  }

  /** @returns {Promise<void>} */
  listen() {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen(this.port, '127.0.0.1', () => {
        this.port = /** @type {import('node:net').AddressInfo} */ (this.#server.address()).port
        resolve()
      })
    })
  }

  /** Stops all data, as a network does that loses every packet. */
  stall() {
    this.stalls = true
    for (const link of this.links) link.stall()
  }

  resume() {
    this.stalls = false
    for (const link of this.links) link.resume()
  }

  /** Resets all connections. */
  cut() {
    for (const link of this.links) link.cut()
  }

  /** The link of a server process: `client_port` in pg_stat_activity. @param {number} clientPort */
  linkOf(clientPort) {
    return [...this.links].find((link) => link.serverPort === clientPort)
  }

  /** @returns {Promise<void>} */
  close() {
    this.cut()
    return new Promise((resolve) => this.#server.close(() => resolve()))
  }
}

/** One connection through the proxy. */
class Link {
  #client
  #server
  #toServer
  #toClient
  #stalled = false

  /**
   * @param {TcpProxy} proxy
   * @param {import('node:net').Socket} client
   * @param {number} target
   */
  constructor(proxy, client, target) {
    this.#client = client
    this.#server = connect(target, '127.0.0.1')
    this.#toServer = new Direction(this.#client, this.#server, proxy)
    this.#toClient = new Direction(this.#server, this.#client, proxy)
    proxy.links.add(this)
    for (const socket of [this.#client, this.#server]) {
      socket.setNoDelay()
      socket.on('error', () => {})
      socket.on('close', () => {
        proxy.links.delete(this)
        // A network that loses every packet does not pass on an end, either.
        if (!this.#stalled) this.cut()
      })
    }
    if (proxy.stalls) this.stall()
  }

  /** The port from which the server sees this connection. */
  get serverPort() {
    return this.#server.localPort
  }

  stall() {
    this.#stalled = true
    this.#toServer.stall()
    this.#toClient.stall()
  }

  resume() {
    this.#stalled = false
    if (this.#client.destroyed || this.#server.destroyed) return this.cut()
    this.#toServer.resume()
    this.#toClient.resume()
  }

  cut() {
    this.#client.resetAndDestroy()
    this.#server.resetAndDestroy()
  }

  /** Cuts the connection after so many more bytes from the server: in the middle of a message. @param {number} bytes */
  cutAfter(bytes) {
    this.#toClient.left = bytes
    this.#toClient.onLast = () => this.cut()
  }
}

/** What goes from one socket to another. */
class Direction {
  /** How many more bytes pass. */
  left = Infinity
  onLast = () => {}
  #from
  #to
  #proxy
  /** @type {Array<{ at: number, data: Buffer | null }>} data, or null for the end */
  #queue = []
  /** @type {NodeJS.Timeout | undefined} */
  #timer
  #stalled = false

  /**
   * @param {import('node:net').Socket} from
   * @param {import('node:net').Socket} to
   * @param {{ delay: number }} proxy
   */
  constructor(from, to, proxy) {
    this.#from = from
    this.#to = to
    this.#proxy = proxy
    from.on('data', (data) => this.#take(data))
    from.on('end', () => this.#take(null))
  }

  stall() {
    this.#stalled = true
    this.#from.pause()
  }

  resume() {
    this.#stalled = false
    this.#from.resume()
    this.#pass()
  }

  /** @param {Buffer | null} data */
  #take(data) {
    this.#queue.push({ at: performance.now() + this.#proxy.delay, data })
    this.#pass()
  }

  #pass() {
    clearTimeout(this.#timer)
    while (!this.#stalled && this.#queue.length > 0) {
      const [{ at, data }] = this.#queue
      const wait = at - performance.now()
      if (wait > 0) {
        this.#timer = setTimeout(() => this.#pass(), wait)
        return
      }
      this.#queue.shift()
      this.#send(data)
    }
  }

  /** @param {Buffer | null} data */
  #send(data) {
    if (data === null) {
      this.#to.end()
      return
    }
    const part = data.subarray(0, this.left)
    this.left -= part.length
    this.#to.write(part, () => {
      if (this.left === 0) this.onLast()
    })
  }
}
