// The competitors, and how the driver of each is started.
import { fileURLToPath } from 'node:url'
import { root } from '../scripts/lib/run.js'
import { Driver, nodeDriver } from './drivers/start.js'

const rustDriver = fileURLToPath(new URL('target/release/process-rwlock-bench', root))
const pythonDriver = fileURLToPath(new URL('drivers/driver.py', import.meta.url))

/**
 * @typedef {object} Competitor
 * @property {string} system
 * @property {'Node.js' | 'Python' | 'Rust' | 'C'} language
 * @property {boolean} [polls] it polls the lock
 * @property {boolean} [waitsInPool] a wait occupies a thread of libuv's pool
 * @property {Competitor} [twin] a small process that uses the same lock
 * @property {(path: string) => Promise<Driver>} start
 */

/** @param {string} system */
export function node(system, more = {}) {
  const start = (/** @type {string} */ path) =>
    new Driver([process.execPath, nodeDriver, system, path]).ready()
  return /** @type {Competitor} */ ({ system, language: 'Node.js', start, ...more })
}

/**
 * @param {string} system
 * @param {Competitor['language']} [language]
 */
function native(system, language = 'C') {
  const start = (/** @type {string} */ path) => new Driver([rustDriver, system, path]).ready()
  return /** @type {Competitor} */ ({ system, language, start })
}

/**
 * @param {string} program
 * @param {string} system
 */
function python(program, system) {
  const start = (/** @type {string} */ path) => new Driver([program, pythonDriver, system, path]).ready()
  return /** @type {Competitor} */ ({ system, language: 'Python', start })
}

export const OURS = 'process-rwlock'
export const oursNative = native(OURS, 'Rust')
export const ours = node(OURS, { twin: oursNative })
/** `lead()` of process-rwlock/leader: a candidate that waits, and then leads. */
export const leading = node(`${OURS}/leader`)

/**
 * The floors: a byte through a pipe between event loops; a futex that two processes pass to and
 * fro; no lock at all.
 */
export const floors = { pipe: node('pipe'), futex: native('futex'), nothing: native('nothing') }

/**
 * All locks that exclude other processes.
 *
 * @param {string} pythonProgram
 */
export const all = (pythonProgram) => [
  ours,
  oursNative,
  native('pthread'),
  native('pthread-prefer-writer'),
  native('raw_sync', 'Rust'),
  native('flock'),
  native('fcntl'),
  node('fs-ext', { twin: native('flock'), waitsInPool: true }),
  node('os-lock', { twin: native('fcntl'), waitsInPool: true }),
  node('fs-native-extensions'),
  node('fd-lock'),
  node('proper-lockfile', { polls: true }),
  node(`${OURS}/proper-lockfile`),
  node('lockfile', { polls: true }),
  node('cross-process-lock', { polls: true }),
  python(pythonProgram, 'prwlock'),
  python(pythonProgram, 'fasteners'),
  python(pythonProgram, 'multiprocessing_utils'),
]

/** @param {{ system: string, language: string }} of */
export const nameOf = ({ system, language }) => `${system} (${language})`
export { rustDriver }
