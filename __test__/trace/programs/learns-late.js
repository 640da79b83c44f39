// Publishes an acquisition as of an engine that is asked for the holders when a request waits, and
// answers after the grant, and after a failure.
import { channel, tracingChannel } from 'node:diagnostics_channel'
import 'process-rwlock'

const acquire = tracingChannel('process-rwlock:acquire')
const now = performance.now()
const request = {
  lock: {},
  name: 'late',
  mode: 'write',
  upgrade: false,
  waitedMs: 1,
  begunAt: now,
  holders: [],
}
const granted = { ...request, token: 1n, grantedAt: now, heldMs: 1 }
acquire.asyncStart.publish(granted)
channel('process-rwlock:contended').publish(granted)
channel('process-rwlock:release').publish(granted)
const failed = { ...request, error: new Error('the server is gone') }
acquire.error.publish(failed)
channel('process-rwlock:contended').publish(failed)
