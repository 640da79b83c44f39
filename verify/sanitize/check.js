// The tests of the crate under a sanitizer, and how they are tried on a mutant.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { capture, root } from '../../scripts/lib/run.js'
import { fail, HOST, requireLinker, requireRust, say } from '../../scripts/lib/setup.js'
import { targetOf } from '../mutants/run.js'

const here = fileURLToPath(root)

/** @param {string[]} kinds of sanitizers that will run */
export async function setUp(kinds = ['thread']) {
  if (process.platform !== 'linux' || process.arch !== 'x64') fail('The sanitizers run on Linux x64.')
  requireRust()
  await requireLinker()
  if (kinds.includes('thread')) requireSource()
}

/**
 * @param {string} copy
 * @param {{ kind: string, tests: string[] }} mutant
 */
export async function find(copy, { kind, tests }) {
  const { args, options } = tester(kind, tests, targetOf(`sanitize-${kind}`))
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
 * @param {string} [target] where it builds
 */
export function tester(kind, tests, target = join(here, `target/sanitize-${kind}`)) {
  const [sanitizer, ...more] = {
    address: ['address'],
    protocol: ['thread', '-Cunsafe-allow-abi-mismatch=sanitizer'],
    thread: ['thread'],
  }[/** @type {'address' | 'protocol' | 'thread'} */ (kind)]
  return {
    args: [
      ...['test', '-p', 'process-rwlock', '--lib', '--target', HOST],
      ...(kind === 'protocol' ? [] : ['--test', 'contract']),
      ...['--target-dir', target, ...(kind === 'thread' ? ['-Zbuild-std'] : [])],
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
export function requireSource() {
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
