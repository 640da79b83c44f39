// A folder for the files of the locks. It is removed when the benchmark exits.
import { accessSync, constants, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

// In memory, so that the disk does not affect the figures.
const base = isWritable('/dev/shm') ? '/dev/shm' : tmpdir()
const folder = mkdtempSync(join(base, 'process-rwlock-bench-'))
process.once('exit', () => rmSync(folder, { recursive: true, force: true }))

let count = 0

/** An unused path. */
export function fresh() {
  return join(folder, String(count++))
}

/** @param {string} path */
function isWritable(path) {
  try {
    accessSync(path, constants.W_OK)
    return true
  } catch {
    return false
  }
}
