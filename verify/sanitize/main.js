// npm run sanitize: the tests of the lock's crate under sanitizers.
//
//   npm run sanitize -- address          AddressSanitizer, with leaks
//   npm run sanitize -- protocol         ThreadSanitizer over the lock's own protocol: `orderings::threads`
//   npm run sanitize -- thread           ThreadSanitizer over everything; all three unless one is named
//   npm run sanitize -- --quick          without the tests that take long and show nothing to a sanitizer
//   npm run sanitize -- thread watching  only tests that have this in their names
//   npm run sanitize -- --mutants [part of a name]    breaks a copy of the lock, one way after the other: each must be found
//
// ThreadSanitizer takes two threads to be in order if both use one atomic, which it knows by its address. So it sees the
// lock's protocol where attachments share one mapping, as in `orderings::threads`. As a rule two attachments map the lock
// twice: in all other tests it sees nothing of the protocol, but what the threads of one process share beside it: the
// watcher, and attachments that are sent.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { capture, root, run } from '../../scripts/lib/run.js'
import { fail, HOST, requireLinker, requireRust, say } from '../../scripts/lib/setup.js'
import { showMutants, takeMutants } from '../mutants/run.js'
import { weaker } from '../mutants/weaker.js'

/** What is shown by many processes in many seconds. */
const LONG = ['chaos', 'exclusion', 'fairness', 'recovery']

/** Threads on one mapping. */
const PROTOCOL = ['orderings::threads']

/**
 * Each with a test that meets it.
 *
 * @type {(import('../mutants/run.js').Mutant & { kind: string, tests: string[] })[]}
 */
const MUTANTS = [
  ...[
    weaker('shm/layout.rs', 'fn swap', 'Acquire'),
    weaker('shm/layout.rs', 'fn load', 'Relaxed'),
    weaker('attachment/read.rs', 'release_read', 'Acquire'),
    weaker('protocol/reader_bitmap.rs', 'scan_reads', 'Relaxed'),
  ].map((mutant) => ({ ...mutant, kind: 'protocol', tests: PROTOCOL })),
  {
    name: 'a label is read past its end',
    kind: 'address',
    tests: ['a_label_is_cut'],
    file: 'shm/layout.rs',
    change: [
      [
        'bytes.get(index * 8..).unwrap_or(&[])',
        'unsafe { std::slice::from_raw_parts(bytes.as_ptr().wrapping_add(index * 8), 8) }',
      ],
    ],
  },
  {
    name: 'a lock stays mapped',
    kind: 'address',
    tests: ['an_upgrader_that_was_passed_over'],
    file: 'attachment/lifecycle.rs',
    change: [
      [
        'let _ = self.withdraw_all();\n        if',
        'let _ = self.withdraw_all();\n        std::mem::forget(self.segment.clone());\n        if',
      ],
    ],
  },
  {
    name: 'the watcher reads its list without the mutex',
    kind: 'thread',
    tests: ['watch'],
    file: 'monitor/watcher/worker.rs',
    change: [
      [
        'let entries = lock(&self.watched).entries.clone();',
        `let entries = {
                let watched = (&raw const self.watched).cast_mut();
                unsafe { &mut *watched }.get_mut().unwrap().entries.clone()
            };`,
      ],
    ],
  },
]

const args = process.argv.slice(2)
const part = takeMutants(args)
const { kinds, quick, filters } = parse(args)
const here = fileURLToPath(root)

if (process.platform !== 'linux' || process.arch !== 'x64') fail('The sanitizers run on Linux x64.')
requireRust()
await requireLinker()
if (kinds.includes('thread')) requireSource()
if (part !== undefined) {
  const mutants = MUTANTS.filter(({ kind }) => kinds.includes(kind))
  await showMutants({ check: 'sanitize', mutants, part, find })
} else {
  const tests = [...filters, ...(quick ? LONG.flatMap((name) => ['--skip', name]) : [])]
  for (const kind of kinds) {
    say(kind === 'address' ? 'AddressSanitizer' : `ThreadSanitizer: ${kind}`)
    const { args, options } = tester(kind, kind === 'protocol' ? PROTOCOL : tests)
    await run('cargo', args, options)
  }
}

/**
 * @param {string} copy
 * @param {typeof MUTANTS[number]} mutant
 */
async function find(copy, { kind, tests }) {
  const { args, options } = tester(kind, tests)
  const { code, output } = await capture('cargo', args, { ...options, cwd: copy })
  if (code === 0) return undefined
  const found = /^SUMMARY: .*/m.exec(output)?.[0]
  if (!found) throw new Error(`no sanitizer says why it fails:\n${output}`)
  return found
}

/**
 * The arguments and options of cargo.
 *
 * @param {string} kind
 * @param {string[]} tests
 */
function tester(kind, tests) {
  const [sanitizer, ...more] = {
    address: ['address'],
    protocol: ['thread', '-Cunsafe-allow-abi-mismatch=sanitizer'],
    thread: ['thread'],
  }[/** @type {'address' | 'protocol' | 'thread'} */ (kind)]
  return {
    args: [
      ...['test', '-p', 'process-rwlock', '--lib', '--target', HOST],
      ...(kind === 'protocol' ? [] : ['--test', 'contract']),
      ...[
        '--target-dir',
        join(here, `target/sanitize-${kind}`),
        ...(kind === 'thread' ? ['-Zbuild-std'] : []),
      ],
      ...['--', ...tests],
    ],
    options: {
      env: {
        ...process.env,
        // Stable compilers hide these options.
        RUSTC_BOOTSTRAP: '1',
        RUSTFLAGS: [`-Zsanitizer=${sanitizer}`, ...more].join(' '),
        TSAN_OPTIONS: `suppressions="${join(here, `verify/sanitize/${kind}.supp`)}"`,
      },
    },
  }
}

/**
 * ThreadSanitizer takes what an uninstrumented standard library orders for races: channels, locks, reference counts. Of these
 * `protocol` has only the channel of the test harness.
 */
function requireSource() {
  const { stdout } = spawnSync('rustc', ['--print', 'sysroot'], { cwd: root, encoding: 'utf8' })
  const source = join(stdout.trim(), 'lib/rustlib/src/rust/library/Cargo.lock')
  if (existsSync(source)) return
  say('Adding the source of the standard library (rustup component add rust-src)')
  const { status } = spawnSync('rustup', ['component', 'add', 'rust-src'], { cwd: root, stdio: 'inherit' })
  if (status !== 0) {
    fail(
      'ThreadSanitizer needs the source of the standard library: rustup component add rust-src. "address" does not.',
    )
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
