// npm run loom -- --mutants: weakens one ordering at a time in a copy of the crate, and shows which checks find it. One that
// none finds must say here why that is right; if one does find it, that is wrong.
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { attempt, root } from './run.js'

/**
 * The first SeqCst after `place`, which occurs once in the file, becomes `weaker`.
 *
 * @typedef {{ file: string, place: string, weaker: string, nth?: number, survives?: string }} Mutant
 */

/** @type {Mutant[]} */
const MUTANTS = [
  // Reading: publish, then look.
  { file: 'attachment.rs', place: 'step!(read_publish)', weaker: 'AcqRel' },
  { file: 'attachment.rs', place: 'fn load_gate', weaker: 'Acquire' },
  { file: 'attachment.rs', place: 'fn load_gate', weaker: 'Relaxed' },
  { file: 'attachment.rs', place: 'step!(turn_read_publish)', weaker: 'AcqRel' },
  { file: 'attachment.rs', place: 'step!(retract_read)', weaker: 'AcqRel' },
  { file: 'attachment.rs', place: 'step!(release_read)', weaker: 'AcqRel' },
  { file: 'attachment.rs', place: 'step!(release_read)', weaker: 'Acquire' },
  { file: 'attachment.rs', place: 'step!(release_read)', weaker: 'Relaxed' },
  // Changing the mode.
  { file: 'attachment.rs', place: 'step!(end_read_in_place)', weaker: 'Relaxed' },
  { file: 'attachment.rs', place: 'step!(downgrade_publish)', weaker: 'Relaxed' },
  // Attaching and closing.
  { file: 'attachment.rs', place: 'step!(attach_look)', weaker: 'Relaxed' },
  { file: 'attachment.rs', place: 'step!(attach_reads)', weaker: 'Relaxed' },
  { file: 'attachment.rs', place: 'step!(attach_queued)', weaker: 'Relaxed' },
  { file: 'attachment.rs', place: 'step!(attach_wake)', weaker: 'Relaxed' },
  { file: 'attachment.rs', place: 'step!(attach_high_water)', weaker: 'AcqRel' },
  { file: 'attachment.rs', place: 'step!(tidy_high_water)', weaker: 'Relaxed' },
  // The gate, and the scans.
  { file: 'queue.rs', place: 'fn load_gate', weaker: 'Acquire' },
  { file: 'queue.rs', place: 'fn load_gate', weaker: 'Relaxed' },
  { file: 'queue.rs', place: 'fn swap_gate', weaker: 'AcqRel' },
  { file: 'queue.rs', place: 'fn swap_gate', weaker: 'Acquire' },
  { file: 'queue.rs', place: 'fn swap_gate', weaker: 'Release' },
  { file: 'queue.rs', place: 'fn swap_gate', nth: 1, weaker: 'Relaxed' },
  { file: 'queue.rs', place: 'step!(scan_bound)', weaker: 'Acquire' },
  { file: 'queue.rs', place: 'step!(scan_reads)', weaker: 'Acquire' },
  { file: 'queue.rs', place: 'step!(scan_reads)', weaker: 'Relaxed' },
  { file: 'queue.rs', place: 'step!(scan_queue)', weaker: 'Acquire' },
  { file: 'queue.rs', place: 'step!(scan_queue)', weaker: 'Relaxed' },
  // Waiting.
  { file: 'wait.rs', place: 'step!(take_ticket)', weaker: 'Relaxed' },
  { file: 'wait.rs', place: 'step!(publish_look)', weaker: 'Relaxed' },
  { file: 'wait.rs', place: 'step!(publish_back)', weaker: 'Release' },
  { file: 'wait.rs', place: 'step!(publish)', weaker: 'Release' },
  { file: 'wait.rs', place: 'step!(publish)', weaker: 'Relaxed' },
  { file: 'wait.rs', place: 'step!(leave_queue)', weaker: 'Release' },
  { file: 'park/mod.rs', place: 'step!(wake_mark)', weaker: 'Relaxed' },
  { file: 'park/mod.rs', place: 'step!(take_wake)', weaker: 'Relaxed' },
  // The dead, and those who do not come.
  { file: 'recovery.rs', place: 'step!(repair_look_queued)', weaker: 'Relaxed' },
  { file: 'recovery.rs', place: 'step!(repair_look_reads)', weaker: 'Relaxed' },
  { file: 'recovery.rs', place: 'step!(repair_queued)', weaker: 'AcqRel' },
  { file: 'recovery.rs', place: 'step!(repair_reads)', weaker: 'AcqRel' },
  { file: 'recovery.rs', place: 'step!(vigil_queued)', weaker: 'Relaxed' },
  { file: 'recovery.rs', place: 'step!(pass_queued)', weaker: 'AcqRel' },
  { file: 'recovery.rs', place: 'step!(pass_queued)', weaker: 'Relaxed' },
]

// Beside the sources, so that what cargo has built for the checks serves here too.
const COPY = 'target/loom-mutants/'

/**
 * @param {[string, string[], import('node:child_process').SpawnOptions]} checks the command that runs them
 * @param {string} [part] of a mutant's name: only these
 */
export async function mutants(checks, part = '') {
  const copy = new URL(COPY, root)
  rmSync(copy, { recursive: true, force: true })
  mkdirSync(copy, { recursive: true })
  for (const name of ['Cargo.toml', 'Cargo.lock', 'README.md', 'crates']) cpSync(new URL(name, root), new URL(name, copy), { recursive: true })
  let wrong = 0
  for (const mutant of MUTANTS.filter((mutant) => nameOf(mutant).includes(part))) {
    const file = new URL(`crates/rwlock/src/${mutant.file}`, copy)
    const text = readFileSync(file, 'utf8')
    writeFileSync(file, weakened(text, mutant))
    const failed = await failures(checks, copy)
    writeFileSync(file, text)
    const right = failed.length > 0 ? mutant.survives === undefined : mutant.survives !== undefined
    if (!right) wrong++
    console.log(`${right ? ' ' : '!'} ${nameOf(mutant)}\n      ${failed.join('\n      ') || `survives: ${mutant.survives ?? 'WHY?'}`}`)
  }
  rmSync(copy, { recursive: true, force: true })
  console.log(wrong === 0 ? 'Every ordering matters, or it is said why not.' : `${wrong} not as expected (!)`)
  process.exitCode = wrong === 0 ? 0 : 1
}

/** @param {Mutant} mutant */
function nameOf({ file, place, nth = 0, weaker }) {
  const label = /step!\((\w+)\)/.exec(place)?.[1] ?? place.replace('fn ', '')
  return `${file} ${label}${nth > 0 ? ' (failing)' : ''}: ${weaker}`
}

/**
 * @param {string} text
 * @param {Mutant} mutant
 */
function weakened(text, { place, weaker, nth = 0 }) {
  const start = text.indexOf(place.startsWith('fn ') ? `${place}(` : place)
  if (start < 0) throw new Error(`there is no ${place}`)
  let count = 0
  return text.slice(0, start) + text.slice(start).replace(/(?<!\/\/.*)\bSeqCst\b/g, (order) => (count++ === nth ? `std::sync::atomic::Ordering::${weaker}` : order))
}

/**
 * The checks that fail.
 *
 * @param {[string, string[], import('node:child_process').SpawnOptions]} checks
 * @param {URL} copy
 */
async function failures([command, args, options], copy) {
  let output = ''
  const end = await attempt(command, args, {
    ...options,
    cwd: copy,
    stdio: ['ignore', 'pipe', 'ignore'],
    env: { ...options.env, CARGO_TARGET_DIR: fileURLToPath(new URL('target/loom', root)) },
    onOutput: (chunk) => {
      output += chunk
    },
  })
  const failed = [...output.matchAll(/^test orderings::loom::(\w+) \.\.\. FAILED$/gm)].map(([, name]) => name)
  if (end.signal) throw new Error(`stopped by ${end.signal}`)
  if (!/^running \d\d+ tests$/m.test(output)) throw new Error('the mutant does not compile')
  // A check that ends the whole process is one, too.
  return end.code === 0 || failed.length > 0 ? failed : ['the process ended']
}
