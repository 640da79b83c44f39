// An ES module, and CommonJS that it imports.
import * as imported from 'process-rwlock'
import { forFile } from 'process-rwlock/file'
import { lockInfo } from 'process-rwlock/leader'
import lockfile from 'process-rwlock/proper-lockfile'
import { locks } from 'process-rwlock/web-locks'
import { same } from '../same.cjs'
import { waits } from '../waits.cjs'
import { required } from './legacy.cjs'

same(imported, required)
const lock: imported.RWLock = new required.RWLock()
lock.close()
const fileLock: imported.RWLock = forFile(import.meta.filename)
fileLock.close()
if (lockInfo('my-app/nobody') !== null) throw new Error('somebody leads')
const release: () => Promise<void> = await lockfile(import.meta.filename)
await release()
lockfile.lockSync(import.meta.filename)()
const mode: string | undefined = await locks.request('my-app/nothing', (held) => held?.mode)
if (mode !== 'exclusive') throw new Error('no lock')
console.log(await waits(imported.RWLock, required.RWLock))
