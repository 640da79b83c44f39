// The stress test (verify/postgres), for a short time, and its check of the history, which must be able to fail.
import { holdsOf, violations } from '../../verify/postgres/history.js'
import { testUnless } from '../helpers/index.js'
import { fileServer } from '../helpers/postgres/file-server.js'
import { noPostgres } from '../helpers/postgres/programs.js'
import { startProxy } from '../helpers/postgres/proxy.js'

const test = testUnless(noPostgres)
const server = fileServer()

for (const profile of ['kill, two sessions', 'kill, a limit, two sessions', 'terminate']) {
  test(`a history without a violation: ${profile}`, async (t) => {
    t.timeout(90_000)
    const { campaign } = await import('../../verify/postgres/campaign.js')
    const it = await server()
    const proxy = await startProxy(t, it.port)
    const { problems, holds, faults } = await campaign({ server: it, proxy, profile, seconds: 3, actors: 3 })
    t.deepEqual(problems, [])
    t.true(holds > 0 && faults > 0, `${holds} holds, ${faults} faults`)
  })
}

test('the history and the witness show that locks in two databases do not exclude each other', async (t) => {
  t.timeout(90_000)
  const { campaign } = await import('../../verify/postgres/campaign.js')
  const it = await server()
  await it.query('create database other')
  const { problems } = await campaign({
    ...{ server: it, proxy: await startProxy(t, it.port), profile: 'quiet', seconds: 2, actors: 2 },
    databases: ['postgres', 'other'],
  })
  for (const what of [/^witness: /, / had it as .* while .* had it/, / has token .* after /]) {
    t.true(
      problems.some((problem) => what.test(problem)),
      String(what),
    )
  }
})

let at = 0
/** @param {Partial<{ hold: string, pid: number, mode: string, token: number, ownerDied: object }>} [of] */
const held = ({ hold = 'a/1', pid = 1, mode = 'write', token = 1, ownerDied } = {}) => ({
  event: 'held',
  ...{ hold, pid, lock: 0, mode, token, ownerDied: ownerDied ?? null, at: ++at },
})
/** @param {string} [hold] */
const released = (hold = 'a/1') => ({ event: 'released', hold, at: ++at })

/** @param {any[]} events @param {import('../../verify/postgres/history.js').Fault[]} [faults] */
const found = (events, faults = []) => violations(holdsOf(events, faults), faults)

test('the check finds holds that exclude each other', (t) => {
  const second = { hold: 'b/1', pid: 2, token: 2 }
  t.deepEqual(found([held(), released(), held(second), released('b/1')]), [])
  t.regex(
    found([held(), held(second), released(), released('b/1')])[0] ?? '',
    /b\/1 had it as write .* while a\/1/,
  )
  const read = { ...second, mode: 'read', token: 1 }
  t.is(found([held(), held(read), released(), released('b/1')]).length, 1)
  t.deepEqual(found([held({ mode: 'read' }), held(read), released(), released('b/1')]), [])
  // A session that has ended may be known to its holder only later.
  const first = held()
  const fault = { at: ++at, pid: 1, kind: 'pg_terminate_backend' }
  t.deepEqual(
    found([first, held({ ...second, ownerDied: { token: 1 } }), released(), released('b/1')], [fault]),
    [],
  )
})

test('the check finds readers beyond the limit', (t) => {
  const reads = ['a/1', 'b/1', 'c/1'].map((hold, pid) => held({ hold, pid, mode: 'read' }))
  const ends = ['a/1', 'b/1', 'c/1'].map(released)
  t.deepEqual(violations(holdsOf([...reads, ...ends], []), [], 3), [])
  t.regex(violations(holdsOf([...reads, ...ends], []), [], 2)[0] ?? '', /3 read at .* of 2: a\/1, b\/1, c\/1/)
})

test('the check knows that a session may have ended before its grant was known', (t) => {
  const late = held({ hold: 'b/1', pid: 2, mode: 'read', token: 1 })
  const fault = { at: ++at, pid: 2, kind: 'pg_terminate_backend' }
  const events = [held(), released(), held({ hold: 'c/1', pid: 3, token: 2 }), released('c/1')]
  late.at = ++at
  const lost = { event: 'lost', hold: 'b/1', at: ++at }
  t.deepEqual(found([...events, late, lost], [fault]), [])
  t.is(found([...events, late, lost]).length, 1)
  t.is(found([...events, late, released('b/1')], [fault]).length, 1)
})

test('the check finds a token that does not rise', (t) => {
  const second = { hold: 'b/1', pid: 2, token: 1 }
  t.is(found([held(), released(), held(second), released('b/1')]).length, 2)
  t.is(
    found([held({ token: 3 }), released(), held({ ...second, mode: 'read', token: 2 }), released('b/1')])
      .length,
    1,
  )
})

test('the check finds a death that is not told, and one that was none', (t) => {
  const second = { hold: 'b/1', pid: 2, token: 2 }
  const first = held()
  const kill = { at: ++at, pid: 1, kind: 'kill' }
  t.regex(found([first, held(second), released('b/1')], [kill])[0] ?? '', /b\/1 was not told that a\/1 died/)
  t.deepEqual(found([first, held({ ...second, ownerDied: { token: 1 } }), released('b/1')], [kill]), [])
  t.regex(
    found([held(), released(), held({ ...second, ownerDied: { token: 1 } }), released('b/1')])[0] ?? '',
    /told of a death .* but a\/1 released it/,
  )
})
