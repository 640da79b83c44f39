// npm run sanitize: the tests of the lock's crate under sanitizers.
//
//   npm run sanitize -- address          AddressSanitizer, with leaks
//   npm run sanitize -- protocol         ThreadSanitizer over the lock's own protocol: `orderings::threads`
//   npm run sanitize -- thread           ThreadSanitizer over everything; all three unless one is named
//   npm run sanitize -- --quick          without the tests that take long and show nothing to a sanitizer
//   npm run sanitize -- thread watching  only tests that have this in their names
//   npm run sanitize -- --mutants [part of a name]    breaks a copy of the lock in one way at a time: each must be found
//
// ThreadSanitizer takes two threads to be in order if both use one atomic, which it knows by its address. So it sees the
// lock's protocol where attachments share one mapping, as in `orderings::threads`. As a rule two attachments map the lock
// twice: in all other tests it sees nothing of the protocol, but what the threads of one process share beside it: the
// watcher, and attachments that are sent.
import { run } from '../../scripts/lib/run.js'
import { fail, say } from '../../scripts/lib/setup.js'
import { mutants, PROTOCOL } from '../mutants/lists/sanitize.js'
import { takeMutants, tryOnCopy } from '../mutants/run.js'
import { find, setUp, tester } from './check.js'

/** Tests of many processes in many seconds, which show nothing to a sanitizer. */
const LONG = ['chaos', 'exclusion', 'fairness', 'recovery']

const args = process.argv.slice(2)
const part = takeMutants(args)
const { kinds, quick, filters } = parse(args)

await setUp(kinds)
if (part !== undefined) {
  await tryOnCopy({
    check: 'sanitize',
    mutants: mutants.filter(({ kind }) => kinds.includes(kind)),
    part,
    find,
  })
} else {
  const tests = [...filters, ...(quick ? LONG.flatMap((name) => ['--skip', name]) : [])]
  for (const kind of kinds) {
    say(kind === 'address' ? 'AddressSanitizer' : `ThreadSanitizer: ${kind}`)
    const { args, options } = tester(kind, kind === 'protocol' ? PROTOCOL : tests)
    await run('cargo', args, options)
  }
}

/** @param {string[]} args */
function parse(args) {
  const all = ['address', 'protocol', 'thread']
  const named = args.filter((arg) => all.includes(arg))
  const filters = args.filter((arg) => !arg.startsWith('--') && !all.includes(arg))
  if (filters.length > 0 && named.includes('protocol')) fail('"protocol" has its own tests.')
  const kinds = filters.length > 0 ? all.filter((kind) => kind !== 'protocol') : all
  return { kinds: named.length > 0 ? named : kinds, quick: args.includes('--quick'), filters }
}
