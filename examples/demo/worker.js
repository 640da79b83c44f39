// One of the server processes. A GET reads the file under `lock.read`, a PUT rewrites it under `lock.write`.
import cluster from 'node:cluster'
import { rmSync } from 'node:fs'
import http from 'node:http'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { RWLock } from 'process-rwlock'
import { Store, TornFile } from './store.js'

const { LOCK = '', DIRECTORY = '', PORT = '0', NUMBER = '' } = process.env
const LOOP_RESOLUTION = 5 // ms between two samples of the event loop's delay
const REPORT = 200 // ms between two reports to the primary
const MAX_BODY = 10_000

const lock = new RWLock(JSON.parse(LOCK), { label: `worker ${NUMBER}` })
const store = new Store(DIRECTORY)
const report = { reads: 0, writes: 0, torn: 0, turnedAway: 0 }
let crashInNextWrite = false

/** @param {string} key */
async function get(key) {
  for (;;) {
    // After a writer's death the file may be torn: a reader first repairs it, as a writer.
    const state = await lock.read((guard) => (guard.ownerDied ? null : store.read()))
    if (state) {
      const value = Object.hasOwn(state.entries, key) ? state.entries[key] : undefined
      return { key, value, version: state.version }
    }
    report.turnedAway++
    await lock.write(repair)
  }
}

/**
 * @param {string} key
 * @param {unknown} value
 * @param {boolean} crash
 */
function put(key, value, crash) {
  return lock.write(async (guard) => {
    await repair(guard)
    const { version, entries } = await store.read()
    await store.write(version + 1, { ...entries, [key]: value }, crash ? die : undefined)
    return { key, value, version: version + 1, token: String(guard.token) }
  })
}

/** @param {import('process-rwlock').Guard} guard a write hold */
async function repair({ ownerDied }) {
  if (!ownerDied) return
  const entered = process.hrtime.bigint()
  const torn = await store.repair()
  const repaired = process.hrtime.bigint()
  tell({ type: 'repaired', died: ownerDied.pid, torn, entered: String(entered), repaired: String(repaired) })
}

/** In the middle of a write: asks the primary for SIGKILL, and goes no further. */
function die() {
  tell({ type: 'halfway' })
  return new Promise(() => {})
}

const server = http.createServer(async (request, response) => {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://localhost')
  const key = pathname.slice(1)
  const answer = (status, body) => {
    response.writeHead(status, { 'content-type': 'application/json' })
    response.end(
      `${JSON.stringify(body, (_, value) => (typeof value === 'bigint' ? String(value) : value))}\n`,
    )
  }
  try {
    if (key === '') {
      answer(200, lock.inspect())
    } else if (request.method === 'PUT') {
      const value = JSON.parse(await bodyOf(request))
      const crash = crashInNextWrite || searchParams.has('crash')
      crashInNextWrite = false
      answer(200, await put(key, value, crash))
      report.writes++
    } else {
      const found = await get(key)
      answer(found.value === undefined ? 404 : 200, found)
      report.reads++
    }
  } catch (error) {
    if (error instanceof SyntaxError) return answer(400, { error: 'the body of a PUT is JSON' })
    if (error instanceof TornFile) report.torn++
    answer(500, { error: String(error) })
  }
})

/** @param {http.IncomingMessage} request */
async function bodyOf(request) {
  let text = ''
  for await (const chunk of request.setEncoding('utf8')) {
    text += chunk
    if (text.length > MAX_BODY) throw new SyntaxError('too long')
  }
  return text
}

/** @param {object} message */
function tell(message) {
  if (process.connected) process.send?.(message)
}

const loop = monitorEventLoopDelay({ resolution: LOOP_RESOLUTION })
setInterval(() => {
  // The histogram contains the time from one sample to the next.
  tell({ type: 'report', ...report, loopDelay: Math.max(0, loop.max / 1e6 - LOOP_RESOLUTION) })
  Object.assign(report, { reads: 0, writes: 0, torn: 0, turnedAway: 0 })
  loop.reset()
}, REPORT).unref()
loop.enable()

process.on('message', (message) => {
  if (message === 'crash') crashInNextWrite = true
  if (message === 'end') process.exit()
})
process.on('exit', () => lock.close())
// The primary is dead, so this worker removes the files. After this the cluster module exits.
cluster.worker?.on('disconnect', () => rmSync(DIRECTORY, { recursive: true, force: true, maxRetries: 5 }))
// A terminal sends Ctrl-C to every process; the primary handles it.
for (const signal of /** @type {const} */ (['SIGINT', 'SIGHUP'])) process.on(signal, () => {})

server.on('error', (error) => tell({ type: 'failed', message: error.message }))
server.listen(Number(PORT), '127.0.0.1')
