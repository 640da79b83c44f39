// Resources of a test, which are released automatically.
import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { RWLock } from 'process-rwlock'
import { cleanUp } from './cleanup.js'
import { unmapPages } from './shared-page.js'
import { waitFor } from './time.js'

// A killed process keeps its attachments until the kernel has freed its memory.
const DEATH_BOUND = 15_000

/**
 * A lock name that no other test uses. The lock is removed after the test, together with the locks
 * whose names begin with it and `/`.
 *
 * @param {import('ava').ExecutionContext<any>} t
 */
export function uniqueName(t) {
  const name = `process-rwlock-test/${randomUUID()}`
  cleanUp(t, 'names', async () => {
    const below = RWLock.list().flatMap((lock) => (lock.name?.startsWith(`${name}/`) ? [lock.name] : []))
    for (const each of [name, ...below]) {
      await waitFor(() => isRemoved(each), { bound: DEATH_BOUND, what: `${each} is free` })
    }
  })
  return name
}

/**
 * A lock handle of this process, by default with a new name. It is closed after the test.
 *
 * @param {import('ava').ExecutionContext<any>} t
 * @param {import('process-rwlock').RWLockRef} [ref]
 * @param {import('process-rwlock').RWLockOptions} [options]
 */
export function openLock(t, ref = uniqueName(t), options) {
  const lock = new RWLock(ref, options)
  cleanUp(t, 'locks', () => lock.close())
  return lock
}

/**
 * A directory for this test alone.
 *
 * @param {import('ava').ExecutionContext<any>} t
 */
export function tempDir(t) {
  const dir = mkdtempSync(join(tmpdir(), 'process-rwlock-test-'))
  cleanUp(t, 'files', async () => {
    await unmapPages()
    rmSync(dir, { recursive: true, force: true, maxRetries: 5 })
  })
  return dir
}

/** @param {string} name */
function isRemoved(name) {
  try {
    RWLock.remove(name)
    return true
  } catch (error) {
    if (error.code === 'ERR_LOCK_BUSY') return false
    throw error
  }
}
