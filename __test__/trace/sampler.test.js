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

test('processes with the same PID in different containers have rows of their own', (t) => {
  const events = [...LOCKS]
  const sampler = new Sampler((more) => events.push(...more))
  const holders = [1_000_011, 1_000_012].map((foreignNamespace) => ({
    ...read('in a container').snapshot.holders[0],
    pid: process.pid, // that of the counters, too
    foreignNamespace,
  }))
  const snapshot = { ...read('').snapshot, holders }
  const seen = { holders: [1, 2].map((thread) => ({ thread: `${thread}`, since: 1_000_000 })), waiters: [] }
  sampler.take(2_000, 'lock', /** @type {any} */ ({ attached: [], snapshot, seen }))
  sampler.end()
  const { spans, processes } = readEvents(events)
  t.is(new Set(spans.map(({ pid }) => pid)).size, 2)
  t.is(processes.size, 3)
  t.is(sampler.totals.processes, 2)
  const name = `in a container (${process.pid} in another PID namespace)`
  t.deepEqual(
    spans.map(({ pid }) => processes.get(pid)?.name),
    [name, name],
  )
})

test('a hold that began while a look was interrupted begins when it began', (t) => {
  const events = [...LOCKS]
  const sampler = new Sampler((more) => events.push(...more))
  const [ts, since, until] = [2_000_000, 2_045_000, 2_050_000] // it was found at the end, when it was 5 ms old
  const { snapshot } = read('')
  const holders = [{ ...snapshot.holders[0], ms: 5 }]
  const seen = { holders: [{ thread: 'one', since: since * 1000 }], waiters: [] }
  const found = /** @type {any} */ ({ attached: [], snapshot: { ...snapshot, holders }, seen })
  sampler.take(ts, 'lock', found, until)
  sampler.end()
  t.is(readEvents(events).spans[0]?.begin, since)
})

test('a hold is one span, although a look finds it before its lock has the time', (t) => {
  for (const [times, begin] of /** @type {[number[], number][]} */ ([
    [[0, 2_500_000, 2_500_000], 2_500],
    [[0, 0, 0], 2_000], // it never has it
  ])) {
    const events = [...LOCKS]
    const sampler = new Sampler((more) => events.push(...more))
    for (const [index, since] of times.entries()) {
      const found = read('one')
      found.seen.holders[0].since = since
      sampler.take(2_000 + 1_000 * index, 'lock', /** @type {any} */ (found))
    }
    sampler.end()
    t.like(readEvents(events).spans, [{ begin, end: 4_000 }], `${times}`)
    t.is(sampler.totals.holds, 1)
  }
})
