// An HTTP server over one file: a GET takes a read hold, a PUT takes the write hold. Start any number of processes: all of
// them share the lock.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import http from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { RWLock } from 'process-rwlock'

const directory = await mkdtemp(join(tmpdir(), 'http-server-'))
const file = join(directory, 'page.txt')
await writeFile(file, 'Hello')

const lock = new RWLock('my-app/page')

const server = http.createServer(async (request, response) => {
  try {
    if (request.method === 'PUT') {
      const body = await text(request) // before the lock: a slow client must not hold it
      await lock.write(() => writeFile(file, body), { timeout: 5000 })
      response.writeHead(204).end()
    } else {
      response.end(await lock.read(() => readFile(file), { timeout: 5000 }))
    }
  } catch (error) {
    response.writeHead(error.code === 'ERR_LOCK_TIMEOUT' ? 503 : 500).end(error.message)
  }
})

server.listen(0, '127.0.0.1', async () => {
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
  const url = `http://127.0.0.1:${port}`
  console.log(await (await fetch(url)).text()) // Hello
  await fetch(url, { method: 'PUT', body: 'Hello again' })
  console.log(await (await fetch(url)).text()) // Hello again

  server.close()
  server.closeAllConnections()
  await rm(directory, { recursive: true })
})
