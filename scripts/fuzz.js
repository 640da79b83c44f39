// npm run fuzz: hostile memory against the lock; fuzz/src/lib.rs says what is tried and what is checked.
//
//   npm run fuzz -- open                one target: open, named or running; without one, each of them
//   npm run fuzz -- --seconds 600       how long for each; 60 unless said
//   npm run fuzz -- open <file>…        only these inputs, such as one that failed
//   npm run fuzz -- --minimize          makes the corpus the smallest that covers as much
//   npm run fuzz -- --mutations         breaks the lock in several places, and shows that each is found
//
// It begins with the corpus and the regressions. What it finds is kept in .cache/fuzz.
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { MUTATIONS } from '../fuzz/mutations.js'
import { mutate } from './mutate.js'
import { root, run } from './run.js'
import { fail, requireCpp, requireRust, say } from './setup.js'

const HOST = 'x86_64-unknown-linux-gnu'
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
/** How long a mutation may stay unnoticed (s). */
const MUTATION_TIME = 120

const { targets, files, seconds, mode } = parse(process.argv.slice(2))
const here = fileURLToPath(root)
const kept = join(here, '.cache/fuzz')

if (process.platform !== 'linux' || process.arch !== 'x64') fail('The fuzzers run on Linux x64.')
requireRust()
await requireCpp()
if (mode === '--mutations') {
  await mutations()
} else {
  await build(here, targets)
  for (const target of targets) {
    if (mode === '--minimize') await minimize(target)
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
    cwd: join(checkout, 'fuzz'),
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
  const program = join(checkout, 'fuzz/target', HOST, 'release', target)
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
  return ['corpus', 'regressions'].map((kind) => join(here, 'fuzz', kind, target)).filter(existsSync)
}

/** @param {string} target */
async function minimize(target) {
  const corpus = join(here, 'fuzz/corpus', target)
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

/** Each is sought as if for the first time: without the regressions. */
async function mutations() {
  const copy = join(kept, 'mutated')
  const parts = [
    'Cargo.toml',
    'Cargo.lock',
    'crates',
    'fuzz/Cargo.toml',
    'fuzz/Cargo.lock',
    'fuzz/src',
    'fuzz/fuzz_targets',
  ]
  const fresh = join(copy, 'fresh')
  const wanted = MUTATIONS.filter(({ target }) => targets.includes(target))
  await mutate(copy, parts, wanted, async ({ target }) => {
    await build(copy, [target])
    rmSync(fresh, { recursive: true, force: true })
    mkdirSync(fresh)
    const args = [`-max_total_time=${MUTATION_TIME}`, '-seed=1', fresh, join(here, 'fuzz/corpus', target)]
    const start = Date.now()
    const { status, stderr } = spawnSync(...command(target, args, copy), {
      encoding: 'utf8',
      maxBuffer: 2 ** 28,
    })
    const seconds = ((Date.now() - start) / 1000).toFixed(1)
    const said =
      /panicked at .*\n(.*)/.exec(stderr)?.[1] ?? /ERROR: .*/.exec(stderr)?.[0] ?? stderr.slice(-200)
    const input = /written to (.*)/.exec(stderr)?.[1]
    return status === 0 ? undefined : `${target}, ${seconds} s: ${said}\n        ${input}`
  })
}

/** @param {string[]} args */
function parse(args) {
  const targets = []
  const files = []
  let seconds = 60
  let mode
  for (let i = 0; i < args.length; i++) {
    const arg = args[i] ?? ''
    if (arg === '--seconds') seconds = Number(args[++i])
    else if (arg === '--minimize' || arg === '--mutations') mode = arg
    else if (TARGETS.includes(arg)) targets.push(arg)
    else if (existsSync(arg)) files.push(arg)
    else fail(`What is "${arg}"? The targets are ${TARGETS.join(', ')}.`)
  }
  if (!(seconds > 0)) fail('--seconds takes a number.')
  if (files.length > 0 && targets.length !== 1) fail('Say which target the inputs are for.')
  return { targets: targets.length > 0 ? targets : TARGETS, files, seconds, mode }
}
