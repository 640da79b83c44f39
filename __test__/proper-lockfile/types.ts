// The types of proper-lockfile fit: programs that were written for it compile.

import lockfile, { type LockOptions, lock, lockSync } from 'process-rwlock/proper-lockfile'
import type * as original from 'proper-lockfile'

// biome-ignore lint/suspicious/noExplicitAny: a value of any type.
declare const anything: any

export const functions: typeof original = lockfile
export const options: LockOptions = anything as original.LockOptions
export const release: Promise<() => Promise<void>> = lock('file', { retries: 3, bridge: true })
export const releaseSync: () => void = lockSync('file', { stale: 5000 })
// @ts-expect-error a wrong type
lock('file', { retries: 'many' })
