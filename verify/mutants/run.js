// Shows that a check can fail: breaks a copy of the lock in one way at a time, and has the check tried on it.
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { endLike, root, SIGNALS } from '../../scripts/lib/run.js'
import { fail, say } from '../../scripts/lib/setup.js'

/**
 * One way to break the lock, in a file of crates/rwlock/src.
 *
 * @typedef {object} Mutant
 * @property {string} name
 * @property {string} [breaks] which rule, where the name does not say it
 * @property {string} file
 * @property {Change[]} change
 * @property {string} [survives] why the check is right not to find it
 *
 * What stands just once in the mutant's file, or in another, becomes something else; or as a function makes it.
 * @typedef {[from: string, to: string, file?: string] | ((text: string) => string)} Change
 */

/**
 * Takes `--mutants [part of a name]` out of the arguments.
 *
 * @param {string[]} args
 * @returns {string | undefined} the part; '' stands for all mutants, undefined for none
 */
export function takeMutants(args) {
  const place = args.indexOf('--mutants')
  if (place < 0) return undefined
  const [, part = ''] = args.splice(place, args[place + 1]?.startsWith('--') ? 1 : 2)
  return part
}

/**
 * Tries a check on each mutant whose name has `part` in it, prints what became of them, and sets the exit code: it is zero
 * if the check finds all that it should, and nothing else.
 *
 * @template {Mutant} T
 * @param {object} options
 * @param {string} options.check its name
 * @param {T[]} options.mutants
 * @param {string} options.part
 * @param {string[]} [options.also] what of the repository the check needs beside the crates
 * @param {(copy: string, mutant: T) => Promise<string | undefined>} options.find what is wrong with the copy, if anything; it
 *   throws if the copy cannot be built
 * @param {(copy: string) => Promise<string | undefined>} [options.untouched] the same for the lock as it is, where that is cheap
 */
export async function showMutants({ check, mutants, part, also = [], find, untouched }) {
  const wanted = mutants.filter(({ name }) => name.includes(part))
  if (wanted.length === 0) fail(`No mutant has "${part}" in its name.`)
  const copy = fileURLToPath(new URL(`target/mutants/${check}`, root))
  const remove = () => rmSync(copy, { recursive: true, force: true })
  const interruption = interrupted()
  remove()
  process.once('exit', remove)
  for (const each of ['Cargo.toml', 'Cargo.lock', 'crates', ...also]) {
    mkdirSync(dirname(join(copy, each)), { recursive: true })
    cpSync(fileURLToPath(new URL(each, root)), join(copy, each), { recursive: true })
  }
  // First whether all of them can be made, since the sources change.
  for (const mutant of mutants) apply(copy, mutant)()

  const counts = { caught: 0, survive: 0, wrong: 0 }
  try {
    if (untouched) {
      const found = await untouched(copy)
      interruption.check()
      if (found !== undefined) fail(`The check fails on the lock as it is: ${found}`)
    }
    for (const mutant of wanted) {
      const undo = apply(copy, mutant)
      const found = await find(copy, mutant)
      interruption.check()
      undo()
      counts[tell(mutant, found)]++
    }
  } catch (error) {
    if (!interruption.signal) throw error
    remove()
    interruption.forget()
    await endLike({ code: null, signal: interruption.signal })
  }
  remove()
  interruption.forget()
  const { caught, survive, wrong } = counts
  console.log(`${caught} caught, ${survive} survive as they should, ${wrong} not as expected`)
  process.exitCode = wrong > 0 ? 1 : 0
}

/**
 * @param {Mutant} mutant
 * @param {string} [found]
 */
function tell({ name, breaks, survives }, found) {
  const title = breaks ? `${name} (${breaks})` : name
  if (found !== undefined && survives === undefined) {
    console.log(`caught    ${title}: by ${found}`)
    return 'caught'
  }
  if (found === undefined && survives !== undefined) {
    console.log(`survives  ${title}: ${survives}`)
    return 'survive'
  }
  console.log(
    found === undefined ? `SURVIVES  ${title}` : `CAUGHT    ${title}: by ${found}, but: ${survives}`,
  )
  return 'wrong'
}

/**
 * @param {string} copy
 * @param {Mutant} mutant
 * @returns {() => void} what takes it back
 */
function apply(copy, mutant) {
  /** @type {Map<string, string>} */
  const before = new Map()
  for (const change of mutant.change) {
    const name = (typeof change !== 'function' && change[2]) || mutant.file
    const file = join(copy, 'crates/rwlock/src', name)
    const text = readFileSync(file, 'utf8')
    if (!before.has(file)) before.set(file, text)
    writeFileSync(file, typeof change === 'function' ? change(text) : replaceOnce(text, change))
  }
  return () => {
    for (const [file, text] of before) writeFileSync(file, text)
  }
}

/**
 * @param {string} text
 * @param {readonly [from: string, to: string, file?: string]} change
 */
export function replaceOnce(text, [from, to]) {
  if (text.split(from).length !== 2) throw new Error(`not there exactly once: ${from}`)
  return text.replace(from, () => to)
}

/** A signal is kept until the check that it meets has ended. */
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
