// Loads an installed copy of the package as if on other systems, and prints the outcomes:
//   loads-as-other-system.js DIRECTORY SYSTEMS
import fs from 'node:fs'
import { createRequire } from 'node:module'
import { join, sep } from 'node:path'

const [directory = '', systems = ''] = process.argv.slice(2)
const { readFileSync } = fs
const { execPath } = process
const { getReport } = process.report
const require = createRequire(import.meta.url)

/**
 * @typedef {object} System
 * @property {string} [platform]
 * @property {string} [arch]
 * @property {string | null} [maps] what is mapped into the process; null if that cannot be read
 * @property {string} [program] the file of the running program
 * @property {object | null} [report] what `process.report` says; null if nothing
 */

const outcomes = []
for (const { platform, arch, maps, program, report } of /** @type {System[]} */ (JSON.parse(systems))) {
  if (platform) Object.defineProperty(process, 'platform', { value: platform })
  if (arch) Object.defineProperty(process, 'arch', { value: arch })
  process.execPath = program ?? execPath
  process.report.getReport = report === undefined ? getReport : () => report ?? refuse('no report')
  fs.readFileSync = /** @type {any} */ (
    (file, options) =>
      maps !== undefined && file === '/proc/self/maps' ? (maps ?? refuse(file)) : readFileSync(file, options)
  )
  outcomes.push(load())
}
console.log(JSON.stringify(outcomes))

function load() {
  const dist = join(directory, 'dist')
  for (const file of Object.keys(require.cache)) {
    if (file.startsWith(dist + sep)) delete require.cache[file]
  }
  try {
    require(join(dist, 'shared-memory', 'binding.js'))
    return { loaded: true }
  } catch ({ name, code, message, cause }) {
    return { name, code, message, cause: cause?.code }
  }
}

/** @param {string} what @returns {never} */
function refuse(what) {
  throw Object.assign(new Error(what), { code: 'EACCES' })
}
