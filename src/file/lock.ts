import { invalidType } from '../errors.js'
import { KeptOpen, type OpenLock } from '../kept-open.js'
import { checkObject } from '../options.js'
import { RWLock } from '../rwlock.js'
import type { RWLockOptions } from '../types.js'
import { checkFile, findTarget, type Target } from './target.js'

/** How to open the lock of a file. */
export interface ForFileOptions extends RWLockOptions {
  /**
   * `true`: the lock is the file `<file>.lock` in the same folder, which other users and containers
   * can share. `false`, the default: it is in shared memory, for the processes of this user, and
   * leaves no file.
   */
  beside?: boolean | undefined
}

/**
 * Opens the lock of a file: the same lock for every path that leads to the file, through symbolic
 * links, `..` or another spelling on a volume that ignores case. The file need not exist; its
 * folder must.
 *
 * The lock protects the file only from programs that use it. `updateJSON()` and `updateFile()` do.
 *
 * ```ts
 * await forFile('events.log').write(() => rotate('events.log'))
 * ```
 *
 * The names of a file that has several hard links are different files to it, because a replacement
 * separates them.
 *
 * @throws the error of `fs.realpathSync()`, such as `ENOENT` if the folder is missing; like
 * `new RWLock()`.
 */
export function forFile(file: string | URL, options?: ForFileOptions): RWLock {
  checkObject('options', options)
  const { beside, ...rest } = options ?? {}
  checkBeside(beside)
  return openLock(findTarget(checkFile(file)), beside, rest)
}

function openLock(target: Target, beside: boolean | undefined, options?: RWLockOptions): RWLock {
  return new RWLock(beside ? { path: `${target.path}.lock` } : target.name, options)
}

/** A killed update leaves the old or the new content, so no later process needs to know of it. */
const UPDATE_OPTIONS: RWLockOptions = { durable: false }

const openLocks = new KeptOpen()

/** Opens the lock of a file for an update, which must call `done` afterwards. */
export function borrowLock(target: Target, beside: boolean): OpenLock {
  if (beside) {
    // Closed immediately: an open file would keep the folder from being removed on Windows.
    const lock = openLock(target, beside, UPDATE_OPTIONS)
    return { lock, done: () => lock.close() }
  }
  return openLocks.use(target.name, () => openLock(target, false, UPDATE_OPTIONS))
}

export function checkBeside(beside: unknown): void {
  if (beside !== undefined && typeof beside !== 'boolean')
    throw invalidType('options.beside', 'a boolean', beside)
}
