// The locks in JavaScript, each as its users would guard a function with it.
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs'
import { promisify } from 'node:util'
import { load, versions } from '../peers/index.js'
import { remote } from '../postgres/locks.js'

/**
 * @typedef {object} Lock
 * @property {string} version
 * @property {Guarded} read runs a function, shared with other readers; exclusively if the lock has no shared mode
 * @property {Guarded} write runs it exclusively
 * @property {() => Promise<import('process-rwlock').Guard>} [acquire] acquires exclusively, if holders can see that others wait
 * @property {{ read(): void, write(): void }} [sync] acquires and releases without waiting, if the lock can
 *
 * @typedef {<T>(fn: () => T | Promise<T>) => Promise<T>} Guarded
 */

/** The interval at which proper-lockfile and lockfile try again, in ms. Without this option they do not. */
const POLL = 5

const { version: ourVersion } = JSON.parse(
  readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
)

/**
 * The locks that work between processes.
 *
 * @type {Record<string, (path: string) => Promise<Lock>>}
 */
export const shared = {
  ...remote,

  async 'process-rwlock'(path) {
    const { RWLock } = await import('process-rwlock')
    const lock = new RWLock({ path })
    return {
      version: ourVersion,
      read: (fn) => lock.read(fn),
      write: (fn) => lock.write(fn),
      acquire: () => lock.acquireWrite(),
      sync: {
        read: () => lock.tryRead()?.release(),
        write: () => lock.tryWrite()?.release(),
      },
    }
  },

  async 'process-rwlock/leader'(path) {
    const { lead } = await import('process-rwlock/leader')
    const write = (fn) => lead({ path }, fn)
    return { version: ourVersion, read: write, write }
  },

  async 'proper-lockfile'(path) {
    return properLockfile(path, await load('proper-lockfile'), versions['proper-lockfile'])
  },

  async 'process-rwlock/proper-lockfile'(path) {
    return properLockfile(path, await import('process-rwlock/proper-lockfile'), ourVersion)
  },

  async lockfile(path) {
    const lockfile = await load('lockfile')
    const lock = promisify(lockfile.lock)
    const unlock = promisify(lockfile.unlock)
    const guarded = async (fn) => {
      await lock(path, { wait: Infinity, pollPeriod: POLL })
      try {
        return await fn()
      } finally {
        await unlock(path)
      }
    }
    return { version: versions.lockfile, read: guarded, write: guarded }
  },

  /** It polls every 500 ms, and has no option to change that. Its `withLock()` does not wait for `fn`. */
  async 'cross-process-lock'(path) {
    const { lock } = await load('cross-process-lock')
    closeSync(openSync(path, 'a'))
    const guarded = async (fn) => {
      const unlock = await lock(path, { waitTimeout: Infinity })
      try {
        return await fn()
      } finally {
        // Two processes may have the lock at the same time; then the other one has removed its file.
        await unlock().catch((error) => {
          if (error.code !== 'ENOENT') throw error
        })
      }
    }
    return { version: versions['cross-process-lock'], read: guarded, write: guarded }
  },

  /** `fcntl` or `flock`, with a thread for each wait. */
  async 'fs-native-extensions'(path) {
    const { tryLock, unlock, waitForLock } = await load('fs-native-extensions')
    const file = openSync(path, 'a+')
    const guarded = (options) => async (fn) => {
      await waitForLock(file, options)
      try {
        return await fn()
      } finally {
        unlock(file)
      }
    }
    const pair = (options) => () => {
      if (tryLock(file, options)) unlock(file)
    }
    const shared = { shared: true }
    return {
      version: versions['fs-native-extensions'],
      read: guarded(shared),
      write: guarded({}),
      sync: { read: pair(shared), write: pair({}) },
    }
  },

  /** It closes the descriptor when the lock is released. */
  async 'fd-lock'(path) {
    const FDLock = await load('fd-lock')
    const guarded = async (fn) => {
      const lock = new FDLock(openSync(path, 'a+'), { wait: true })
      await lock.ready()
      try {
        return await fn()
      } finally {
        await lock.close()
      }
    }
    return { version: versions['fd-lock'], read: guarded, write: guarded }
  },

  /** `flock` on libuv's thread pool. */
  async 'fs-ext'(path) {
    const { flock: callback, flockSync } = await load('fs-ext')
    const flock = promisify(callback)
    const file = openSync(path, 'w+')
    const guarded = (how) => async (fn) => {
      await flock(file, how)
      try {
        return await fn()
      } finally {
        await flock(file, 'un')
      }
    }
    const pair = (how) => () => {
      flockSync(file, how)
      flockSync(file, 'un')
    }
    return {
      version: versions['fs-ext'],
      read: guarded('sh'),
      write: guarded('ex'),
      sync: { read: pair('shnb'), write: pair('exnb') },
    }
  },

  /** `fcntl` on libuv's thread pool. */
  async 'os-lock'(path) {
    const { lock, unlock } = await load('os-lock')
    const file = openSync(path, 'w+')
    const guarded = (exclusive) => async (fn) => {
      await lock(file, { exclusive })
      try {
        return await fn()
      } finally {
        await unlock(file)
      }
    }
    return { version: versions['os-lock'], read: guarded(false), write: guarded(true) }
  },
}

/**
 * A program that uses proper-lockfile, or what has its interface.
 *
 * @param {string} path
 * @param {any} lockfile
 * @param {string} version
 * @returns {Lock}
 */
function properLockfile(path, { lock }, version) {
  mkdirSync(path, { recursive: true })
  const options = { retries: { forever: true, factor: 1, minTimeout: POLL, maxTimeout: POLL } }
  const guarded = async (fn) => {
    const release = await lock(path, options)
    try {
      return await fn()
    } finally {
      await release()
    }
  }
  return { version, read: guarded, write: guarded }
}

/** The locks that work only within one process. @type {Record<string, () => Promise<Lock>>} */
export const inProcess = {
  async 'async-lock'() {
    const AsyncLock = await load('async-lock')
    const lock = new AsyncLock()
    const guarded = (fn) => lock.acquire('key', fn)
    return { version: versions['async-lock'], read: guarded, write: guarded }
  },

  async 'async-mutex'() {
    const { Mutex } = await load('async-mutex')
    const mutex = new Mutex()
    const guarded = (fn) => mutex.runExclusive(fn)
    return { version: versions['async-mutex'], read: guarded, write: guarded }
  },

  async mortice() {
    const mortice = await load('mortice')
    const lock = mortice('bench')
    const guarded = (acquire) => async (fn) => {
      const release = await acquire()
      try {
        return await fn()
      } finally {
        release()
      }
    }
    return {
      version: versions.mortice,
      read: guarded(() => lock.readLock()),
      write: guarded(() => lock.writeLock()),
    }
  },

  /** Node.js 24 and newer. */
  async 'Web Locks'() {
    const { locks } = /** @type {any} */ (globalThis).navigator
    return {
      version: process.version,
      read: (fn) => locks.request('bench', { mode: 'shared' }, fn),
      write: (fn) => locks.request('bench', fn),
    }
  },
}
