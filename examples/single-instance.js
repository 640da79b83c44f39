// A development server that runs once per project. A second start prints the address of the first.
import { fork } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { realpathSync } from 'node:fs'
import http from 'node:http'
import { lockInfo, tryInstance } from 'process-rwlock/leader'

/** The name of a project folder, however the folder is written. */
function nameOf(project) {
  const id = createHash('sha256').update(realpathSync(project)).digest('hex')
  return `my-dev-server/${id}`
}

async function start(project) {
  const name = nameOf(project)
  const instance = tryInstance(name)
  if (instance === null) {
    const info = lockInfo(name)
    const where = info?.value ? `runs at ${new TextDecoder().decode(info.value)}` : 'is starting'
    console.log(`it ${where}, as process ${info?.pid}`) // it runs at http://127.0.0.1:…, as process …
    return null
  }
  const server = http.createServer((_, response) => response.end('Hello'))
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
  instance.setValue(`http://127.0.0.1:${port}`)
  server.once('close', () => instance.release()) // if the process is killed, the kernel does it
  return server
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
