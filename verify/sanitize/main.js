// npm run sanitize: the tests of the lock's crate under sanitizers.
//
// ThreadSanitizer takes two threads to be in order if both use one atomic, which it identifies by its address. So it sees the
// lock's protocol only where attachments share one mapping, as in `orderings::threads`. Normally two attachments map the lock
// twice: in all other tests it sees nothing of the protocol, but only what the threads of one process share otherwise: the
// watcher, and attachments that are sent.
import { readArguments, usageError } from '../../scripts/lib/arguments.js'
import { run } from '../../scripts/lib/run.js'
import { say } from '../../scripts/lib/setup.js'
import { mutants, PROTOCOL } from '../mutants/lists/sanitize.js'
import { tryOnCopy } from '../mutants/run.js'
import { find, setUp, tester } from './check.js'

const HELP = `
npm run sanitize -- [address] [protocol] [thread]   with these sanitizers; all three by default
                    address                         AddressSanitizer, with leaks
                    protocol                        ThreadSanitizer over the protocol itself: orderings::threads
                    thread                          ThreadSanitizer over everything
                    --quick                         without the tests that take long and show nothing to a sanitizer
npm run sanitize -- thread watching                 only tests whose names contain this
npm run sanitize -- [KIND] --mutants [PART]         breaks a copy of the lock in one way at a time (whose name contains
                                                    PART): a sanitizer must find each
`

/** Tests of many processes in many seconds, which show nothing to a sanitizer. */
const LONG = ['chaos', 'exclusion', 'fairness', 'recovery']
const KINDS = ['address', 'protocol', 'thread']

const { values, positionals } = readArguments(
  HELP,
  { quick: { type: 'boolean' }, mutants: { type: 'boolean' } },
  { positionals: true },
)
const named = positionals.filter((word) => KINDS.includes(word))
const words = positionals.filter((word) => !KINDS.includes(word))
if (!values.mutants && words.length > 0 && named.includes('protocol')) {
  usageError('"protocol" has its own tests.', HELP)
}
const filtered = !values.mutants && words.length > 0 ? KINDS.filter((kind) => kind !== 'protocol') : KINDS
const kinds = named.length > 0 ? named : filtered

await setUp(kinds)
if (values.mutants) {
  const wanted = mutants.filter(({ kind }) => kinds.includes(kind))
  await tryOnCopy({ check: 'sanitize', mutants: wanted, part: words[0], find })
} else {
  const tests = [...words, ...(values.quick ? LONG.flatMap((name) => ['--skip', name]) : [])]
  for (const kind of kinds) {
    say(kind === 'address' ? 'AddressSanitizer' : `ThreadSanitizer: ${kind}`)
    const { args, options } = tester(kind, kind === 'protocol' ? PROTOCOL : tests)
    await run('cargo', args, options)
  }
}
