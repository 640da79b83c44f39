// Increments one number of a JSON file until it is killed. Each finished update appends a byte to a
// file of this process, so that the parent knows after a kill what was acknowledged.
//
//   worker.js SYSTEM FILE KEY ACKNOWLEDGED
import { openSync, writeSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import { updateJSON } from 'process-rwlock/file'
import { load } from '../peers/index.js'

const [system = '', file = '', key = '', acknowledged = ''] = process.argv.slice(2)

/** Each prepares one update. @type {Record<string, () => Promise<() => unknown>>} */
const systems = {
  'process-rwlock/file': async () => () =>
    updateJSON(file, (counts) => {
      counts[key] = (counts[key] ?? 0) + 1
    }),

  'proper-lockfile + write-file-atomic': async () => withLockfile(await load('proper-lockfile')),

  'process-rwlock/proper-lockfile + write-file-atomic': async () =>
    withLockfile(await import('process-rwlock/proper-lockfile')),

  conf: async () => {
    const Conf = await load('conf')
    const conf = new Conf({ cwd: dirname(file), configName: basename(file, '.json') })
    return () => conf.set(key, conf.get(key, 0) + 1)
  },
}

/** @param {any} lockfile */
async function withLockfile(lockfile) {
  const writeFileAtomic = await load('write-file-atomic')
  const retries = { forever: true, minTimeout: 1, maxTimeout: 20 }
  return async () => {
    const release = await lockfile.lock(file, { retries })
    try {
      const counts = JSON.parse(await readFile(file, 'utf8'))
      counts[key] = (counts[key] ?? 0) + 1
      await writeFileAtomic(file, JSON.stringify(counts, null, 2))
    } finally {
      await release()
    }
  }
}

const update = await systems[system]()
const log = openSync(acknowledged, 'a')
for (;;) {
  await update()
  writeSync(log, '.')
  await new Promise((resolve) => setImmediate(resolve))
}
