// The load generator, which runs in its own process. It records every PUT that was acknowledged, for the proof at the end.
import autocannon from 'autocannon'

const { PORT, KEYS = '[]' } = process.env
const CONNECTIONS = 8
const PUTS = 0.1 // of all requests
// A connection is replaced after this many requests, so a restarted worker gets its share.
const ROUND = 400

/** @type {string[]} */
const keys = JSON.parse(KEYS)
// Each connection writes its own part of the keys, so the order of the writes of one key is known.
const parts = Array.from({ length: CONNECTIONS }, (_, part) =>
  keys.filter((_, i) => i % CONNECTIONS === part),
)

/** Per key: the last value that was acknowledged, and what was sent since. @type {Map<string, { acknowledged?: number, sent: number[] }>} */
const puts = new Map()
/** Of every acknowledged PUT: the version of the file that it made, and its fencing token. @type {[version: number, token: string][]} */
const acknowledged = []
const count = { reads: 0, stale: 0, failed: 0 }
let failure = ''
let lastValue = 0
let running = true

function nextRequest(request, part) {
  const key = part[Math.floor(Math.random() * part.length)]
  const path = `/${key}`
  // autocannon leaves the length of a PUT's body in the headers of the next request.
  const headers = {}
  if (Math.random() >= PUTS) return { ...request, method: 'GET', path, headers, body: '' }
  const value = ++lastValue
  const known = puts.get(key) ?? { sent: [] }
  known.sent.push(value)
  puts.set(key, known)
  return { ...request, method: 'PUT', path, headers, body: String(value) }
}

function onResponse(status, body) {
  if (status !== 200) {
    count.failed++
    failure ||= `${status} ${body}`
    return
  }
  const { key, value, version, token } = JSON.parse(body)
  const known = puts.get(key)
  if (token === undefined) {
    count.reads++
    // The answer must contain what this connection wrote last.
    if (known?.acknowledged !== undefined && value !== known.acknowledged && !known.sent.includes(value)) {
      count.stale++
    }
  } else {
    acknowledged.push([version, token])
    if (known) {
      known.acknowledged = value
      known.sent = known.sent.filter((sent) => sent > value)
    }
  }
}

function round() {
  let next = 0
  return autocannon({
    url: `http://127.0.0.1:${PORT}`,
    connections: CONNECTIONS,
    amount: ROUND,
    sampleInt: 20,
    setupClient(client) {
      const part = parts[next++ % CONNECTIONS]
      client.setRequests([{ setupRequest: (request) => nextRequest(request, part), onResponse }])
    },
  })
}

process.on('message', () => {
  running = false
})
process.on('disconnect', () => process.exit())
for (const signal of /** @type {const} */ (['SIGINT', 'SIGHUP'])) process.on(signal, () => {})

while (running) await round()
const cutOff = lastValue - acknowledged.length
process.send?.({ puts: [...puts], acknowledged, cutOff, ...count, failure }, () => process.disconnect())
