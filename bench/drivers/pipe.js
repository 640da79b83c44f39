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
      const { socket, starts } = await joined
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
        await once(socket, 'data')
        have()
      }
      return { holds }
    },
  }
}

async function connectTo(/** @type {string} */ path) {
  const socket = connect(path)
  await once(socket, 'connect')
  return { socket, starts: false }
}

async function accept(/** @type {string} */ path) {
  const server = createServer().listen(path)
  const [socket] = /** @type {[import('node:net').Socket]} */ (await once(server, 'connection'))
  server.close()
  return { socket, starts: true }
}
