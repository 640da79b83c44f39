// Names of locks on a volume that ignores case, which `lstat` plays: a name that is missing leads
// to one of another case.
import { createRequire } from 'node:module'
import { basename, dirname, join } from 'node:path'
import { forFile } from 'process-rwlock/file'

const [volume] = process.argv.slice(2)
const fs = createRequire(import.meta.url)('node:fs')

/** The path as its folders spell it. */
function spelled(path) {
  if (!path.startsWith(`${volume}/`)) return path
  const folder = spelled(dirname(path))
  const name = basename(path)
  const entry =
    fs.existsSync(folder) && fs.readdirSync(folder).find((is) => is.toLowerCase() === name.toLowerCase())
  return join(folder, entry || name)
}
const { lstatSync, realpathSync } = fs
fs.lstatSync = (path, options) => lstatSync(spelled(path), options)
// Like Linux, which returns the spelling that was asked for.
const { native } = realpathSync
fs.realpathSync.native = (path) => {
  native(spelled(path))
  return path
}

process.on('message', (/** @type {any} */ { id, args }) => {
  const value = args.files.map((file) => {
    const lock = forFile(file)
    lock.close()
    return /** @type {{ name: string }} */ (lock.toJSON()).name
  })
  process.send?.({ type: 'answer', id, value })
})
process.send?.({ type: 'ready' })
