// Spans for OpenTelemetry: one for each wait for a lock, and one for each hold, as children of the span that is active.
import { fork } from 'node:child_process'
import { subscribe, tracingChannel } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { setTimeout } from 'node:timers/promises'
import { RWLock } from 'process-rwlock'

/** Begins with the next acquisition, of any lock. @param tracer trace.getTracer('process-rwlock') of @opentelemetry/api */
function traceLocks(tracer) {
  /** The span of each acquisition, by its message: first that of the wait, then that of the hold. @type {any} */
  const spans = new WeakMap()
  /** @type {any} */
  const acquisitions = tracingChannel('process-rwlock:acquire')

  const settled = (message) => {
    const wait = spans.get(message)
    if (!wait) return // it began before this function was called
    if (message.error) {
      wait.recordException(message.error)
      wait.setStatus({ code: 2, message: message.error.message }) // SpanStatusCode.ERROR
    }
    const holders = message.holders ?? [] // if it had to wait
    wait.setAttribute(
      'lock.held_by',
      holders.map(({ pid }) => pid),
    )
    wait.end()
    if (message.token === undefined || message.upgrade) return // not granted, or no hold of its own
    const hold = tracer.startSpan('lock.hold', { attributes: attributesOf(message) })
    hold.setAttribute('lock.token', String(message.token))
    spans.set(message, hold)
  }

  acquisitions.subscribe({
    start: (message) =>
      spans.set(message, tracer.startSpan('lock.wait', { attributes: attributesOf(message) })),
    end: (message) => message.waitedMs !== undefined && settled(message), // a synchronous call
    asyncStart: settled,
  })
  subscribe('process-rwlock:release', (message) => spans.get(message)?.end())
  subscribe('process-rwlock:deadlock', (/** @type {any} */ message) => {
    const span = tracer.startSpan('lock.deadlock', { attributes: attributesOf(message) })
    for (const { waiter } of message.waits) span.addEvent('waits', { pid: waiter.pid, label: waiter.label })
    span.end()
  })
}

const attributesOf = ({ name, path, mode, label }) => ({
  'lock.name': name ?? path,
  'lock.mode': mode,
  ...(label && { 'lock.label': label }),
})

// In your program, use a tracer of @opentelemetry/api. This one has as much of its interface as is used here.
const ended = []
const tracer = {
  startSpan(name, { attributes }) {
    const begun = performance.now()
    return {
      setAttribute: (key, value) => Object.assign(attributes, { [key]: value }),
      setStatus: ({ message }) => Object.assign(attributes, { error: message }),
      recordException: () => {},
      addEvent: () => {},
      end() {
        ended.push(`${name} for ${attributes['lock.mode']}`)
        console.log(name, Math.round(performance.now() - begun), 'ms', attributes)
      },
    }
  },
}

const lock = new RWLock('my-app/report')
if (process.send) {
  await lock.write(async () => {
    process.send?.('held')
    await setTimeout(100)
  })
  process.disconnect()
} else {
  const child = fork(import.meta.filename)
  await once(child, 'message')
  traceLocks(tracer)
  await lock.read(() => setTimeout(20), { label: 'summary' })
  console.log(ended.join(', ')) // lock.wait for read, lock.hold for read
}
