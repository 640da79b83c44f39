// Three processes call a service that accepts four requests in any 200 ms.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import http from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { Semaphore } from 'process-rwlock'

const INTERVAL = 200
const [url = ''] = process.argv.slice(2)
const service = new Semaphore('my-app/service-rate', { permits: 4 })

/** Each permit serves one call, and is kept until the interval has passed. */
async function call() {
  const permit = await service.acquire({ timeout: 60_000 })
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(10_000) })
    return await response.text()
  } finally {
    // After the call: a service counts a request when it arrives, which may be late.
    sleep(INTERVAL).then(() => permit.release())
  }
}

if (process.send) {
  await Promise.all([call(), call(), call(), call()])
  process.disconnect()
} else {
  const arrivals = /** @type {number[]} */ ([])
  const server = http.createServer((_, response) => {
    arrivals.push(performance.now())
    response.end('done')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())

  const children = Array.from({ length: 3 }, () => fork(import.meta.filename, [`http://127.0.0.1:${port}`]))
  await Promise.all(children.map((child) => once(child, 'exit')))
  // The fifth request after any other comes later than the interval.
  const isWithin = arrivals.every((at, n) => n < 4 || at - arrivals[n - 4] >= INTERVAL - 1)
  console.log('requests:', arrivals.length) // requests: 12
  console.log(`at most 4 in ${INTERVAL} ms:`, isWithin) // at most 4 in 200 ms: true

  server.close()
  server.closeAllConnections()
}
