// The packages that the benchmarks need and the library does not. They are loaded from here, since here they are installed.
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
