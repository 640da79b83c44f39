// The floor of a handoff between two event loops: a byte that goes to and fro through a pipe.
import { once } from 'node:events'
import { connect, createServer } from 'node:net'

/**
 * Connects the two processes that get the same path.
 *
 * @param {string} path
 * @param {{ now: () => number, spin: (ns: number) => void }} clock
 */
export function pipe(path, { now, spin }) {
  const joined = connectTo(path).catch(() => accept(path))
  joined.catch(() => {}) // each user awaits it
  return {
    /** As for a lock: the process that has the byte holds it. */
    async handoff({ times, hold }) {
      const { socket, starts, arrival } = await joined
      /** @type {number[][]} */
      const holds = []
      let asked = now()
      const have = () => {
        const start = now()
        spin(hold)
        holds.push([asked, start, now()])
        socket.write('x')
        asked = now()
      }
      if (starts) have()
      while (holds.length < times) {
        await arrival()
        have()
      }
      if (starts) await arrival() // the last byte of the other process
      return { holds }
    },
  }
}

async function connectTo(/** @type {string} */ path) {
  const socket = connect(path)
  await once(socket, 'connect')
  return { socket, starts: false, arrival: arrivalsAt(socket) }
}

async function accept(/** @type {string} */ path) {
  const server = createServer().listen(path)
  const [socket] = /** @type {[import('node:net').Socket]} */ (await once(server, 'connection'))
  server.close()
  return { socket, starts: true, arrival: arrivalsAt(socket) }
}

/**
 * Waits for the next byte, which may have arrived before.
 *
 * @param {import('node:net').Socket} socket
 */
function arrivalsAt(socket) {
  let bytes = 0
  /** @type {(() => void) | undefined} */
  let arrived
  socket.on('data', ({ length }) => {
    bytes += length
    arrived?.()
  })
  return async () => {
    while (bytes === 0) {
      await new Promise((resolve) => {
        arrived = () => resolve(undefined)
      })
    }
    bytes--
  }
}
