// Four processes call a service that accepts three requests at a time. One of them is killed in the middle of a request.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import http from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { Semaphore } from 'process-rwlock'

const [url = '', kind = ''] = process.argv.slice(2)
const service = new Semaphore('my-app/service', { permits: 3 })

/** Calls the service, with at most two other calls at the same time, of any process. */
function call(path) {
  return service.use(
    async () => {
      // A timeout of its own, because a permit has none and the others wait for it.
      const response = await fetch(new URL(path, url), { signal: AbortSignal.timeout(10_000) })
      return response.text()
    },
    { timeout: 60_000 }, // for the wait
  )
}

if (process.send) {
  const calls = Array.from({ length: 5 }, (_, n) => call(`/${kind}/${n}`))
  await Promise.all(calls)
  process.disconnect()
} else {
  let [running, most, answered] = [0, 0, 0]
  const server = http.createServer(async ({ url = '' }, response) => {
    running++
    most = Math.max(most, running)
    response.once('close', () => running--)
    if (url.startsWith('/victim')) return void killed.kill('SIGKILL') // never answered
    await sleep(20)
    answered++
    response.end('done')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())

  const start = (kind) => fork(import.meta.filename, [`http://127.0.0.1:${port}`, kind])
  const killed = start('victim')
  const others = [start('worker'), start('worker'), start('worker')]
  await Promise.all([killed, ...others].map((child) => once(child, 'exit')))
  console.log('answered:', answered) // answered: 15
  console.log('at most 3 at once:', most <= 3) // at most 3 at once: true
  const { permits, available } = service.inspect()
  console.log(`${available} of ${permits} permits are free`) // 3 of 3 permits are free

  server.close()
  server.closeAllConnections()
}
