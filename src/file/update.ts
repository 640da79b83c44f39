// One update: lock, read, change, replace, unlock.
import { constants, type Stats } from 'node:fs'
import { dirname } from 'node:path'
import { invalidValue } from '../errors.js'
import { throwIfAborted } from '../signals.js'
import * as disk from './disk.js'
import { openLock } from './lock.js'
import type { CheckedUpdate } from './options.js'
import { removeLeftovers, replaceFile } from './replace.js'
import { runAsync, runSync, type Steps, step } from './steps.js'
import { findTarget, type Target } from './target.js'

/** The content of a file before an update. */
export interface Before {
  path: string
  /** `null`: the file is missing. */
  bytes: Buffer | null
  /** The error to throw for a missing file. */
  missing: unknown
}

/** Gives the new content, or `null` if the file stays unchanged. */
export type Change = (before: Before) => Steps<Uint8Array | null>

/** The path led to another file when the lock was granted. */
const MOVED = Symbol()

/**
 * A lock that this makes need not report a dead writer after its last close (`durable`): a killed update leaves the old or the
 * new content.
 */
const OPEN_OPTIONS = { durable: false }

export async function update(file: string, change: Change, options: CheckedUpdate): Promise<void> {
  for (const left = timeLeft(options.timeout); ; ) {
    const target = findTarget(file)
    const lock = openLock(target, options.beside, OPEN_OPTIONS)
    try {
      const run = () => runAsync(updateLocked(file, target, change, options))
      if ((await lock.write(run, { ...options, timeout: left() })) !== MOVED) return
    } finally {
      lock.close()
    }
  }
}

export function updateSync(file: string, change: Change, options: CheckedUpdate): void {
  for (const left = timeLeft(options.timeout); ; ) {
    const target = findTarget(file)
    const lock = openLock(target, options.beside, OPEN_OPTIONS)
    try {
      const run = () => runSync(updateLocked(file, target, change, options))
      if (lock.writeSync(run, { ...options, timeout: left() }) !== MOVED) return
    } finally {
      lock.close()
    }
  }
}

/** One timeout for all the locks that an update waits for. */
function timeLeft(timeout: number | undefined): () => number | undefined {
  const deadline = performance.now() + (timeout ?? 0)
  return () => timeout && Math.max(0, deadline - performance.now())
}

function* updateLocked(
  file: string,
  locked: Target,
  change: Change,
  { mode, backup, signal }: CheckedUpdate,
): Steps<typeof MOVED | undefined> {
  // While the call waited, a link may have been changed; or the file was created, and its name is spelled otherwise.
  const { name, path } = findTarget(file)
  if (name !== locked.name) return MOVED

  yield* removeLeftovers(path)
  const { stats, missing } = yield* statIfPresent(path)
  if (stats !== null && !stats.isFile() && !stats.isDirectory()) {
    throw invalidValue('file', path, 'must be a regular file') // reading a pipe or a device may never end
  }
  const bytes = stats === null ? null : yield* disk.retryWhileShared(() => disk.readFile(path))
  // Before `change`, which may do more than to return a value. A rename needs no permission to write the file itself.
  if (stats !== null) yield* disk.access(path, constants.W_OK)
  yield* disk.access(dirname(path), constants.W_OK)

  if (signal !== undefined) throwIfAborted(signal)
  const after = yield* change({ path, bytes, missing })
  if (after === null || bytes?.equals(after)) return undefined
  if (backup && bytes !== null && bytes.length > 0) {
    yield* replaceFile(path, `${path}.bak`, bytes, stats, mode)
  }
  yield* replaceFile(path, path, after, stats, mode)
  return undefined
}

function* statIfPresent(path: string): Steps<{ stats: Stats | null; missing: unknown }> {
  try {
    return { stats: yield* disk.stat(path), missing: undefined }
  } catch (error) {
    if (disk.codeOf(error) !== 'ENOENT') throw error
    return { stats: null, missing: error }
  }
}

/** Calls the user's function, which must not be async in a synchronous update. */
export function call<A, R>(fn: (argument: A) => R | PromiseLike<R>, argument: A, method: string): Steps<R> {
  return step(
    () => {
      const result = fn(argument)
      if (typeof (result as { then?: unknown } | null | undefined)?.then === 'function') {
        throw invalidValue('fn', fn, `returned a promise, which is not waited for: use ${method}()`)
      }
      return result as R
    },
    () => fn(argument),
  )
}
