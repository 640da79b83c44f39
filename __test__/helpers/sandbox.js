// A private view of the machine for a test: a /dev/shm that may be filled and damaged, and mounts
// that no other process sees. It is a mount namespace, which ends with its last process, so nothing
// is left.
import { spawn, spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { cleanUp } from './cleanup.js'
import { spawnChild, spawnNode } from './process.js'
import { testUnless } from './skip.js'
import { timeoutFactor } from './timeout-factor.js'

const BOUND = 10_000 * timeoutFactor

const isRoot = process.geteuid?.() === 0
// Without root privileges the test becomes root of a user namespace, where that is allowed.
const own = isRoot ? ['--mount'] : ['--user', '--map-root-user', '--mount']
const join_ = isRoot ? ['--mount'] : ['--user', '--preserve-credentials', '--mount']

const canMount =
  process.platform === 'linux' &&
  spawnSync('unshare', [...own, 'mount', '-t', 'tmpfs', 'tmpfs', '/dev/shm']).status === 0 &&
  spawnSync('nsenter', ['--version']).status === 0

/** For tests that need a sandbox. */
export const sandboxTest = testUnless(!canMount && 'no mount namespace')

export const canMountAsRoot = canMount && isRoot

/** For tests that act as several users. */
export const usersTest = testUnless(!canMountAsRoot && 'not root of a mount namespace')

/**
 * @param {import('ava').ExecutionContext<any>} t
 * @param {{ shm?: string }} [options] what is mounted at /dev/shm, in the words of mount(8)
 */
export async function sandbox(t, { shm = 'size=64m' } = {}) {
  // It ends with its input, and so with this process in any case.
  const keeper = spawn(
    'unshare',
    [
      ...own,
      ...['--propagation', 'private', 'sh', '-c'],
      'mount -t tmpfs -o "mode=1777,$1" tmpfs /dev/shm && echo ready && exec cat',
      ...['sandbox', shm],
    ],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  )
  const ended = new Promise((resolve) => keeper.once('exit', resolve))
  cleanUp(t, 'processes', async () => {
    keeper.kill('SIGKILL')
    await ended
  })
  await new Promise((resolve, reject) => {
    keeper.once('error', reject)
    keeper.stdout.once('data', resolve)
    ended.then(() => reject(new Error('the sandbox could not be made')))
    setTimeout(() => reject(new Error(`no sandbox within ${BOUND} ms`)), BOUND).unref()
  })
  return new Sandbox(t, Number(keeper.pid))
}

class Sandbox {
  #t
  #enter

  /**
   * @param {import('ava').ExecutionContext<any>} t
   * @param {number} pid
   */
  constructor(t, pid) {
    this.#t = t
    this.#enter = [...join_, '--target', String(pid)]
    /** Its /dev/shm, seen from outside. */
    this.shm = `/proc/${pid}/root/dev/shm`
  }

  /** The directory of the lock files of `uid`, seen from outside. */
  directory(uid = process.geteuid?.()) {
    return join(this.shm, `process-rwlock-${isRoot ? uid : 0}`)
  }

  /** The sorted relative paths of everything in its /dev/shm. */
  files() {
    /** @type {(folder: string) => string[]} */
    const within = (folder) =>
      readdirSync(join(this.shm, folder), { withFileTypes: true }).flatMap((entry) => {
        const path = join(folder, entry.name)
        return entry.isDirectory() ? [path, ...within(path)] : [path]
      })
    return within('').toSorted()
  }

  /** The files of locks there, except the directory and the token floor, which always stay. */
  leftOvers() {
    return this.files().filter((file) => !/^process-rwlock-\d+(\/token-floor)?$/.test(file))
  }

  /** The lock files of a user, seen from outside. */
  records(uid = process.geteuid?.()) {
    const directory = this.directory(uid)
    return readdirSync(directory)
      .filter((name) => name !== 'token-floor')
      .map((name) => join(directory, name, 'record'))
  }

  /** The shared memory of all locks, seen from outside. */
  segments() {
    return readdirSync(this.shm)
      .filter((name) => /^process-rwlock-\d+-/.test(name))
      .map((name) => join(this.shm, name))
  }

  /**
   * Like the other `spawnChild`, in this sandbox, and as `user` if one is given.
   *
   * @param {import('./process.js').ForkOptions & { user?: number }} [options]
   */
  spawnChild(options) {
    return spawnChild(this.#t, this.#within(options))
  }

  /**
   * Like the other `spawnNode`, in this sandbox.
   *
   * @param {string | URL} script
   * @param {string[]} [args]
   * @param {import('./process.js').ForkOptions & { user?: number }} [options]
   */
  spawnNode(script, args, options) {
    return spawnNode(this.#t, script, args, this.#within(options))
  }

  /** @param {import('./process.js').ForkOptions & { user?: number }} [options] */
  #within({ user, execArgv = [], ...options } = {}) {
    const as = user === undefined ? [] : ['setpriv', `--reuid=${user}`, `--regid=${user}`, '--clear-groups']
    return {
      ...options,
      // It becomes Node.js by exec, so the pid stays the same.
      execPath: 'nsenter',
      execArgv: [...this.#enter, '--', ...as, process.execPath, ...execArgv],
    }
  }

  /**
   * Runs a command in this sandbox, to its end.
   *
   * @param {string} command
   * @param {string[]} args
   */
  run(command, ...args) {
    const { status, stderr, stdout, error } = spawnSync('nsenter', [...this.#enter, '--', command, ...args], {
      encoding: 'utf8',
    })
    if (error) throw error
    if (status !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${status}: ${stderr}`)
    return stdout
  }
}
