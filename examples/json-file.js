// Four processes update one JSON file at the same time. No update is lost, and a crash leaves the
// old or the new content.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readJSON, updateJSON } from 'process-rwlock/file'

/** Counts a session in the settings file. */
async function countSession(file) {
  await updateJSON(
    file,
    (settings) => {
      settings.sessions += 1
    },
    { default: { sessions: 0 } },
  )
}

const [given] = process.argv.slice(2)
if (given === undefined) {
  const directory = await mkdtemp(join(tmpdir(), 'json-file-'))
  const file = join(directory, 'settings.json')

  const children = Array.from({ length: 4 }, () => fork(import.meta.filename, [file]))
  await Promise.all(children.map((child) => once(child, 'exit')))
  console.log(await readJSON(file)) // { sessions: 40 }
  await rm(directory, { recursive: true })
} else {
  for (let i = 0; i < 10; i++) await countSession(given)
  process.disconnect()
}
