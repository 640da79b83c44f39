// Uses up its file descriptors, then opens the lock that it is told, and says how that ended.
import { closeSync, openSync } from 'node:fs'
import { RWLock } from 'process-rwlock'

const ref = JSON.parse(process.argv[2])
new RWLock('exhausted/warm').close()
const files = []
try {
  for (;;) files.push(openSync('/dev/null', 'r'))
} catch {}
let said
try {
  new RWLock(ref)
} catch (error) {
  const { code, message, errno, syscall, cause } = error
  said = { code, message, errno, syscall, cause: { ...cause, message: cause?.message } }
}
for (const file of files) closeSync(file)
process.send?.({ type: 'ended', said })
