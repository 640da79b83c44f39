// One update: lock, read, change, replace, unlock.
import * as fs from 'node:fs'
import { dirname } from 'node:path'
import { throwIfAborted } from '../abort.js'
import { invalidValue } from '../errors.js'
import * as disk from './disk.js'
import { borrowLock } from './lock.js'
import type { CheckedUpdate } from './options.js'
import { removeLeftovers, replaceFile } from './replace.js'
import { runAsync, runSync, type Steps, step } from './steps.js'
import { absolute, findTarget, type Target } from './target.js'

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

export async function update(given: string, change: Change, options: CheckedUpdate): Promise<void> {
  const file = absolute(given)
  const left = timeLeft(options.timeout)
  for (;;) {
    const target = findTarget(file)
    const { lock, done } = borrowLock(target, options.beside)
    try {
      const run = () => runAsync(updateLocked(file, target, change, options))
      if ((await lock.write(run, { ...options, timeout: left() })) !== MOVED) return
    } finally {
      done()
    }
  }
}

export function updateSync(given: string, change: Change, options: CheckedUpdate): void {
  const file = absolute(given)
  const left = timeLeft(options.timeout)
  for (;;) {
    const target = findTarget(file)
    const { lock, done } = borrowLock(target, options.beside)
    try {
      const run = () => runSync(updateLocked(file, target, change, options))
      if (lock.writeSync(run, { ...options, timeout: left() }) !== MOVED) return
    } finally {
      done()
    }
  }
}

/** The rest of a timeout that covers every lock for which one update waits. */
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
  // During the wait, a link may have been changed, or the file may have been created with another
  // spelling.
  const { name, path } = findTarget(file)
  if (name !== locked.name) return MOVED

  yield* removeLeftovers(path)
  const { stats, missing } = statIfPresent(path)
  if (stats !== null && !stats.isFile() && !stats.isDirectory()) {
    throw invalidValue('file', path, 'must be a regular file') // reading a pipe or a device may never end
  }
  const bytes =
    stats === null ? null : yield* disk.retryWhileShared(() => disk.readFileOfSize(path, stats.size))
  // Before `change`, which may have side effects. A rename would not need permission to write the
  // file.
  if (stats !== null) fs.accessSync(path, fs.constants.W_OK)
  fs.accessSync(dirname(path), fs.constants.W_OK)

  if (signal !== undefined) throwIfAborted(signal)
  const after = yield* change({ path, bytes, missing })
  if (after === null || bytes?.equals(after)) return undefined
  if (backup && bytes !== null && bytes.length > 0) {
    yield* replaceFile(path, `${path}.bak`, bytes, stats, mode)
  }
  yield* replaceFile(path, path, after, stats, mode)
  return undefined
}

function statIfPresent(path: string): { stats: fs.Stats | null; missing: unknown } {
  try {
    return { stats: fs.statSync(path), missing: undefined }
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
