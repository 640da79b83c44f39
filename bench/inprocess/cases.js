// The cases that are measured in one process. Each case has its own loop: V8 would compile a shared
// one for several callees, and all after the first would be slower. (The competitors share one;
// separate loops made no difference for async-lock and async-mutex.)
import { inProcess, shared } from '../drivers/locks.js'

/** @typedef {import('./measure.js').Case} Case */

const WRITERS = 100

/**
 * What some competitors need, and older versions of Node.js lack.
 *
 * @type {Record<string, boolean>}
 */
const needs = {
  mortice: 'withResolvers' in Promise,
  'Web Locks': 'locks' in /** @type {any} */ (globalThis.navigator ?? {}),
}

/** Those that run on each Node.js without being compiled for it. */
const UNCOMPILED = [
  'proper-lockfile',
  'process-rwlock/proper-lockfile',
  'lockfile',
  'cross-process-lock',
  'fs-native-extensions',
  'fd-lock',
]

function empty() {}
const resolved = Promise.resolve()
async function awaiting() {
  await resolved
}

/**
 * The floors: the cost without any lock.
 *
 * @param {{ nothing: () => void }} native
 * @returns {Case[]}
 */
export const floors = ({ nothing }) => [
  {
    name: 'empty function',
    run(times) {
      for (let i = 0; i < times; i++) empty()
    },
  },
  {
    name: 'empty N-API function, twice',
    run(times) {
      for (let i = 0; i < times; i++) {
        nothing()
        nothing()
      }
    },
  },
  {
    name: 'await of a resolved promise',
    async run(times) {
      for (let i = 0; i < times; i++) await resolved
    },
  },
  {
    name: 'await of an async function that awaits a resolved promise',
    async run(times) {
      for (let i = 0; i < times; i++) await awaiting()
    },
  },
]

/**
 * @param {import('process-rwlock').RWLock} lock without contention
 * @param {string} slots that it has in use
 * @returns {Case[]}
 */
export const ours = (lock, slots) => [
  {
    name: `tryRead() and release(), ${slots} slots`,
    run(times) {
      for (let i = 0; i < times; i++) lock.tryRead()?.release()
    },
  },
  {
    name: `tryWrite() and release(), ${slots} slots`,
    run(times) {
      for (let i = 0; i < times; i++) lock.tryWrite()?.release()
    },
  },
  {
    name: `await read(() => {}), ${slots} slots`,
    async run(times) {
      for (let i = 0; i < times; i++) await lock.read(() => {})
    },
  },
  {
    name: `await write(() => {}), ${slots} slots`,
    async run(times) {
      for (let i = 0; i < times; i++) await lock.write(() => {})
    },
  },
]

/**
 * @param {import('process-rwlock').RWLock} lock without contention
 * @returns {Case[]}
 */
export const oursBesides = (lock) => [
  {
    name: 'await acquireRead() and release()',
    async run(times) {
      for (let i = 0; i < times; i++) (await lock.acquireRead()).release()
    },
  },
  {
    name: 'await acquireWrite() and release()',
    async run(times) {
      for (let i = 0; i < times; i++) (await lock.acquireWrite()).release()
    },
  },
  {
    name: `write(async () => {}), ${WRITERS} at once`,
    async run(times) {
      for (let done = 0; done < times; done += WRITERS) {
        const writers = []
        for (let i = 0; i < WRITERS && done + i < times; i++) writers.push(lock.write(async () => {}))
        await Promise.all(writers)
      }
    },
  },
]

/**
 * The locks that people use instead.
 *
 * @param {() => string} fresh makes paths
 * @param {boolean} withCompiled also those that are compiled for one Node.js alone
 */
export async function peers(fresh, withCompiled) {
  /** @type {Case[]} */
  const cases = []
  for (const name of [...UNCOMPILED, ...(withCompiled ? ['fs-ext', 'os-lock'] : [])]) {
    add(name, await shared[name](fresh()))
  }
  for (const [name, open] of Object.entries(inProcess)) {
    if (!(needs[name] ?? true)) continue
    add(name, await open())
  }
  return cases

  /**
   * @param {string} name
   * @param {import('../drivers/locks.js').Lock} lock
   */
  function add(name, lock) {
    cases.push({
      name: `${name}, read`,
      async run(times) {
        for (let i = 0; i < times; i++) await lock.read(() => {})
      },
    })
    cases.push({
      name: `${name}, write`,
      async run(times) {
        for (let i = 0; i < times; i++) await lock.write(() => {})
      },
    })
  }
}
