// A lock that is a file: for containers that share a volume, and for different users. They need no common /dev/shm and no
// common pid namespace:
//
//   docker run --volume /srv/my-app:/srv/my-app …    in each:    new RWLock({ path: '/srv/my-app/lock' })
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { RWLock } from 'process-rwlock'

const [given] = process.argv.slice(2)
const path = given ?? join(mkdtempSync(join(tmpdir(), 'path-lock-')), 'lock')
const lock = new RWLock({ path })

if (given === undefined) {
  const child = fork(import.meta.filename, [path])
  await once(child, 'exit')
  console.log('the last write was token', lock.inspect().token)
  lock.close()
  RWLock.remove({ path }) // otherwise the file remains
  rmSync(join(path, '..'), { recursive: true })
} else {
  await lock.write(({ token }) => console.log('the child writes with token', token))
  process.disconnect()
}
