// Uses up its file descriptors but for some, then opens the lock that it is told, and says how that ended.
import { closeSync, openSync } from 'node:fs'
import { RWLock } from 'process-rwlock'

const ref = JSON.parse(process.argv[2])
const spare = Number(process.argv[3] ?? 0)
new RWLock('exhausted/warm').close()
const files = []
try {
  for (;;) files.push(openSync('/dev/null', 'r'))
} catch {}
for (const file of files.splice(0, spare)) closeSync(file)
let said
try {
  new RWLock(ref)
} catch (error) {
  const { code, message, errno, syscall, cause } = error
  said = { code, message, errno, syscall, cause: { ...cause, message: cause?.message } }
}
for (const file of files) closeSync(file)
process.send?.({ type: 'ended', said })
