// How the model is tried on a mutant.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { requireSpin } from '../../scripts/lib/setup.js'
import { run } from './search.js'

export const sources = { folder: 'verify/model', language: /** @type {const} */ ('promela') }
export const also = ['verify/model/rwlock.pml', 'verify/model/session.pml', 'verify/model/permits.pml']
export { requireSpin as setUp }

/**
 * The violation that the mutant's search finds in a copy of the model, if any.
 *
 * @param {string} copy
 * @param {import('../mutants/lists/model.js').ModelMutant} mutant
 */
export async function find(copy, mutant) {
  const text = readFileSync(join(copy, 'verify/model', mutant.model ?? 'rwlock.pml'), 'utf8')
  const { verdict, what, states, seconds } = await run({ ...mutant, text })
  if (verdict === 'ok') return undefined
  if (verdict !== 'violated') throw new Error(`${mutant.name}: ${verdict}: ${what}`)
  return `${what} (${states} states, ${seconds} s)`
}
