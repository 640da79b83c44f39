// npm run fuzz: hostile memory against the lock; verify/fuzz/src/lib.rs says what is tried and what is checked.
//
//   npm run fuzz -- open                one target: open, named or running; without one, each of them
//   npm run fuzz -- --seconds 600       how long for each; 60 unless said
//   npm run fuzz -- open <file>…        only these inputs, such as one that failed
//   npm run fuzz -- --minimize          makes the corpus the smallest that covers as much
//   npm run fuzz -- --mutants [part of a name]    breaks a copy of the lock in one way at a time: each must be found
//
// It begins with the corpus and the regressions. What it finds is kept in .cache/fuzz.
import { cpSync, existsSync, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { run } from '../../scripts/lib/run.js'
import { fail, say } from '../../scripts/lib/setup.js'
import { mutants } from '../mutants/lists/fuzz.js'
import { takeMutants, tryOnCopy } from '../mutants/run.js'
import { also, build, command, ENVIRONMENT, find, here, kept, setUp, TARGETS } from './check.js'

/** Inputs of a target that the repository keeps: the longest, which cover most each. The others cover what depends on timing. */
const INPUTS = 98

const args = process.argv.slice(2)
const part = takeMutants(args)
const { targets, files, seconds, minimizes } = parse(args)

await setUp()
if (part !== undefined) {
  const wanted = mutants.filter(({ target }) => targets.includes(target))
  await tryOnCopy({ check: 'fuzz', mutants: wanted, part, also, find })
} else {
  await build(here, targets)
  for (const target of targets) {
    if (minimizes) await minimize(target)
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
