// The calls of `node:fs` that can take long, as steps. Calls for metadata and for small content are
// synchronous in both forms: they take microseconds, a detour through libuv's thread pool takes ten
// times as long, and the lock is held meanwhile.
import * as fs from 'node:fs'
import { setTimeout } from 'node:timers' // not the global one, which a test may replace
import { promisify } from 'node:util'
import { both, type Steps } from './steps.js'

const promises = fs.promises

export const readFile: (path: string) => Steps<Buffer> = both(
  (path: string) => fs.readFileSync(path),
  (path: string) => promises.readFile(path),
)
export const readdir: (path: string) => Steps<string[]> = both(
  (path: string) => fs.readdirSync(path),
  (path: string) => promises.readdir(path),
)
export const rename: (from: string, to: string) => Steps<void> = both(
  (from: string, to: string) => fs.renameSync(from, to),
  (from: string, to: string) => promises.rename(from, to),
)

// With file descriptors, because `FileHandle` has no synchronous form.
export const create: (path: string, mode: number) => Steps<number> = both(
  (path: string, mode: number) => fs.openSync(path, 'wx', mode),
  (path: string, mode: number) => openFile(path, 'wx', mode),
)
export const write: (fd: number, bytes: Uint8Array) => Steps<void> = both(
  (fd: number, bytes: Uint8Array) => fs.writeFileSync(fd, bytes),
  (fd: number, bytes: Uint8Array) => writeFile(fd, bytes),
)
export const fsync: (fd: number) => Steps<void> = both(
  (fd: number) => fs.fsyncSync(fd),
  (fd: number) => syncFile(fd),
)
const openFile = promisify(fs.open) as (path: string, flags: string, mode: number) => Promise<number>
const writeFile = promisify(fs.writeFile) as (fd: number, bytes: Uint8Array) => Promise<void>
const syncFile = promisify(fs.fsync)

/** Larger content is read and written in libuv's thread pool by the asynchronous form. */
const SMALL_BYTES = 64 * 1024

/** Reads a file of about `size` bytes. */
export function* readFileOfSize(path: string, size: number): Steps<Buffer> {
  return size <= SMALL_BYTES ? fs.readFileSync(path) : yield* readFile(path)
}

/** Writes a new file. */
export function* writeNew(fd: number, bytes: Uint8Array): Steps<void> {
  if (bytes.length <= SMALL_BYTES) fs.writeFileSync(fd, bytes)
  else yield* write(fd, bytes)
}

export const sleep: (ms: number) => Steps<unknown> = both(
  (ms: number): unknown => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms),
  (ms: number) => new Promise((resolve) => setTimeout(resolve, ms)),
)

const SHARING_CODES = new Set(['EACCES', 'EBUSY', 'EPERM'])
const SHARING_TIMEOUT = 5000 // ms
const MAX_SHARING_DELAY = 100 // ms

/**
 * Windows refuses to replace a file that another program has open without sharing deletion, and to
 * open a file that is being replaced. Both conditions are short (a virus scanner, a search index),
 * so the call is repeated.
 */
export function* retryWhileShared<T>(attempt: () => Steps<T>): Steps<T> {
  const deadline = performance.now() + SHARING_TIMEOUT
  for (let delay = 1; ; delay = Math.min(2 * delay, MAX_SHARING_DELAY)) {
    try {
      return yield* attempt()
    } catch (error) {
      const canPass = process.platform === 'win32' && SHARING_CODES.has(codeOf(error))
      if (!canPass || performance.now() > deadline) throw error
    }
    yield* sleep(delay)
  }
}

export function codeOf(error: unknown): string {
  return String((error as { code?: unknown } | null)?.code)
}

/**
 * Calls `attempt`, and returns `undefined` for an error that has one of these codes, or for any
 * error.
 */
export function ignoring<T>(attempt: () => T, codes?: string[]): T | undefined {
  try {
    return attempt()
  } catch (error) {
    if (codes !== undefined && !codes.includes(codeOf(error))) throw error
    return undefined
  }
}

/** Like {@link ignoring}, for steps. */
export function* ignoringSteps<T>(steps: Steps<T>, codes?: string[]): Steps<T | undefined> {
  try {
    return yield* steps
  } catch (error) {
    return ignoring(() => {
      throw error
    }, codes)
  }
}
