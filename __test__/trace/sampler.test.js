import test from 'ava'
import { LOCKS, Sampler } from '../../dist/cli/trace/sampler.js'
import { readEvents } from './read-trace.js'

/** What a look finds at a lock that this process reads. @param {string} label */
const read = (label) => {
  const holder = {
    pid: process.pid,
    threadId: 0,
    foreignNamespace: null,
    mode: 'read',
    count: 1,
    label,
    ms: 1,
  }
  return {
    attached: [],
    snapshot: { holders: [holder], waiters: [], token: 1n, requests: 0n, ownerDied: null },
    seen: { holders: [{ thread: 'one', since: 1_000_000 }], waiters: [] },
  }
}

test('a hold that is found before it has its label has it at its end', (t) => {
  const events = [...LOCKS]
  const sampler = new Sampler((more) => events.push(...more))
  for (const [index, label] of ['program', 'program', 'summary'].entries()) {
    sampler.take(2_000 + index, 'lock', /** @type {any} */ (read(label)))
  }
  sampler.end()
  const { spans } = readEvents(events)
  t.like(spans, [{ name: 'read lock', args: { lock: 'lock', label: 'summary' }, end: 2_002 }])
  t.is(sampler.totals.holds, 1)
})
