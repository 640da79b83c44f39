import { basename, resolve } from 'node:path'
import { findTarget, type Target } from '../file/target.js'
import type { Checked } from './options.js'

/** What is locked. */
export interface Place {
  /** The path of the file, as proper-lockfile names it. */
  file: string
  /** The directory that proper-lockfile creates. */
  directory: string
  /** The lock. */
  target: Target
}

const SUFFIX = '.lock'

/** The lock of `file`. Synchronous: see `findTarget()`. @throws as `fs.realpathSync()` */
export function placeOf(file: string, { realpath, lockfilePath, fs }: Checked): Place {
  const path = realpath ? fs.realpathSync(file) : resolve(file)
  const directory = lockfilePath ?? `${path}${SUFFIX}`
  // The lock of the file of that name, so that `lockfilePath: '<file>.lock'` is the lock of <file>.
  const hasName = directory.endsWith(SUFFIX) && basename(directory) !== SUFFIX
  const locked = hasName ? directory.slice(0, -SUFFIX.length) : directory
  return { file: path, directory, target: findTarget(locked) }
}
