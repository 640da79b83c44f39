// Loads an installed copy of the package as if on other systems, and prints what became of it: load.js DIRECTORY SYSTEMS
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

const [directory = '', systems = ''] = process.argv.slice(2)
const { readFileSync } = fs

const outcomes = []
for (const [index, { platform, arch, maps }] of JSON.parse(systems).entries()) {
  if (platform) Object.defineProperty(process, 'platform', { value: platform })
  if (arch) Object.defineProperty(process, 'arch', { value: arch })
  fs.readFileSync = /** @type {any} */ (
    (file, options) => (maps && file === '/proc/self/maps' ? maps : readFileSync(file, options))
  )
  syncBuiltinESMExports()
  outcomes.push(
    await import(`${pathToFileURL(join(directory, 'dist/binding.js'))}?${index}`).then(
      () => ({ loaded: true }),
      (error) => ({ name: error.name, code: error.code, message: error.message, cause: error.cause?.code }),
    ),
  )
}
console.log(JSON.stringify(outcomes))
