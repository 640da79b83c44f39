// What the package does on Windows, as far as another system can show it: `node:fs` behaves as
// there for the call that is named.
import { createRequire } from 'node:module'
import { updateJSON, updateJSONSync } from 'process-rwlock/file'

const [file, form, code, failures] = process.argv.slice(2)
const fs = createRequire(import.meta.url)('node:fs')
Object.defineProperty(process, 'platform', { value: 'win32' })

let attempts = 0
/** @param {() => any} rename */
function renamed(rename) {
  if (attempts++ >= Number(failures)) return rename()
  throw Object.assign(new Error(`${code}: refused, rename`), { code, syscall: 'rename' })
}
const { renameSync } = fs
const { rename } = fs.promises
fs.renameSync = (from, to) => renamed(() => renameSync(from, to))
fs.promises.rename = async (from, to) => renamed(() => rename(from, to))

try {
  if (form === 'sync') updateJSONSync(file, () => 2)
  else await updateJSON(file, () => 2)
  process.send?.({ type: 'ended', attempts })
} catch (error) {
  process.send?.({ type: 'ended', attempts, code: error.code })
}
process.disconnect()
