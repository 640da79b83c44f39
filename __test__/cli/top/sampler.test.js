import test from 'ava'
import { Sampler } from '../../../dist/cli/top/sampler.js'
import { activity, holder, waiter } from './samples.js'

test('rates are what the counters grew by, for each second that passed', (t) => {
  const sampler = new Sampler()
  const at = (token, requests, now) =>
    sampler
      .sample([activity('a', { token }, { requests })], now)
      .samples.map(({ writes, waits }) => [writes, waits])
  t.deepEqual(at(1000n, 5, 0), [[null, null]])
  t.deepEqual(at(1300n, 5, 2000), [[150, 0]])
  t.deepEqual(at(1300n, 6, 2500), [[0, 2]])
})

test('a rate is exact beyond what a number can count', (t) => {
  const sampler = new Sampler()
  const token = 2n ** 60n
  sampler.sample([activity('a', { token })], 0)
  t.is(sampler.sample([activity('a', { token: token + 3n })], 1000).samples[0]?.writes, 3)
})

test('a lock that was created again has no rate until it was seen twice', (t) => {
  const sampler = new Sampler()
  const look = (token, created, now) =>
    sampler.sample([activity('a', { token }, { created })], now).samples[0]?.writes
  look(1000n, 1, 0)
  t.is(look(9_000_000n, 2, 1000), null)
  t.is(look(9_000_010n, 2, 2000), 10)
})

test('damaged counters that run backwards give no rate', (t) => {
  const sampler = new Sampler()
  sampler.sample([activity('a', { token: 10n }, { requests: 10 })], 0)
  const [sample] = sampler.sample([activity('a', { token: 9n }, { requests: 9 })], 1000).samples
  t.deepEqual([sample?.writes, sample?.waits], [null, null])
})

test('holds and waiting requests are counted with those that have no row', (t) => {
  const holders = [holder({ mode: 'read', count: 3 }), holder({ mode: 'read', pid: 2 })]
  const waiters = [waiter({ ms: 12 }), waiter({ ms: 7, more: 4 })]
  const [sample] = new Sampler().sample([activity('a', { holders, waiters })], 0).samples
  t.deepEqual([sample?.holds, sample?.waiting, sample?.waitMs], [4, 6, 12])
})

test('the worst wait is kept after it has ended', (t) => {
  const sampler = new Sampler()
  const look = (...waits) =>
    sampler.sample([activity('a', { waiters: waits.map((ms) => waiter({ ms })) })], 0).samples[0]
  look(10, 900)
  const later = look(20)
  t.deepEqual([later?.waitMs, later?.worstMs], [20, 900])
  t.is(look()?.worstMs, 900)
})

test('the history has the last 60 looks, the latest last', (t) => {
  const sampler = new Sampler()
  let token = 0n
  for (let look = 0; look <= 70; look++) {
    token += BigInt(look)
    sampler.sample([activity('a', { token })], look * 1000)
  }
  const [sample] = sampler.sample([activity('a', { token })], 71_000).samples
  t.deepEqual(sample?.history.writes, [...Array.from({ length: 59 }, (_, index) => index + 12), 0])
})

test('the total is that of all locks, and a lock that is gone ends in it', (t) => {
  const sampler = new Sampler()
  const one = (token) => activity('one', { token, holders: [holder()], waiters: [waiter({ ms: 30 })] })
  sampler.sample([one(1n), activity('two', { token: 5n })], 0)
  const { total } = sampler.sample([one(11n), activity('two', { token: 10n })], 1000)
  const { locks, held, waitedFor, waiting, waitMs, writes } = total
  t.deepEqual([locks, held, waitedFor, waiting, waitMs, writes], [2, 1, 1, 1, 30, 15])
  const later = sampler.sample([activity('two', { token: 12n })], 2000).total
  t.deepEqual([later.locks, later.held, later.waitMs, later.worstMs, later.writes], [1, 0, 0, 30, 2])
  t.deepEqual(later.history.writes, [null, 15, 2])
})

test('a name and a path of the same text are two locks', (t) => {
  const sampler = new Sampler()
  const path = { snapshot: { ...activity('x').snapshot, path: '/a' }, requests: 0n, created: 1n }
  delete path.snapshot.name
  t.deepEqual(
    sampler.sample([activity('/a'), path], 0).samples.map(({ key }) => key),
    ['name:/a', 'path:/a'],
  )
})
