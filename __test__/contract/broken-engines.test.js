// The contract tests can fail: over an engine with one deliberate fault (engines/broken.js), those that state what it breaks fail.
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { timeoutFactor, unlessEmulated } from '../helpers/index.js'
import { faults } from './engines/broken.js'

/** The tests that find each fault, as `file: title`. @type {Record<string, string[]>} */
const FOUND_BY = {
  'writers are not alone': [
    'acquiring: beside a write hold read is not granted, in this process and in others',
    'acquiring: beside a write hold write is not granted, in this process and in others',
    'acquiring: what waits is granted when it can be, and never before',
  ],
  'readers are alone': ['acquiring: beside a read hold read is granted, in this process and in others'],
  'upgradables are readers': [
    'acquiring: beside a upgradable hold upgradable is not granted, in this process and in others',
  ],
  'timeouts are ignored': ['timeouts: a wait for write ends when its timeout has passed, and not before'],
  'signals are ignored': [
    'aborts: a signal that was aborted before keeps read from even trying',
    'aborts: a signal that is aborted ends a wait for read with its reason',
  ],
  'labels are ignored': ['labels: a hold that had to wait shows its own label'],
  'a wait that was given up is granted': [
    'timeouts: after a writer of this thread timed out, the readers behind it go on',
    'aborts: an abort in the middle of the queue leaves the rest of it in order',
  ],
  'waits have no queue': [
    'order: with fairness 0 a thread is served in the order it asked in, readers side by side',
  ],
  'a try waits': ['acquiring: try for write gives a guard, or null without waiting'],
  'a function that throws keeps the lock': ['acquiring: write(fn) passes on what fn throws, and releases'],
  'a function runs at once': ['acquiring: write(fn) never runs fn before it has returned its promise'],
  'a function runs after an abort': [
    'aborts: write(fn) does not run fn if its signal aborts before that, also if the lock was free',
  ],
  'tokens stay the same': [
    'tokens: the token of a write hold is greater than the tokens of all earlier write holds',
    'tokens: tokens continue to grow after the lock was closed everywhere (opened by name)',
  ],
  'deaths are not reported': [
    'owner-died: it names the process, the thread, the label and the token of the hold',
  ],
  'a death is reported once': [
    'owner-died: readers, upgradables and writers are told, and whoever looks, in every process',
  ],
  'a second release ends another hold': [
    'acquiring: a write guard holds until release(), which may be called again',
  ],
  'disposal does not release': ['acquiring: a write guard can be used with "await using"'],
  'an upgrade releases first': ['guards: an upgrade goes before the writers that wait already'],
  'a downgrade releases first': [
    'guards: a writer that waits elsewhere does not get in between write and read',
  ],
  'closing forgets the waits': [
    'closing: closing rejects pending acquisitions of every kind with ERR_LOCK_CLOSED',
  ],
  'closing keeps the holds': ['closing: closing releases the holds of the handle'],
  'errors have no code': ['timeouts: a wait for write ends when its timeout has passed, and not before'],
  'arguments are not checked': [
    'arguments: a wrong timeout is refused by every acquisition, which leaves no trace',
  ],
  'inspect() shows no waiters': [
    'inspect: inspect() tells who waits, longest first, and how many of a thread',
  ],
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
  // As it is in a pattern, a title may have an asterisk for everything that means something there.
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
  return new Promise((resolve) => {
    execFile(process.execPath, [...args, ...files], { cwd: root, env }, (_, tap) => {
      const ends = [...tap.matchAll(/^(ok|not ok) \d+ - (?:.* › )?broken: (.*)$/gm)]
      resolve(new Map(ends.map(([, end, title]) => [title, /** @type {'ok' | 'not ok'} */ (end)])))
    })
  })
}

/** @param {string} test */
function titleOf(test) {
  return test.slice(test.indexOf(': ') + 2)
}

const test = unlessEmulated('each runs ava again')

test('every fault is found by a test', (t) => {
  t.deepEqual(Object.keys(FOUND_BY).toSorted(), faults.filter((fault) => fault !== 'none').toSorted())
})

test('these tests pass over an engine without fault', async (t) => {
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
