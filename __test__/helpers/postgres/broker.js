// Runs in ava's main process: starts the PostgreSQL that the test files of a run share, when the
// first of them asks for it (`shared.js`). It ends with that process.
import { createServer } from 'node:http'

/** @type {Promise<string> | undefined} */
let started

const broker = createServer(async (_, response) => {
  try {
    started ??= start()
    response.end(await started)
  } catch (error) {
    response.writeHead(500).end(error.stack)
  }
})

/** Has the processes of this one's environment find the server. @returns {Promise<void>} */
export function offerServer() {
  return new Promise((resolve, reject) => {
    broker.once('error', reject)
    broker.listen(0, '127.0.0.1', () => {
      const { port } = /** @type {import('node:net').AddressInfo} */ (broker.address())
      process.env.PROCESS_RWLOCK_TEST_BROKER = `http://127.0.0.1:${port}`
      broker.unref()
      resolve()
    })
  })
}

async function start() {
  // Not loaded for a run that needs no PostgreSQL.
  const { PostgresServer } = await import('./server.js')
  const server = new PostgresServer()
  await server.create()
  server.unref()
  return server.url()
}
