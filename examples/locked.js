// Functions that run inside a hold, and a cache that belongs to one process: it is read again only after a write.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { local, locked, RWLock } from 'process-rwlock'

const lock = new RWLock('my-app/settings')
const file = process.env.SETTINGS ?? join(await mkdtemp(join(tmpdir(), 'locked-')), 'settings.json')
const mine = local(() => ({ token: -1n, settings: {}, reads: 0 }))

const reading = locked(lock, 'read')
const writing = locked(lock, 'write')

const settings = reading(async () => {
  const { token } = lock.inspect() // that of the last write
  if (mine.token !== token) {
    const text = await readFile(file, 'utf8')
    Object.assign(mine, { token, settings: JSON.parse(text), reads: mine.reads + 1 })
  }
  return mine.settings
})

const change = writing(async (key, value) => {
  const latest = JSON.parse(await readFile(file, 'utf8'))
  await writeFile(file, JSON.stringify({ ...latest, [key]: value }))
})

if (process.send) {
  await change('theme', 'dark')
  process.disconnect()
} else {
  await writeFile(file, '{}')
  for (let i = 0; i < 100; i++) await settings()
  console.log('reads:', mine.reads) // reads: 1

  await once(fork(import.meta.filename, { env: { ...process.env, SETTINGS: file } }), 'exit')
  console.log(await settings()) // { theme: 'dark' }
  console.log('reads:', mine.reads) // reads: 2
  console.log(structuredClone(mine)) // {}
  await rm(join(file, '..'), { recursive: true })
}
