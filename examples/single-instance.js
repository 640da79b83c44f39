// A development server that runs once per project. A second start prints the address of the first.
import { fork } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { realpathSync } from 'node:fs'
import http from 'node:http'
import { RWLock } from 'process-rwlock'

/** The lock of a project folder, however the folder is written. */
function lockOf(project) {
  const id = createHash('sha256').update(realpathSync(project)).digest('hex')
  return new RWLock(`my-dev-server/${id}`)
}

async function start(project) {
  const server = http.createServer((_, response) => response.end('Hello'))
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())

  const lock = lockOf(project)
  try {
    const guard = await lock.acquireWrite({ timeout: 0, label: `http://127.0.0.1:${port}` })
    server.once('close', () => guard.release()) // if the process is killed, the kernel does it
    return server
  } catch (error) {
    if (error.code !== 'ERR_LOCK_TIMEOUT') throw error
    const [{ pid, label }] = error.holders
    console.log(`already running at ${label}, as process ${pid}`) // already running at http://127.0.0.1:…, as process …
    server.close()
    lock.close()
    return null
  }
}

const server = await start('.')
if (process.argv[2] === undefined) {
  const second = fork(import.meta.filename, ['second'])
  await once(second, 'exit')
  server?.close()
} else {
  console.log('second start:', server) // second start: null
  process.disconnect()
}
