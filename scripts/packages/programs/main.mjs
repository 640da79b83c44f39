// An ES module, with CommonJS beside it.
import * as imported from 'process-rwlock'
import { same } from './same.cjs'
import { waits } from './waits.cjs'

// Not by an import: bundlers would put something else in its place.
const { createRequire } = process.getBuiltinModule('node:module')
const required = createRequire(import.meta.url)('process-rwlock')
same(imported, required)
console.log(await waits(imported.RWLock, required.RWLock))
