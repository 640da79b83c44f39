// Four processes update one JSON file at the same time. No update is lost, and a crash leaves the old or the new content.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, open, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { RWLock } from 'process-rwlock'

const lock = new RWLock('my-app/settings.json')

/** Changes the file: `change` gets its content and returns the new one. */
async function updateJSON(file, change) {
  return lock.write(async () => {
    const next = await change(JSON.parse(await readFile(file, 'utf8'))) // read inside the lock
    const temporary = `${file}.tmp` // in the same folder: rename() does not work across file systems
    const handle = await open(temporary, 'w', 0o600)
    await handle.writeFile(JSON.stringify(next, null, 2))
    await handle.sync() // on disk before the rename, or a power cut can leave an empty file
    await handle.close()
    await rename(temporary, file) // atomic: every reader sees the old file or the new one
    return next
  })
}

const [given] = process.argv.slice(2)
if (given === undefined) {
  const directory = await mkdtemp(join(tmpdir(), 'json-file-'))
  const file = join(directory, 'settings.json')
  await writeFile(file, '{"sessions":0}')

  const children = Array.from({ length: 4 }, () => fork(import.meta.filename, [file]))
  await Promise.all(children.map((child) => once(child, 'exit')))
  console.log(JSON.parse(await readFile(file, 'utf8'))) // { sessions: 40 }
  await rm(directory, { recursive: true })
} else {
  for (let i = 0; i < 10; i++) {
    await updateJSON(given, (settings) => ({ ...settings, sessions: settings.sessions + 1 }))
  }
  process.disconnect()
}
