// Loads packages that only the benchmarks need. They are installed in this folder.
import { readFileSync } from 'node:fs'

/** @param {string} name @returns {Promise<any>} */
export async function load(name) {
  const module = await import(name)
  return module.default ?? module
}

/** @type {Record<string, string>} */
export const versions = JSON.parse(
  readFileSync(new URL('package.json', import.meta.url), 'utf8'),
).dependencies
