// Four processes need a new access token at the same moment. One of them refreshes it, the others use the result.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import http from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { RWLock } from 'process-rwlock'

const { CREDENTIALS: file = '', TOKEN_URL: url = '' } = process.env
const lock = new RWLock('my-app/credentials')

async function accessToken() {
  const current = await load()
  if (current.expires > Date.now()) return current.access // the usual case needs no lock

  return lock.write(
    async () => {
      const latest = await load() // read again: another process may have refreshed it meanwhile
      if (latest.expires > Date.now()) return latest.access
      const fresh = await refresh(latest.refresh)
      await save(fresh)
      return fresh.access
    },
    { timeout: 30_000 },
  )
}

/** @returns {Promise<any>} */
async function refresh(token) {
  // The request has a timeout, because a hold has none and the other processes wait for it.
  const response = await fetch(url, { method: 'POST', body: token, signal: AbortSignal.timeout(10_000) })
  if (!response.ok) throw new Error(`refresh failed: ${response.status}`)
  return response.json()
}

async function load() {
  return JSON.parse(await readFile(file, 'utf8'))
}

async function save(credentials) {
  await writeFile(`${file}.tmp`, JSON.stringify(credentials), { mode: 0o600 })
  await rename(`${file}.tmp`, file) // load() never sees half of it
}

if (file !== '') {
  process.send?.(await accessToken())
  process.disconnect()
} else {
  // The server accepts each refresh token once, as OAuth servers with rotation do.
  let refreshes = 0
  const server = http.createServer((_, response) => {
    refreshes++
    const credentials = { access: `access-${refreshes}`, refresh: `refresh-${refreshes}` }
    response.end(JSON.stringify({ ...credentials, expires: Date.now() + 3_600_000 }))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())

  const directory = await mkdtemp(join(tmpdir(), 'token-refresh-'))
  const credentials = join(directory, 'credentials.json')
  await writeFile(credentials, JSON.stringify({ access: 'old', refresh: 'refresh-0', expires: 0 }))

  const env = { ...process.env, CREDENTIALS: credentials, TOKEN_URL: `http://127.0.0.1:${port}` }
  const children = Array.from({ length: 4 }, () => fork(import.meta.filename, { env }))
  const tokens = await Promise.all(children.map(async (child) => (await once(child, 'message'))[0]))
  console.log(tokens.join()) // access-1,access-1,access-1,access-1
  console.log('refreshes:', refreshes) // refreshes: 1

  server.close()
  server.closeAllConnections()
  await rm(directory, { recursive: true })
}
