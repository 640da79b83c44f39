// Breaks a copy of the lock on purpose, one place at a time, to show that a check can fail.
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { root } from './run.js'
import { fail } from './setup.js'

/**
 * One break: `from`, which stands just once in a file of crates/rwlock/src, becomes `to`.
 *
 * @typedef {{ name: string, file: string, from: string, to: string }} Mutation
 */

/**
 * Copies `parts` of the repository to `copy`, and has `isFound` tried on it with each mutation. Prints what became of them;
 * the process fails if one was missed.
 *
 * @template {Mutation} T
 * @param {string} copy
 * @param {string[]} parts
 * @param {T[]} mutations
 * @param {(mutation: T) => Promise<string | undefined>} isFound what was seen, if anything was
 */
export async function mutate(copy, parts, mutations, isFound) {
  for (const part of parts) {
    rmSync(join(copy, part), { recursive: true, force: true })
    cpSync(fileURLToPath(new URL(part, root)), join(copy, part), { recursive: true })
  }
  for (const mutation of mutations) {
    const { name, file, from, to } = mutation
    const source = join(copy, 'crates/rwlock/src', file)
    const text = readFileSync(source, 'utf8')
    if (text.split(from).length !== 2) fail(`"${name}": ${file} does not say this just once: ${from}`)
    writeFileSync(
      source,
      text.replace(from, () => to),
    )
    const found = await isFound(mutation)
    console.log(found === undefined ? `MISSED  ${name}` : `found   ${name}: ${found}`)
    if (found === undefined) process.exitCode = 1
    writeFileSync(source, text)
  }
}
