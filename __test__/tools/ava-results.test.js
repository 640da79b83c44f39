// How `npm test` counts what ava prints.
import test from 'ava'
import { Parser } from 'tap-parser'
import { resultsOf } from '../../scripts/lib/ava-results.js'

/** @param {string[]} lines */
function read(...lines) {
  const parser = new Parser()
  /** @type {Promise<import('tap-parser').FinalResults>} */
  const finished = new Promise((resolve) => parser.once('complete', resolve))
  parser.end(['TAP version 13', ...lines, ''].join('\n'))
  return finished.then(resultsOf)
}

test('an error outside of the tests is the only failure, although the plan is without it', async (t) => {
  t.deepEqual(
    await read(
      'ok 1 - a',
      'not ok 2 - Error: why',
      '  ---',
      '    name: Error',
      '  ...',
      'ok 3 - b',
      'ok 4 - c',
      '1..3',
    ),
    { passed: 3, failed: 1, failures: ["Error: why\n{ name: 'Error' }"] },
  )
})

test('skipped tests and those that are still to be written do not count', async (t) => {
  t.deepEqual(
    await read('ok 1 - a', 'ok 2 - b # SKIP not here', 'not ok 3 - c # TODO', 'not ok 4 - d', '1..4'),
    { passed: 1, failed: 1, failures: ['d\nnull'] },
  )
})

test('tests that did not run have failed', async (t) => {
  t.deepEqual(await read('ok 1 - a', '1..3'), { passed: 1, failed: 2, failures: ['2 tests did not run'] })
})
