// Uses all its file descriptors but some, then opens the given lock, and reports the outcome.
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
