// Puts built files where programs load them. A file that is in use is not overwritten but replaced:
// overwriting an addon crashes the processes that have loaded it.
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'

/**
 * Replaces a file, unless it has the same content already.
 *
 * @param {string} source
 * @param {string} destination
 */
export function installFile(source, destination) {
  if (existsSync(destination) && readFileSync(source).equals(readFileSync(destination))) return
  mkdirSync(dirname(destination), { recursive: true })
  const temporary = `${destination}.${process.pid}`
  copyFileSync(source, temporary)
  renameSync(temporary, destination)
}

/**
 * Replaces the files of a folder, and removes those that the source does not have.
 *
 * @param {string} source
 * @param {string} destination
 */
export function installFolder(source, destination) {
  const files = new Set(filesOf(source))
  for (const file of files) installFile(join(source, file), join(destination, file))
  if (existsSync(destination)) {
    for (const file of filesOf(destination)) if (!files.has(file)) rmSync(join(destination, file))
  }
}

/** @param {string} folder */
function filesOf(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
}
