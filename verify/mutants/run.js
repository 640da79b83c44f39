// Shows that a check can fail: tries it on one mutant after the other.
import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { endLike, root, SIGNALS } from '../../scripts/lib/run.js'
import { fail, say } from '../../scripts/lib/setup.js'
import { mutate } from './mutate.js'
import { Tree } from './tree.js'

/**
 * What every mutant has.
 *
 * @typedef {object} Named
 * @property {string} name
 * @property {string} [breaks] the rule that it breaks, where the name does not say it
 * @property {string} [survives] why the check is right not to find it
 *
 * @typedef {import('./mutate.js').Mutant} Mutant
 */

/** The sources of the lock, which most mutants change. */
export const LOCK = { folder: 'crates/rwlock/src', language: /** @type {const} */ ('rust') }

/**
 * Where cargo builds a copy of the lock. Never where it builds the lock itself: cargo takes a crate at the same path of another
 * workspace for the same, and would run the mutant.
 *
 * @param {string} check
 */
export function targetOf(check) {
  return fileURLToPath(new URL(`target/mutants/${check}-target`, root))
}

/**
 * Tries a check on each mutant whose name has `part` in it, prints the results, and sets the exit code: zero if the check
 * finds all mutants that it should, and no other.
 *
 * @template {Named} T
 * @param {object} options
 * @param {T[]} options.mutants
 * @param {string} [options.part]
 * @param {(mutant: T) => Promise<string | undefined>} options.find the fault that the check finds, if any; it throws if the
 *   check cannot be run
 * @param {() => Promise<string | undefined>} [options.untouched] the same without a mutant, where that is cheap
 */
export async function tryMutants({ mutants, part = '', find, untouched }) {
  const wanted = mutants.filter(({ name }) => name.includes(part))
  if (wanted.length === 0) fail(`No mutant has "${part}" in its name.`)
  const interruption = interrupted()
  const counts = { caught: 0, survives: 0, wrong: 0 }
  try {
    const found = await untouched?.()
    interruption.check()
    if (found !== undefined) fail(`The check fails without a mutant: ${found}`)
    for (const mutant of wanted) {
      const found = await find(mutant)
      interruption.check()
      counts[report(mutant, found)]++
    }
  } catch (error) {
    if (!interruption.signal) throw error
    interruption.forget()
    await endLike({ code: null, signal: interruption.signal })
  }
  interruption.forget()
  const { caught, survives, wrong } = counts
  console.log(`${caught} caught, ${survives} survive as expected, ${wrong} not as expected`)
  process.exitCode = wrong > 0 ? 1 : 0
}

/**
 * The same on a copy of the lock, in `target/mutants`.
 *
 * @template {Mutant} T
 * @param {object} options
 * @param {string} options.check its name
 * @param {T[]} options.mutants
 * @param {string} [options.part]
 * @param {{ folder: string, language: import('./lexer.js').Language }} [options.sources] what the mutants change
 * @param {string[]} [options.also] what the check needs of the repository besides the crates
 * @param {(copy: string, mutant: T) => Promise<string | undefined>} options.find
 * @param {(copy: string) => Promise<string | undefined>} [options.untouched]
 */
export async function tryOnCopy({ check, mutants, part, sources = LOCK, also = [], find, untouched }) {
  const copy = fileURLToPath(new URL(`target/mutants/${check}`, root))
  const remove = () => rmSync(copy, { recursive: true, force: true })
  const tree = Tree.read(fileURLToPath(new URL(sources.folder, root)), sources.language)
  // First all of them, because the sources change.
  const texts = new Map(mutants.map((mutant) => [mutant, mutate(tree, mutant)]))
  remove()
  process.once('exit', remove)
  for (const each of ['Cargo.toml', 'Cargo.lock', 'crates', 'verify/loom', 'verify/crash', ...also]) {
    mkdirSync(dirname(join(copy, each)), { recursive: true })
    cpSync(fileURLToPath(new URL(each, root)), join(copy, each), { recursive: true })
  }
  const write = (/** @type {string} */ file, /** @type {string} */ text) =>
    writeFileSync(join(copy, sources.folder, file), text)
  await tryMutants({
    mutants,
    part,
    untouched: untouched && (() => untouched(copy)),
    find: async (mutant) => {
      const changed = texts.get(mutant) ?? new Map()
      for (const [file, text] of changed) write(file, text)
      const found = await find(copy, mutant)
      for (const file of changed.keys()) write(file, tree.sources.get(file)?.text ?? '')
      return found
    },
  })
  remove()
}

/**
 * @param {Named} mutant
 * @param {string} [found]
 * @returns {'caught' | 'survives' | 'wrong'}
 */
function report({ name, breaks, survives }, found) {
  const title = breaks ? `${name} (${breaks})` : name
  if (found !== undefined && survives === undefined) {
    console.log(`caught    ${title}: by ${found}`)
    return 'caught'
  }
  if (found === undefined && survives !== undefined) {
    console.log(`survives  ${title}: ${survives}`)
    return 'survives'
  }
  console.log(
    found === undefined ? `SURVIVES  ${title}` : `CAUGHT    ${title}: by ${found}, but: ${survives}`,
  )
  return 'wrong'
}

/** A signal takes effect when the check that runs has ended. */
function interrupted() {
  const state = {
    /** @type {NodeJS.Signals | undefined} */
    signal: undefined,
    check() {
      if (state.signal) throw new Error(`stopped by ${state.signal}`)
    },
    forget() {
      for (const signal of SIGNALS) process.off(signal, keep)
    },
  }
  const keep = (/** @type {NodeJS.Signals} */ signal) => {
    state.signal ??= signal
    say(`${signal}: stopping`)
  }
  for (const signal of SIGNALS) process.on(signal, keep)
  return state
}
