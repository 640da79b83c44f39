// An ES module, with CommonJS beside it.
import * as imported from 'process-rwlock'
import * as importedFile from 'process-rwlock/file'
import * as importedLeader from 'process-rwlock/leader'
import * as importedPostgres from 'process-rwlock/postgres'
import lockfile from 'process-rwlock/proper-lockfile'
import * as importedWebLocks from 'process-rwlock/web-locks'
import { same } from './same.cjs'
import { waits } from './waits.cjs'

// Not by an import: bundlers would put something else in its place.
const { createRequire } = process.getBuiltinModule('node:module')
const load = createRequire(import.meta.url)
const required = load('process-rwlock')
same(imported, required)
same(importedFile, load('process-rwlock/file'))
same(importedLeader, load('process-rwlock/leader'))
same(importedWebLocks, load('process-rwlock/web-locks'))
same(importedPostgres, load('process-rwlock/postgres')) // without pg, which it loads for new PostgresLocks()
if (lockfile !== load('process-rwlock/proper-lockfile')) throw new Error('two copies')
console.log(await waits(imported.RWLock, required.RWLock))
