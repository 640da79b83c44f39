// Four processes append to one log, and any of them rotates it. Appending is shared, rotating is exclusive.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { appendFile, mkdtemp, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { RWLock } from 'process-rwlock'

const MAX_BYTES = 1000
const lock = new RWLock('my-app/log')

async function log(file, line) {
  // A read hold: the file is not renamed meanwhile, and O_APPEND keeps the lines of several processes apart.
  await lock.read(() => appendFile(file, `${line}\n`))
  if ((await sizeOf(file)) > MAX_BYTES) await lock.write(({ token }) => rotate(file, token))
}

async function rotate(file, token) {
  if ((await sizeOf(file)) <= MAX_BYTES) return // another process has done it
  await rename(file, `${file}.${token}`) // tokens grow, so the names sort by age
}

async function sizeOf(file) {
  return (await stat(file).catch(() => ({ size: 0 }))).size // none right after a rotation
}

const [given] = process.argv.slice(2)
if (given === undefined) {
  const directory = await mkdtemp(join(tmpdir(), 'log-rotation-'))
  const children = Array.from({ length: 4 }, () => fork(import.meta.filename, [join(directory, 'app.log')]))
  await Promise.all(children.map((child) => once(child, 'exit')))

  const files = await readdir(directory)
  const texts = await Promise.all(files.map((name) => readFile(join(directory, name), 'utf8')))
  console.log('rotated:', files.length > 1) // rotated: true
  console.log('lines:', texts.join('').trim().split('\n').length) // lines: 200
  await rm(directory, { recursive: true })
} else {
  for (let i = 0; i < 50; i++) await log(given, `process ${process.pid}, line ${i}`)
  process.disconnect()
}
