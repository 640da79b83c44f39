// Shows that checks can fail: in a copy of the crate, one ordering at a time is made weaker.
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { root } from './run.js'

/**
 * The `nth` SeqCst of the code after `place` becomes `weaker`, or as many as `times` from there on. `survives`: why no check
 * finds that.
 *
 * @typedef {{ file: string, place: string, weaker: string, nth?: number, times?: number, survives?: string }} Mutant
 */

/**
 * Fails if a mutant is not found that should be, or one is that should not.
 *
 * @param {Mutant[]} mutants
 * @param {(tree: URL) => Promise<string[]>} checks what is wrong with the copy of the repository in `tree`
 * @param {string} [part] of a mutant's name: only these
 */
export async function showMutants(mutants, checks, part = '') {
  const copy = new URL('target/mutants/', root)
  rmSync(copy, { recursive: true, force: true })
  mkdirSync(copy, { recursive: true })
  for (const name of ['Cargo.toml', 'Cargo.lock', 'README.md', 'crates']) {
    cpSync(new URL(name, root), new URL(name, copy), { recursive: true })
  }
  let wrong = 0
  for (const mutant of mutants.filter((mutant) => nameOf(mutant).includes(part))) {
    const file = new URL(`crates/rwlock/src/${mutant.file}`, copy)
    const text = readFileSync(file, 'utf8')
    writeFileSync(file, weakened(text, mutant))
    const found = await checks(copy)
    writeFileSync(file, text)
    const right = found.length > 0 === (mutant.survives === undefined)
    if (!right) wrong++
    const what = found.length > 0 ? found : [`not found: ${mutant.survives ?? 'why?'}`]
    console.log([`${right ? ' ' : '!'} ${nameOf(mutant)}`, ...what].join('\n      '))
  }
  rmSync(copy, { recursive: true, force: true })
  console.log(wrong === 0 ? 'All as expected.' : `${wrong} not as expected (!).`)
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
function weakened(text, { place, weaker, nth = 0, times = 1 }) {
  const start = text.indexOf(place.startsWith('fn ') ? `${place}(` : place)
  if (start < 0) throw new Error(`there is no ${place}`)
  let skip = nth
  let left = times
  const change = (/** @type {string} */ order) =>
    skip-- > 0 || left-- <= 0 ? order : `std::sync::atomic::Ordering::${weaker}`
  return text.slice(0, start) + text.slice(start).replace(/(?<!\/\/.*)\bSeqCst\b/g, change)
}
