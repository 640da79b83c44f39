// A folder for the locks' files, gone when the benchmark is.
import { accessSync, constants, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

// In memory, so that no disk is measured.
const base = isWritable('/dev/shm') ? '/dev/shm' : tmpdir()
const folder = mkdtempSync(join(base, 'process-rwlock-bench-'))
process.once('exit', () => rmSync(folder, { recursive: true, force: true }))

let count = 0

/** A path where nothing is yet. */
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
