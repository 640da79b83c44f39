// npm run sanitize: the tests of the lock's crate under sanitizers.
//
//   npm run sanitize -- address          AddressSanitizer, with leaks; `thread`: ThreadSanitizer; both unless one is named
//   npm run sanitize -- --quick          without the tests that take long and show nothing to a sanitizer
//   npm run sanitize -- thread watching  only tests that have this in their names
//   npm run sanitize -- --mutations      breaks the lock in a few places, and shows that each is found
//
// ThreadSanitizer takes two threads to be in order if both use one atomic, which it knows by its address. Two attachments
// map the lock twice, so of the lock's own protocol it sees nothing; it checks what the threads of one process share beside
// that: the watcher, and attachments that are sent.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { mutate } from './mutate.js'
import { root, run } from './run.js'
import { fail, requireLinker, requireRust, say } from './setup.js'

const HOST = 'x86_64-unknown-linux-gnu'
/** What is shown by many processes in many seconds. */
const LONG = ['chaos', 'exclusion', 'fairness', 'recovery']

/** Each with a test that meets it. */
const MUTATIONS = [
  {
    name: 'a label is read past its end',
    kind: 'address',
    tests: ['a_label_is_cut'],
    file: 'layout.rs',
    from: 'bytes.get(index * 8..).unwrap_or(&[])',
    to: 'unsafe { std::slice::from_raw_parts(bytes.as_ptr().wrapping_add(index * 8), 8) }',
  },
  {
    name: 'a lock stays mapped',
    kind: 'address',
    tests: ['an_upgrader_that_was_passed_over'],
    file: 'attachment.rs',
    from: 'let _ = self.withdraw_all();\n        if',
    to: 'let _ = self.withdraw_all();\n        std::mem::forget(self.segment.clone());\n        if',
  },
  {
    name: 'the watcher reads its list without the mutex',
    kind: 'thread',
    tests: ['watch'],
    file: 'watcher.rs',
    from: 'let entries = lock(&self.watched).entries.clone();',
    to: `let entries = {
                let watched = (&raw const self.watched).cast_mut();
                unsafe { &mut *watched }.get_mut().unwrap().entries.clone()
            };`,
  },
]

const { kinds, quick, mutations, filters } = parse(process.argv.slice(2))
const here = fileURLToPath(root)

if (process.platform !== 'linux' || process.arch !== 'x64') fail('The sanitizers run on Linux x64.')
requireRust()
await requireLinker()
if (kinds.includes('thread')) requireSource()
if (mutations) {
  const parts = ['Cargo.toml', 'Cargo.lock', 'crates']
  const wanted = MUTATIONS.filter(({ kind }) => kinds.includes(kind))
  await mutate(join(here, '.cache/sanitize'), parts, wanted, async ({ kind, tests }) => {
    const { args, options } = tester(kind, tests)
    const copy = { ...options, cwd: join(here, '.cache/sanitize'), maxBuffer: 2 ** 28 }
    const { status, stdout, stderr } = spawnSync('cargo', args, { ...copy, encoding: 'utf8' })
    return status === 0 ? undefined : /^SUMMARY: .*/m.exec(stderr + stdout)?.[0]
  })
} else {
  const tests = [...filters, ...(quick ? LONG.flatMap((name) => ['--skip', name]) : [])]
  for (const kind of kinds) {
    say(`${kind} sanitizer`)
    const { args, options } = tester(kind, tests)
    await run('cargo', args, options)
  }
}

/**
 * The arguments and options of cargo.
 *
 * @param {string} kind
 * @param {string[]} tests
 */
function tester(kind, tests) {
  const suppressions = join(here, 'scripts/thread-sanitizer.supp')
  return {
    args: [
      ...['test', '-p', 'process-rwlock', '--lib', '--test', 'contract', '--target', HOST],
      ...['--target-dir', `target/sanitize-${kind}`, ...(kind === 'thread' ? ['-Zbuild-std'] : [])],
      ...['--', ...tests],
    ],
    options: {
      env: {
        ...process.env,
        // Stable compilers hide these options.
        RUSTC_BOOTSTRAP: '1',
        RUSTFLAGS: `-Zsanitizer=${kind}`,
        TSAN_OPTIONS: `suppressions="${suppressions}"`,
      },
    },
  }
}

/** ThreadSanitizer takes what an uninstrumented standard library orders for races: channels, locks, reference counts. */
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
  /** @type {string[]} */
  const kinds = args.filter((arg) => arg === 'address' || arg === 'thread')
  return {
    kinds: kinds.length > 0 ? kinds : ['address', 'thread'],
    quick: args.includes('--quick'),
    mutations: args.includes('--mutations'),
    filters: args.filter((arg) => !arg.startsWith('--') && !kinds.includes(arg)),
  }
}
