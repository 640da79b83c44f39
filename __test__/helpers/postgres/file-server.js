// The server of a test file, whose tests use it one after the other: a start takes a second.
import ava from 'ava'
import { PostgresServer } from './server.js'

/**
 * Returns a function that gives a test the server: started at the first use, and again if a test has
 * stopped it. It ends with the file.
 *
 * @param {{ settings?: import('./server.js').Settings }} [options]
 */
export function fileServer(options) {
  /** @type {PostgresServer | undefined} */
  let server
  ava.after.always('the server of the file', () => server?.destroy())
  return async () => {
    if (!server) {
      server = new PostgresServer(options)
      await server.create()
    } else if (server.pid === undefined) {
      await server.start()
    }
    return server
  }
}
