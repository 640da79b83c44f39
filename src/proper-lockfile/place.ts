import { basename, resolve } from 'node:path'
import { findTarget, type Target } from '../file/target.js'
import type { Checked } from './options.js'

/** What is locked, as proper-lockfile names it. */
export interface Place {
  /** The path of the file. */
  file: string
  /** The directory that proper-lockfile creates. */
  directory: string
}

const SUFFIX = '.lock'

/** What is locked for `file`. Synchronous: see `findTarget()`. @throws as `fs.realpathSync()` */
export function placeOf(file: string, { realpath, lockfilePath, fs }: Checked): Place {
  const path = realpath ? fs.realpathSync(file) : resolve(file)
  return { file: path, directory: lockfilePath ?? `${path}${SUFFIX}` }
}

/** The lock of a place. @throws `ENOENT` if the folder of the directory does not exist */
export function targetOf({ directory }: Place): Target {
  // The lock of the file of that name, so that `lockfilePath: '<file>.lock'` is the lock of <file>.
  const hasName = directory.endsWith(SUFFIX) && basename(directory) !== SUFFIX
  return findTarget(hasName ? directory.slice(0, -SUFFIX.length) : directory)
}
