// A writer is killed in the middle of its write. The next holder sees ownerDied, and repairs the half-written file.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { RWLock } from 'process-rwlock'

const [ref, file = ''] = process.argv.slice(2)

if (ref !== undefined) {
  // The child makes a backup, writes half of the file, and is killed.
  await new RWLock(JSON.parse(ref)).write(
    async () => {
      await copyFile(file, `${file}.backup`)
      await writeFile(file, '{"answer":')
      process.kill(process.pid, 'SIGKILL')
    },
    { label: 'update' },
  )
}

const directory = await mkdtemp(join(tmpdir(), 'crash-recovery-'))
const data = join(directory, 'data.json')
await writeFile(data, '{"answer":42}')

const lock = new RWLock()
const child = fork(import.meta.filename, [JSON.stringify(lock), data])
await once(child, 'exit')

// Readers also see ownerDied. They must not use the data before a writer has repaired it.
async function load() {
  for (;;) {
    const json = await lock.read((guard) => (guard.ownerDied ? null : readFile(data, 'utf8')))
    if (json !== null) return JSON.parse(json)
    await lock.write(repair)
  }
}

async function repair({ ownerDied }) {
  if (!ownerDied) return // another process has repaired it
  console.log(`repairing what '${ownerDied.label}' left half-written`)
  await copyFile(`${data}.backup`, data)
} // the end of this write hold clears ownerDied

console.log(await load()) // { answer: 42 }
console.log(lock.inspect().ownerDied) // null
await rm(directory, { recursive: true })
