// Compiles the crate for several processors, and compares the atomic instructions of its fast paths with the expected ones.
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { attempt, root } from '../../scripts/lib/run.js'
import { targetOf } from '../mutants/run.js'

/** @typedef {{ target: string, flags: string, kinds: [string, RegExp][], functions: Record<string, string> }} Machine */

// What counts of an instruction is what it does, and that it does so in order: a weaker one has another name.
/** @type {[string, RegExp][]} */
const ARM64 = [
  ['swap', /\b(swpal|__aarch64_swp8_acq_rel)\b/],
  ['cas', /\b(casal|__aarch64_cas8_acq_rel)\b/],
  ['or', /\b(ldsetal|__aarch64_ldset[48]_acq_rel)\b/],
  ['clear', /\b(ldclral|__aarch64_ldclr[48]_acq_rel)\b/],
  ['max', /\b(ldumaxal|casal|__aarch64_cas4_acq_rel)\b/],
  ['load', /\bldar\b/],
  ['store', /\bstlr\b/],
  [
    'WEAK',
    /\b(ldapr|swpa?l?|casa?l?|ldseta?l?|ldclra?l?|ldaxr|ldxr|__aarch64_(swp|cas|ldset|ldclr)\d_\w+)\b/,
  ],
]

// Loads and stores are in order but for a store and a later load; between those stands one that is locked, as XCHG always is.
/** @type {[string, RegExp][]} */
const X64 = [
  ['swap', /\bxchgq\t.*\(|\bxchgl\t.*\(/],
  ['cas', /\block\b.*cmpxchgq|cmpxchgq\t/],
  ['or', /\block\b.*\borq\t/],
]

/** @type {Record<string, string>} */
const ON_ARM64 = {
  // Publish, then check.
  read_now: 'load swap load',
  read_in_turn: 'load swap load',
  retract_read: 'swap load',
  release_read: 'swap load',
  // Take the gate, then check the readers.
  load_gate: 'load',
  swap_gate: 'cas',
  claim_gate: 'load cas',
  used_slots: 'load',
  find_other_reader: 'load load load',
  // Register, then check again.
  register_reader: 'or',
  register_reader_while: 'or load cas',
  prune_idle_readers: '(?=.*clear)(load.*){3}', // in whatever order its branches come
  // Wakes.
  wake: 'or',
  take_wake: 'clear',
  // Mute the doorbell, then check; mark, then check the doorbell.
  mute: 'store',
  ring: 'load',
  // Joining the queue and leaving it.
  publish_head: '(?=.*cas)(?=.*load)(.*store){3}.*', // here too
}

/** @type {Record<string, string>} */
const ON_X64 = {
  read_now: 'swap',
  read_in_turn: 'swap',
  retract_read: 'swap',
  release_read: 'swap',
  swap_gate: 'cas',
  mute: 'swap',
  register_reader: 'or',
  register_reader_while: 'or cas',
  publish_head: '(?=.*cas)(.*swap){3}.*',
}

/** @type {Machine[]} */
export const MACHINES = [
  { target: 'aarch64-unknown-linux-gnu', flags: '', kinds: ARM64, functions: ON_ARM64 },
  {
    target: 'aarch64-unknown-linux-gnu',
    flags: '-Ctarget-feature=+lse,+rcpc',
    kinds: ARM64,
    functions: ON_ARM64,
  },
  { target: 'x86_64-unknown-linux-gnu', flags: '', kinds: X64, functions: ON_X64 },
]

/** What is wrong in a copy of the lock, if anything. The first machine has no weaker load to choose. @param {string} copy */
export async function find(copy) {
  return (await faults(copy, MACHINES.slice(1))).join(', ') || undefined
}

export { find as untouched }

/**
 * The functions of the crate in `tree` whose instructions are not what they should be.
 *
 * @param {URL | string} tree
 * @param {Machine[]} machines
 * @param {(line: string) => void} [show]
 */
export async function faults(tree, machines, show = () => {}) {
  const found = []
  for (const machine of machines) {
    const title = `${machine.target} ${machine.flags}`.trim()
    const listing = functionsOf(await compiled(tree, machine))
    for (const [name, expected] of Object.entries(machine.functions)) {
      // One name may stand for two functions, and a function that is not there at all is a fault.
      const bodies = [...listing].filter(([symbol]) =>
        new RegExp(`process_rwlock.*\\D${name.length}${name}(B\\w*_)?$`).test(symbol),
      )
      if (bodies.length === 0) found.push(`${title}: there is no ${name}`)
      for (const [, body] of bodies) {
        const events = eventsOf(body, machine.kinds, listing).join(' ')
        show(`${title}: ${name}: ${events}`)
        if (!new RegExp(`^(${expected})\\b`).test(events) || events.includes('WEAK')) {
          found.push(`${title}: ${name} should be "${expected}" and is "${events}"`)
        }
      }
    }
  }
  return found
}

/**
 * @param {URL | string} tree
 * @param {Machine} machine
 */
async function compiled(tree, { target, flags }) {
  const directory =
    tree === root ? fileURLToPath(new URL('target/machine-code', root)) : targetOf('machine-code')
  mkdirSync(directory, { recursive: true })
  const listing = join(directory, 'listing.s')
  const args = [target, 'rustc', '--quiet', '--package', 'process-rwlock', '--lib', '--']
  // As dead code every function exists under its own name, even if all its callers inline it.
  args.push('--emit', `asm=${listing}`, '-Clink-dead-code=yes', '-Csymbol-mangling-version=v0')
  const env = {
    ...process.env,
    RUSTFLAGS: flags,
    CARGO_TARGET_DIR: directory,
    CARGO_PROFILE_RELEASE_LTO: 'off',
  }
  const end = await attempt(fileURLToPath(new URL('scripts/cross/cargo.sh', root)), args, { cwd: tree, env })
  if (end.code !== 0) throw new Error(`${target} cannot be compiled for`)
  return readFileSync(listing, 'utf8')
}

/** @param {string} assembly */
function functionsOf(assembly) {
  return new Map(
    [...assembly.matchAll(/^(_R\w+):\n([\s\S]*?)\.cfi_endproc$/gm)].map(([, symbol, body]) => [symbol, body]),
  )
}

/**
 * What a function does to shared memory, in the order of its code; what it calls for that is taken in.
 *
 * @param {string} body
 * @param {[string, RegExp][]} kinds
 * @param {Map<string, string>} listing
 * @returns {string[]}
 */
function eventsOf(body, kinds, listing) {
  return body.split('\n').flatMap((line) => {
    const called =
      /\t(?:bl?|callq?|jmp)\t\*?(_R\w*\d(?:load_gate|swap_gate|used_slots|high_water|registered|reads|register_reader)(?:B\w*_)?)\b/.exec(
        line,
      )?.[1]
    if (called) return eventsOf(listing.get(called) ?? '', kinds, listing)
    const kind = kinds.find(([, instruction]) => instruction.test(line))
    return kind ? [kind[0]] : []
  })
}
