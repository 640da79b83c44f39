// An ES module, and CommonJS that it imports.
import * as imported from 'process-rwlock'
import { forFile } from 'process-rwlock/file'
import { lockInfo } from 'process-rwlock/leader'
import { same } from '../same.cjs'
import { waits } from '../waits.cjs'
import { required } from './legacy.cjs'

same(imported, required)
const lock: imported.RWLock = new required.RWLock()
lock.close()
const fileLock: imported.RWLock = forFile(import.meta.filename)
fileLock.close()
if (lockInfo('my-app/nobody') !== null) throw new Error('somebody leads')
console.log(await waits(imported.RWLock, required.RWLock))
