// npm run fuzz: hostile memory against the lock; verify/fuzz/src/lib.rs says what is tried and what is checked. It begins with
// the corpus and the regressions. What it finds is kept in .cache/fuzz.
import { cpSync, existsSync, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { readArguments, usageError } from '../../scripts/lib/arguments.js'
import { run } from '../../scripts/lib/run.js'
import { say } from '../../scripts/lib/setup.js'
import { mutants } from '../mutants/lists/fuzz.js'
import { tryOnCopy } from '../mutants/run.js'
import { also, build, command, ENVIRONMENT, find, here, kept, setUp, TARGETS } from './check.js'

const HELP = `
npm run fuzz -- [open] [named] [running]   these targets; all three by default
                --seconds 600              how long each runs; 60 by default
                --minimize                 reduces the corpus to the smallest that covers as much
npm run fuzz -- open FILE…                 only these inputs, such as one that failed
npm run fuzz -- [TARGET] --mutants [PART]  breaks a copy of the lock in one way at a time (whose name contains PART): a
                                           fuzzer must find each
`

/** Inputs of a target that the repository keeps: the longest, which cover most each. The others cover what depends on timing. */
const INPUTS = 98

const { values, positionals } = readArguments(
  HELP,
  {
    seconds: { type: 'string', default: '60' },
    minimize: { type: 'boolean' },
    mutants: { type: 'boolean' },
  },
  { positionals: true },
)
const named = positionals.filter((word) => TARGETS.includes(word))
const targets = named.length > 0 ? named : TARGETS
const words = positionals.filter((word) => !TARGETS.includes(word))
const files = values.mutants ? [] : words
const seconds = Number(values.seconds)
const missing = files.find((file) => !existsSync(file))
if (missing !== undefined)
  usageError(`"${missing}" is neither a target (${TARGETS.join(', ')}) nor a file.`, HELP)
if (files.length > 0 && targets.length > 1) usageError('Inputs are for one target: name it.', HELP)
if (!(seconds > 0)) usageError('--seconds takes a number.', HELP)

await setUp()
if (values.mutants) {
  const wanted = mutants.filter(({ target }) => targets.includes(target))
  await tryOnCopy({ check: 'fuzz', mutants: wanted, part: words[0], also, find })
} else {
  await build(here, targets)
  for (const target of targets) {
    if (values.minimize) await minimize(target)
    else if (files.length > 0) await execute(target, files)
    else await search(target)
  }
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
