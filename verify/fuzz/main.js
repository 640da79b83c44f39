// npm run fuzz: hostile memory against the lock; verify/fuzz/src/lib.rs says what is tried and what is checked.
//
//   npm run fuzz -- open                one target: open, named or running; without one, each of them
//   npm run fuzz -- --seconds 600       how long for each; 60 unless said
//   npm run fuzz -- open <file>…        only these inputs, such as one that failed
//   npm run fuzz -- --minimize          makes the corpus the smallest that covers as much
//   npm run fuzz -- --mutants [part of a name]    breaks a copy of the lock, one way after the other: each must be found
//
// It begins with the corpus and the regressions. What it finds is kept in .cache/fuzz.
import { cpSync, existsSync, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { capture, root, run } from '../../scripts/lib/run.js'
import { fail, HOST, requireCpp, requireRust, say } from '../../scripts/lib/setup.js'
import { MUTANTS } from '../mutants/lists/fuzz.js'
import { showMutants, takeMutants } from '../mutants/run.js'

const TARGETS = ['open', 'named', 'running']

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
// Leaks are left to `npm run sanitize`: here threads end at any time, and what they are about to free looks like one.
const ENVIRONMENT = { ...process.env, ASAN_OPTIONS: 'detect_leaks=0' }
/** Inputs of a target that the repository keeps: the longest, which cover most each. The others cover what depends on timing. */
const INPUTS = 98
/** How long a mutant may stay unnoticed (s). */
const MUTANT_TIME = 120

const args = process.argv.slice(2)
const part = takeMutants(args)
const { targets, files, seconds, minimizes } = parse(args)
const here = fileURLToPath(root)
const kept = join(here, '.cache/fuzz')

if (process.platform !== 'linux' || process.arch !== 'x64') fail('The fuzzers run on Linux x64.')
requireRust()
await requireCpp('libFuzzer needs a C++ compiler')
if (part !== undefined) {
  const mutants = MUTANTS.filter(({ target }) => targets.includes(target))
  const also = ['Cargo.toml', 'Cargo.lock', 'src', 'fuzz_targets'].map((name) => `verify/fuzz/${name}`)
  await showMutants({ check: 'fuzz', mutants, part, also, find })
} else {
  await build(here, targets)
  for (const target of targets) {
    if (minimizes) await minimize(target)
    else if (files.length > 0) await execute(target, files)
    else await search(target)
  }
}

/**
 * Builds the fuzzers of a checkout.
 *
 * @param {string} checkout
 * @param {string[]} targets
 */
async function build(checkout, targets) {
  const bins = targets.flatMap((target) => ['--bin', target])
  await run('cargo', ['build', '--release', '--target', HOST, '--target-dir', 'target', ...bins], {
    cwd: join(checkout, 'verify/fuzz'),
    env: { ...process.env, ...RUSTC },
  })
}

/**
 * The program of a target and its arguments.
 *
 * @param {string} target
 * @param {string[]} args
 * @returns {[string, string[]]}
 */
function command(target, args, checkout = here) {
  const found = join(kept, 'found')
  mkdirSync(found, { recursive: true })
  const program = join(checkout, 'verify/fuzz/target', HOST, 'release', target)
  return [program, [...LIMITS, `-artifact_prefix=${found}/${target}-`, ...args]]
}

/**
 * @param {string} target
 * @param {string[]} args
 */
async function execute(target, args) {
  await run(...command(target, args), { env: ENVIRONMENT })
}

/** @param {string} target */
async function search(target) {
  say(`${target}: ${seconds} s`)
  const fresh = join(kept, target)
  mkdirSync(fresh, { recursive: true })
  await execute(target, [`-max_total_time=${seconds}`, '-print_final_stats=1', fresh, ...known(target)])
}

/**
 * The directories of the inputs that belong to the repository.
 *
 * @param {string} target
 */
function known(target) {
  return ['corpus', 'regressions'].map((kind) => join(here, 'verify/fuzz', kind, target)).filter(existsSync)
}

/** @param {string} target */
async function minimize(target) {
  const corpus = join(here, 'verify/fuzz/corpus', target)
  const smallest = join(kept, `${target}-smallest`)
  rmSync(smallest, { recursive: true, force: true })
  mkdirSync(smallest, { recursive: true })
  // By which branches are taken; how often is left to the search, or the corpus would be ten times as large.
  const goal = ['-set_cover_merge=1', '-use_counters=0']
  await execute(target, [...goal, smallest, ...[join(kept, target), ...known(target)].filter(existsSync)])
  rmSync(corpus, { recursive: true, force: true })
  mkdirSync(corpus)
  const size = (/** @type {string} */ name) => statSync(join(smallest, name)).size
  const names = readdirSync(smallest).sort((a, b) => size(b) - size(a))
  for (const name of names.slice(0, INPUTS)) cpSync(join(smallest, name), join(corpus, name))
  for (const old of [smallest, join(kept, target)]) rmSync(old, { recursive: true, force: true })
  say(`${target}: ${readdirSync(corpus).length} inputs`)
}

/**
 * Seeks a mutant as if for the first time: without the regressions.
 *
 * @param {string} copy
 * @param {typeof MUTANTS[number]} mutant
 */
async function find(copy, { target }) {
  await build(copy, [target])
  const fresh = join(copy, 'fresh')
  rmSync(fresh, { recursive: true, force: true })
  mkdirSync(fresh)
  const args = [`-max_total_time=${MUTANT_TIME}`, '-seed=1', fresh, join(here, 'verify/fuzz/corpus', target)]
  const start = Date.now()
  const { code, output } = await capture(...command(target, args, copy))
  const seconds = ((Date.now() - start) / 1000).toFixed(1)
  const said = /panicked at .*\n(.*)/.exec(output)?.[1] ?? /ERROR: .*/.exec(output)?.[0] ?? output.slice(-200)
  const input = /written to (.*)/.exec(output)?.[1]
  return code === 0 ? undefined : `${target}, ${seconds} s: ${said} (${input})`
}

/** @param {string[]} args */
function parse(args) {
  const targets = []
  const files = []
  let seconds = 60
  let minimizes = false
  for (let i = 0; i < args.length; i++) {
    const arg = args[i] ?? ''
    if (arg === '--seconds') seconds = Number(args[++i])
    else if (arg === '--minimize') minimizes = true
    else if (TARGETS.includes(arg)) targets.push(arg)
    else if (existsSync(arg)) files.push(arg)
    else fail(`What is "${arg}"? The targets are ${TARGETS.join(', ')}.`)
  }
  if (!(seconds > 0)) fail('--seconds takes a number.')
  if (files.length > 0 && targets.length !== 1) fail('Say which target the inputs are for.')
  return { targets: targets.length > 0 ? targets : TARGETS, files, seconds, minimizes }
}
