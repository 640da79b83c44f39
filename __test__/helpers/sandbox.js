// A view of the machine of the test's own: a /dev/shm that may be filled up and damaged, and mounts nobody else sees.
// It is a mount namespace, which ends with the last process in it, so nothing stays behind.
import { spawn, spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { cleanUp } from './cleanup.js'
import { spawnChild, spawnNode } from './process.js'
import { testUnless } from './skip.js'
import { timeoutFactor } from './timeout-factor.js'

const BOUND = 10_000 * timeoutFactor

const isRoot = process.geteuid?.() === 0
// Who is not root becomes root of a user namespace of his own, where that is allowed.
const own = isRoot ? ['--mount'] : ['--user', '--map-root-user', '--mount']
const join_ = isRoot ? ['--mount'] : ['--user', '--preserve-credentials', '--mount']

const canMount =
  process.platform === 'linux' &&
  spawnSync('unshare', [...own, 'mount', '-t', 'tmpfs', 'tmpfs', '/dev/shm']).status === 0 &&
  spawnSync('nsenter', ['--version']).status === 0

/** For tests that need a sandbox. */
export const sandboxTest = testUnless(!canMount && 'no mount namespace')

/** For tests that act as several users. */
export const usersTest = testUnless(!(canMount && isRoot) && 'not root of a mount namespace')

/**
 * @param {import('ava').ExecutionContext<any>} t
 * @param {{ shm?: string }} [options] what is mounted at /dev/shm, in the words of mount(8)
 */
export async function sandbox(t, { shm = 'size=64m' } = {}) {
  // It ends when its input does: with this process, however that ends.
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

  /** Everything in its /dev/shm and the directories there, as paths relative to that, in order. */
  files() {
    /** @type {(folder: string) => string[]} */
    const within = (folder) =>
      readdirSync(join(this.shm, folder), { withFileTypes: true }).flatMap((entry) => {
        const path = join(folder, entry.name)
        return entry.isDirectory() ? [path, ...within(path)] : [path]
      })
    return within('').toSorted()
  }

  /** What is there of `uid`'s locks, apart from the directory and the token floor that always stay. */
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
   * As the other `spawnChild`, in here; as `user` if one is given.
   *
   * @param {import('./process.js').ForkOptions & { user?: number }} [options]
   */
  spawnChild(options) {
    return spawnChild(this.#t, this.#within(options))
  }

  /**
   * As the other `spawnNode`, in here.
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
      // It becomes Node.js by exec: the pid is the same.
      execPath: 'nsenter',
      execArgv: [...this.#enter, '--', ...as, process.execPath, ...execArgv],
    }
  }

  /**
   * Runs a command in here, to its end.
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
