// The calls of `node:fs` that the package makes, as steps.
import * as fs from 'node:fs'
import { promisify } from 'node:util'
import { both, type Steps } from './steps.js'

const promises = fs.promises

// With file descriptors, because `FileHandle` has no synchronous form.
export const open: (path: string, flags: string, mode?: number) => Steps<number> = both(
  (path: string, flags: string, mode?: number) => fs.openSync(path, flags, mode),
  promisify(fs.open) as (path: string, flags: string, mode?: number) => Promise<number>,
)
export const write: (fd: number, bytes: Uint8Array) => Steps<void> = both(
  (fd: number, bytes: Uint8Array) => fs.writeFileSync(fd, bytes),
  promisify(fs.writeFile) as (fd: number, bytes: Uint8Array) => Promise<void>,
)
export const fstat: (fd: number) => Steps<fs.Stats> = both(
  (fd: number) => fs.fstatSync(fd),
  promisify(fs.fstat) as (fd: number) => Promise<fs.Stats>,
)
export const fchown: (fd: number, uid: number, gid: number) => Steps<void> = both(
  (fd: number, uid: number, gid: number) => fs.fchownSync(fd, uid, gid),
  promisify(fs.fchown),
)
export const fchmod: (fd: number, mode: number) => Steps<void> = both(
  (fd: number, mode: number) => fs.fchmodSync(fd, mode),
  promisify(fs.fchmod) as (fd: number, mode: number) => Promise<void>,
)
export const fsync: (fd: number) => Steps<void> = both((fd: number) => fs.fsyncSync(fd), promisify(fs.fsync))
export const close: (fd: number) => Steps<void> = both((fd: number) => fs.closeSync(fd), promisify(fs.close))

export const readFile: (path: string) => Steps<Buffer> = both(
  (path: string) => fs.readFileSync(path),
  (path: string) => promises.readFile(path),
)
export const stat: (path: string) => Steps<fs.Stats> = both(
  (path: string) => fs.statSync(path),
  (path: string) => promises.stat(path),
)
export const access: (path: string, mode: number) => Steps<void> = both(
  (path: string, mode: number) => fs.accessSync(path, mode),
  (path: string, mode: number) => promises.access(path, mode),
)
export const readdir: (path: string) => Steps<string[]> = both(
  (path: string) => fs.readdirSync(path),
  (path: string) => promises.readdir(path),
)
export const unlink: (path: string) => Steps<void> = both(
  (path: string) => fs.unlinkSync(path),
  (path: string) => promises.unlink(path),
)
export const rename: (from: string, to: string) => Steps<void> = both(
  (from: string, to: string) => fs.renameSync(from, to),
  (from: string, to: string) => promises.rename(from, to),
)

const sleep: (ms: number) => Steps<unknown> = both(
  (ms: number): unknown => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms),
  (ms: number) => new Promise((resolve) => setTimeout(resolve, ms)),
)

const SHARING_CODES = new Set(['EACCES', 'EBUSY', 'EPERM'])
const SHARING_TIMEOUT = 5000 // ms
const MAX_SHARING_DELAY = 100 // ms

/**
 * Windows refuses to replace a file that another program has open without sharing deletion, and to open a file that is being
 * replaced. Both conditions are short (a virus scanner, a search index), so the call is repeated.
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

/** Runs the steps, and ignores an error that has one of these codes, or any error. */
export function* ignoring<T>(steps: Steps<T>, codes?: string[]): Steps<T | undefined> {
  try {
    return yield* steps
  } catch (error) {
    if (codes !== undefined && !codes.includes(codeOf(error))) throw error
    return undefined
  }
}

export function codeOf(error: unknown): string {
  return String((error as { code?: unknown } | null)?.code)
}
