// CommonJS, with an ES module beside it.
import * as required from 'process-rwlock'
import { forFile } from 'process-rwlock/file'
import lockfile from 'process-rwlock/proper-lockfile'
import { same } from '../same.cjs'
import { waits } from '../waits.cjs'

async function main(): Promise<void> {
  const imported = await import('process-rwlock')
  same(imported, required)
  const lock: required.RWLock = new imported.RWLock()
  lock.close()
  const fileLock: required.RWLock = forFile(__filename)
  fileLock.close()
  const release: () => Promise<void> = await lockfile(__filename)
  await release()
  lockfile.lockSync(__filename)()
  console.log(await waits(imported.RWLock, required.RWLock))
}

main()
