// The contract tests can fail: over an engine with one deliberate fault (engines/broken.js) the
// tests of what it breaks fail.
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { timeoutFactor, unlessEmulated } from '../helpers/index.js'
import { faults } from './engines/broken.js'

/** The tests that find each fault, as `file: title`. @type {Record<string, string[]>} */
const FOUND_BY = {
  'writers are not alone': [
    'acquiring: while write is held, read is not granted, in this process and in others',
    'acquiring: while write is held, write is not granted, in this process and in others',
    'acquiring: a wait is granted when no conflicting hold is left, and not before',
  ],
  'readers are alone': ['acquiring: while read is held, read is granted, in this process and in others'],
  'upgradables are readers': [
    'acquiring: while upgradable is held, upgradable is not granted, in this process and in others',
  ],
  'timeouts are ignored': ['timeouts: a wait for write ends when its timeout has passed, and not before'],
  'signals are ignored': [
    'aborts: with a signal that has already aborted, read rejects with its reason and does not try',
    'aborts: an abort rejects a wait for read with the reason of the signal',
  ],
  'labels are ignored': ['labels: a hold that had to wait shows its own label'],
  'a wait that was given up is granted': [
    'timeouts: after a writer of this thread timed out, the readers behind it are granted',
    'aborts: an abort in the middle of the queue does not change the order of the rest',
  ],
  'waits have no queue': [
    'order: with fairness 0, the requests of a thread are granted in their order, adjacent readers together',
  ],
  'a try waits': ['acquiring: a try for write gives a guard, or null without waiting'],
  'a function that throws keeps the lock': [
    'acquiring: write(fn) rejects with the error that fn throws, and releases',
  ],
  'a function runs at once': ['acquiring: write(fn) returns its promise before fn runs'],
  'a function runs after an abort': [
    'aborts: write(fn) does not run fn if its signal aborts first, even if the lock was free',
  ],
  'tokens stay the same': [
    'tokens: the token of a write hold is greater than the tokens of all earlier write holds',
    'tokens: tokens continue to grow after the lock was closed everywhere (opened by name)',
  ],
  'deaths are not reported': [
    'owner-died: ownerDied gives the process, the thread, the label and the token of the hold',
  ],
  'values are not stored': [
    'value: a value is visible to those who hold nothing while the write hold lasts',
    'value: a value has 0 to 1024 bytes',
    'value: a hold for read cannot set the value',
  ],
  'a value is stored at the release': [
    'value: a value is visible to those who hold nothing while the write hold lasts',
  ],
  'a value is always that of the last write hold': ['value: inspect() says which write hold set the value'],
  'a death is reported once': [
    'owner-died: ownerDied is reported to readers, upgradables, writers and inspect(), in every process',
  ],
  'a second release ends another hold': [
    'acquiring: a guard for write holds the lock until release(), and a second release() has no effect',
  ],
  'disposal does not release': ['acquiring: a guard for write can be used with "await using"'],
  'an upgrade releases first': ['guards: an upgrade is granted before writers that are already waiting'],
  'a downgrade releases first': ['guards: a waiting writer is not granted between write and read'],
  'closing forgets the waits': [
    'closing: closing rejects pending acquisitions of every kind with ERR_LOCK_CLOSED',
  ],
  'closing keeps the holds': ['closing: closing releases the holds of the handle'],
  'errors have no code': ['timeouts: a wait for write ends when its timeout has passed, and not before'],
  'arguments are not checked': [
    'arguments: every acquisition refuses an invalid timeout and leaves no trace',
  ],
  'the limit on readers is ignored': [
    'limit: there are as many read holds as maxReaders says, and no more',
    'limit: reads that wait are granted in their order, one for each release',
    'limit: a reader is told of a read that the limit keeps out',
  ],
  'the limit on readers is one less': [
    'limit: there are as many read holds as maxReaders says, and no more',
    'limit: inspect() shows the limit that the creator of the lock has set',
  ],
  'a downgrade without room ends the hold': [
    'limit: an upgradable hold becomes a read hold only if there is room, and else stays upgradable',
  ],
  'inspect() shows no limit': ['limit: inspect() shows the limit that the creator of the lock has set'],
  'a steal waits in turn': [
    'steal: a steal takes the lock from a holder of any mode',
    'steal: a steal goes before those that wait, and they keep their order',
    'steal: of several steals the last one keeps the lock',
  ],
  'a steal breaks exclusion': [
    'steal: a lock that does not allow steals keeps its hold, and the steal is next',
    'steal: the lock is not granted before the listeners of the signal have run',
    'steal: a holder whose loop does not run keeps the lock until it runs',
  ],
  'a steal that was given up robs': ['steal: a steal that was given up robs nobody'],
  'a stolen hold is not told': ['steal: a steal takes the lock from a holder of any mode'],
  'a stolen function succeeds': ['steal: a function whose hold was stolen rejects, even if it returned'],
  'a stolen guard says it is released': ['steal: a stolen guard has ended'],
  'every lock can be stolen': [
    'steal: a lock that does not allow steals keeps its hold, and the steal is next',
  ],
  'contended is false': [
    'contention: a hold is contended while a request waits that it keeps out, and by no other',
  ],
  'inspect() shows no contention': [
    'contention: a hold is contended while a request waits that it keeps out, and by no other',
  ],
  'a notice is lost': [
    'contention: a notice comes when another process waits, and not before',
    'contention: a notice comes at once if somebody waits already',
    'contention: a notice resolves when the hold ends',
  ],
  'a notice comes without a request': [
    'contention: a notice comes when another process waits, and not before',
    'contention: a request that a hold does not keep out gives no notice',
  ],
  'a yield keeps the lock': ['contention: a hold that yields lets other processes go first'],
  'a yield loses its place': [
    'contention: a hold that yields is behind those that wait, and before those that come later',
  ],
  'the loss of a hold aborts no signal': [
    'contention: the signal of a hold aborts when its lock is closed, and not when it is released',
  ],
  'inspect() shows no waiters': [
    'inspect: inspect() shows each waiting request with its own mode and label, in the order of the queue',
  ],
  'a call inside a call waits for it': [
    'reentrant: write in write begins at once, and leaves the hold in its mode',
    'reentrant: read in write begins at once, and leaves the hold in its mode',
    'reentrant: read in read begins at once although a writer waits',
    'reentrant: write, read, write nest',
    'reentrant: a locked function may call others of the same lock',
  ],
  'what runs on after its call is inside': [
    'reentrant: a timer that outlives its call is outside',
    'reentrant: what runs on after its call has ended excludes a hold of others, however deep it began',
    'reentrant: each call of a chain of timers has its own hold',
  ],
  'a hold ends with its outermost call': [
    'reentrant: the hold ends with the last nested call, for which the outer call waits',
    'reentrant: when one branch of Promise.all fails, the others keep the hold, and the outer call waits',
    'reentrant: an outer guard that is released ends the hold when the nested calls have ended',
  ],
  'the outermost call does not wait for the others': [
    'reentrant: the hold ends with the last nested call, for which the outer call waits',
    'reentrant: when one branch of Promise.all fails, the others keep the hold, and the outer call waits',
  ],
  'a nested call ends the hold': [
    'reentrant: read in write begins at once, and leaves the hold in its mode',
    'reentrant: a nested guard that is released ends its call, and not the hold',
  ],
  'a nested write writes beside readers': [
    'reentrant: write in read is an error at once, which keeps the read hold',
    'reentrant: write in upgradable excludes readers for its duration only',
  ],
  'a nested write excludes readers until the hold ends': [
    'reentrant: write in upgradable excludes readers for its duration only',
  ],
  'calls of one hold take turns': [
    'reentrant: branches of Promise.all inside a write hold all begin at once',
  ],
  'an acquired guard is that of a call': [
    'reentrant: a guard that is acquired belongs to no call, in either direction',
  ],
  'every lock is the same': ['reentrant: a hold of one lock is none of another, however they nest'],
  'every object is a lock of its own': [
    'reentrant: other objects of the same lock share the hold if they are re-entrant',
  ],
  'a nested write that fails repairs': [
    'reentrant: a nested write that fails leaves a report of ownerDied, unless the outer one ends normally',
  ],
  'nested calls survive the close of their lock': [
    'reentrant: closing the lock ends its hold for every call inside',
    'reentrant: closing a lock object ends its nested calls, and not the hold they share',
  ],
  'a guard lowers the mode of other calls': [
    'reentrant: a guard cannot lower the mode that another call needs',
  ],
  'a call yields what another one holds': ['reentrant: only a call that has the hold alone can yield'],
}

const root = fileURLToPath(new URL('../../', import.meta.url))

/**
 * Runs tests of the contract over an engine with this fault, and returns how each ended.
 *
 * @param {string} fault
 * @param {string[]} tests as `file: title`
 * @param {number} [bound] ms that a test may take: most faults make one wait for ever
 * @returns {Promise<Map<string, 'ok' | 'not ok'>>}
 */
function run(fault, tests, bound) {
  const files = new Set(tests.map((test) => `__test__/contract/${test.split(': ')[0]}.test.js`))
  // In a pattern, `!` and `*` have a meaning of their own.
  const titles = tests.map((test) => `broken: ${titleOf(test).replace(/[!*]/g, '*')}`)
  const engine = new URL(`./engines/broken.js?${encodeURIComponent(fault)}`, import.meta.url)
  const args = [
    'node_modules/ava/entrypoints/cli.mjs',
    '--tap',
    ...titles.flatMap((title) => ['--match', title]),
  ]
  const env = {
    ...process.env,
    PROCESS_RWLOCK_CONTRACT_ENGINE: engine.href,
    ...(bound && { PROCESS_RWLOCK_TEST_BOUND: String(bound) }),
  }
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [...args, ...files], { cwd: root, env }, (_, tap) => {
      const ends = [...tap.matchAll(/^(ok|not ok) \d+ - (?:.* › )?broken: (.*)$/gm)]
      const endOf = new Map(ends.map(([, end, title]) => [title, /** @type {'ok' | 'not ok'} */ (end)]))
      const missing = tests.find((test) => !endOf.has(titleOf(test)))
      if (missing) reject(new Error(`"${missing}" did not run:\n${tap.slice(-2000)}`))
      else resolve(endOf)
    })
  })
}

/** @param {string} test */
function titleOf(test) {
  return test.slice(test.indexOf(': ') + 2)
}

const test = unlessEmulated('each runs ava again')

test('every fault has a test that finds it', (t) => {
  t.deepEqual(Object.keys(FOUND_BY).toSorted(), faults.filter((fault) => fault !== 'none').toSorted())
})

test('these tests pass over an engine without a fault', async (t) => {
  t.timeout(100_000 * timeoutFactor)
  const tests = [...new Set(Object.values(FOUND_BY).flat())]
  const ends = await run('none', tests)
  for (const test of tests) t.is(ends.get(titleOf(test)), 'ok', test)
})

for (const [fault, tests] of Object.entries(FOUND_BY)) {
  test(`the contract tests find that ${fault}`, async (t) => {
    t.timeout(60_000 * timeoutFactor)
    const ends = await run(fault, tests, 2500)
    for (const test of tests) t.is(ends.get(titleOf(test)), 'not ok', test)
  })
}
