// The fuzzers: how they are built and run, and tried on a mutant.
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { capture, root, run } from '../../scripts/lib/run.js'
import { fail, HOST, requireCpp, requireRust } from '../../scripts/lib/setup.js'
import { targetOf } from '../mutants/run.js'

export const TARGETS = ['open', 'named', 'running']

// What `cargo fuzz` would set. Stable compilers hide these options.
const RUSTC = {
  RUSTC_BOOTSTRAP: '1',
  RUSTFLAGS: [
    '--cfg=fuzzing',
    '-Zsanitizer=address',
    '-Ccodegen-units=1',
    '-Cpasses=sancov-module',
    '-Cllvm-args=-simplifycfg-branch-fold-threshold=0',
    '-Cllvm-args=-sanitizer-coverage-level=4',
    '-Cllvm-args=-sanitizer-coverage-inline-8bit-counters',
    '-Cllvm-args=-sanitizer-coverage-pc-table',
    '-Cllvm-args=-sanitizer-coverage-trace-compares',
  ].join(' '),
}
// An input that takes longer (s) hangs: its slowest step may take 5. What is longer (bytes) repeats itself.
const LIMITS = ['-timeout=60', '-max_len=256', '-len_control=0', '-rss_limit_mb=2048']
// `npm run sanitize` finds leaks. Here threads end at any time, and the memory that they are about to free would count.
export const ENVIRONMENT = { ...process.env, ASAN_OPTIONS: 'detect_leaks=0' }
/** How long a mutant may stay unnoticed (s). */
const MUTANT_TIME = 120

/** What a copy of the lock needs besides the crates. */
export const also = ['Cargo.toml', 'Cargo.lock', 'src', 'fuzz_targets'].map((name) => `verify/fuzz/${name}`)
export const here = fileURLToPath(root)
export const kept = join(here, '.cache/fuzz')
const BUILT = join(here, 'verify/fuzz/target')

export async function setUp() {
  if (process.platform !== 'linux' || process.arch !== 'x64') fail('The fuzzers run on Linux x64.')
  requireRust()
  await requireCpp('libFuzzer needs a C++ compiler')
}

/**
 * Builds the fuzzers of a checkout.
 *
 * @param {string} checkout
 * @param {string[]} targets
 * @param {string} [directory] where cargo builds them
 */
export async function build(checkout, targets, directory = BUILT) {
  const bins = targets.flatMap((target) => ['--bin', target])
  await run('cargo', ['build', '--release', '--target', HOST, '--target-dir', directory, ...bins], {
    cwd: join(checkout, 'verify/fuzz'),
    env: { ...process.env, ...RUSTC },
  })
}

/**
 * The program of a target and its arguments.
 *
 * @param {string} target
 * @param {string[]} args
 * @param {string} [directory] where it was built
 * @returns {[string, string[]]}
 */
export function command(target, args, directory = BUILT) {
  const found = join(kept, 'found')
  mkdirSync(found, { recursive: true })
  const program = join(directory, HOST, 'release', target)
  return [program, [...LIMITS, `-artifact_prefix=${found}/${target}-`, ...args]]
}

/**
 * Seeks a mutant as if for the first time: without the regressions.
 *
 * @param {string} copy
 * @param {{ target: string }} mutant
 */
export async function find(copy, { target }) {
  await build(copy, [target], targetOf('fuzz'))
  const fresh = join(copy, 'fresh')
  rmSync(fresh, { recursive: true, force: true })
  mkdirSync(fresh)
  const args = [`-max_total_time=${MUTANT_TIME}`, '-seed=1', fresh, join(here, 'verify/fuzz/corpus', target)]
  const start = Date.now()
  const { code, output } = await capture(...command(target, args, targetOf('fuzz')))
  const seconds = ((Date.now() - start) / 1000).toFixed(1)
  const said = /panicked at .*\n(.*)/.exec(output)?.[1] ?? /ERROR: .*/.exec(output)?.[0] ?? output.slice(-200)
  const input = /written to (.*)/.exec(output)?.[1]
  return code === 0 ? undefined : `${target}, ${seconds} s: ${said} (${input})`
}
