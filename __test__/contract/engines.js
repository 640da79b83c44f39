// The engines that the contract tests run over.
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { tempDir, uniqueName } from '../helpers/index.js'

/**
 * @typedef {import('ava').ExecutionContext<any>} Test
 * @typedef {'upgradable' | 'ownerDied' | 'value' | 'contention' | 'limit' | 'semaphores' | 'sync' | 'fairness' | 'processes' | 'threads' | 'steal' | 'hosts' | 'details' | 'one queue' | 'waits end with processes'} Capability
 *   `sync`: methods that need not wait return no promise, so `using` works; `fairness`: the option,
 *   with 0 for strict order; `contention`: holders learn that somebody waits; `limit`: the option
 *   `maxReaders`; `semaphores`: the module exports `semaphore(ref, options)`; `processes`: other processes can open the lock; `threads`: worker threads can,
 *   each as an owner of its own; `hosts`: other machines can, and holders have the name of theirs;
 *   `details`: `inspect()` shows each hold and request of other processes, with its label; `one
 *   queue`: a writer that waits for an upgradable hold keeps readers out; `waits end with processes`:
 *   at once, so the lock is never granted to a process that died while it waited; `steal`: the module exports `steal(lock, options)`, and `open`
 *   takes the option `stealable`
 */

/**
 * @typedef EngineUnderTest
 * @property {string} name
 * @property {URL} module exports `open(ref, options)`, which every process and thread of a test opens its locks with
 * @property {Record<string, (t: Test) => any>} refs kinds of references, each with a function that makes one of a lock that no other test uses
 * @property {Capability[]} capabilities
 * @property {number} exitDetection the longest time in which the exit of a process is detected, in ms
 */

/** @type {EngineUnderTest[]} */
const ENGINES = [
  {
    name: 'shared memory',
    module: new URL('./engines/shared-memory.js', import.meta.url),
    refs: {
      name: uniqueName,
      path: (t) => ({ path: join(tempDir(t), 'x.lock') }),
    },
    capabilities: [
      'upgradable',
      'ownerDied',
      'value',
      'contention',
      'limit',
      'semaphores',
      'sync',
      'fairness',
      'processes',
      'threads',
      'steal',
      'details',
      'one queue',
      'waits end with processes',
    ],
    exitDetection: 100,
  },
  {
    name: 'in process',
    module: new URL('./engines/in-process.js', import.meta.url),
    refs: { name: () => randomUUID() },
    capabilities: ['upgradable', 'value', 'contention', 'limit', 'steal'],
    exitDetection: 0,
  },
  {
    name: 'postgres',
    module: new URL('./engines/postgres.js', import.meta.url),
    refs: { name: uniqueName },
    capabilities: [
      'upgradable',
      'ownerDied',
      'value',
      'contention',
      'limit',
      'semaphores',
      'fairness',
      'processes',
      'threads',
      'hosts',
    ],
    exitDetection: 1000,
  },
]

/** An engine to test instead of these: `broken-engines.test.js` sets it. */
const other = process.env.PROCESS_RWLOCK_CONTRACT_ENGINE

/**
 * Each with its `open`, loaded here because ava requires that all tests are declared synchronously.
 */
export const engines = await Promise.all(
  (other ? [{ ...ENGINES[0], name: 'broken', module: new URL(other) }] : ENGINES).map(async (engine) => {
    const { open, steal, semaphore } = await import(engine.module.href)
    return {
      ...engine,
      open: /** @type {(ref: any, options?: any) => import('process-rwlock').AsyncRWLock} */ (open),
      semaphore: /** @type {(ref: any, options: any) => import('process-rwlock').AsyncSemaphore} */ (
        semaphore
      ),
      steal: /** @type {typeof import('../../dist/steal.js').steal<any, any>} */ (steal),
    }
  }),
)
